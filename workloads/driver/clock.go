package driver

import "time"

// clock reads CLOCK_MONOTONIC. The first reading comes from the system; from
// there Go's own monotonic clock, which is the same one, counts on: that way
// tests in virtual time work too.
type clock struct {
	base  int64
	start time.Time
}

func newClock() (clock, error) {
	base, err := monotonic()
	if err != nil {
		return clock{}, err
	}
	return clock{base: base, start: time.Now()}, nil
}

// now is in nanoseconds.
func (c clock) now() int64 { return c.base + int64(time.Since(c.start)) }
