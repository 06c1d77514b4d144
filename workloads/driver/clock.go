package driver

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// clock reads CLOCK_MONOTONIC. The first reading comes from the system; from
// there Go's own monotonic clock, which is the same one, counts on: that way
// tests in virtual time work too.
type clock struct {
	base  int64
	start time.Time
}

func newClock() (clock, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return clock{}, fmt.Errorf("read CLOCK_MONOTONIC: %w", err)
	}
	return clock{base: ts.Nano(), start: time.Now()}, nil
}

// now is in nanoseconds.
func (c clock) now() int64 { return c.base + int64(time.Since(c.start)) }
