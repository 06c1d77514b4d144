package kv

import (
	"fmt"
	"time"

	"squall/nodeimage/raft"
)

// Clock is CLOCK_MONOTONIC, absolute, so that the times of all processes on a
// host compare.
type Clock struct {
	start time.Time // its monotonic reading is what counts
	base  time.Duration
}

var _ raft.Clock = (*Clock)(nil)

// NewClock reads the machine's clock once; from there on it follows Go's own
// monotonic clock, which is the same one but cheaper to read.
func NewClock() (*Clock, error) {
	var best *Clock
	shortest := time.Duration(-1)
	for range 5 { // the attempt that was interrupted least wins
		before := time.Now()
		base, err := monotonic()
		if err != nil {
			return nil, fmt.Errorf("read the monotonic clock: %w", err)
		}
		took := time.Since(before)
		if shortest < 0 || took < shortest {
			shortest = took
			best = &Clock{start: before, base: base - took/2}
		}
	}
	return best, nil
}

// Now is the machine's CLOCK_MONOTONIC.
func (c *Clock) Now() time.Duration { return c.base + time.Since(c.start) }

// AfterFunc is [time.AfterFunc].
func (c *Clock) AfterFunc(d time.Duration, f func()) raft.Timer { return time.AfterFunc(d, f) }
