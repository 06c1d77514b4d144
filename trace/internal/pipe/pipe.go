// Package pipe is what writing a trace needs of the operating system.
package pipe

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// Open opens the pipe whose descriptor an environment variable names; nil where it names
// none. Children of the process do not inherit the descriptor.
func Open(variable, name string) (*os.File, error) {
	value := os.Getenv(variable)
	if value == "" {
		return nil, nil
	}
	fd, err := strconv.ParseUint(value, 10, 31)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s is %q, want the number of a file descriptor from 3 on", variable, value)
	}
	if err := claim(int(fd)); err != nil {
		return nil, fmt.Errorf("%s=%d: %w", variable, fd, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Clock tells CLOCK_MONOTONIC, which Go's own monotonic clock follows without telling its
// value.
type Clock struct {
	start time.Time     // its monotonic reading is what counts
	base  time.Duration // CLOCK_MONOTONIC at start
}

// NewClock returns a clock that goes.
func NewClock() (Clock, error) {
	start := time.Now()
	base, err := monotonic()
	if err != nil {
		return Clock{}, fmt.Errorf("reading CLOCK_MONOTONIC: %w", err)
	}
	return Clock{start, base}, nil
}

// Now is the time on it.
func (c Clock) Now() time.Duration { return c.base + time.Since(c.start) }
