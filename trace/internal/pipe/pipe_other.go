//go:build !linux

package pipe

import (
	"errors"
	"time"
)

// began is what the times of a trace count from where there is no CLOCK_MONOTONIC to
// read. squall's machines are Linux, so only tests see them.
var began = time.Now()

// Claim looks whether a descriptor is that of a trace.
func Claim(int) error { return errors.New("squall starts servers on Linux alone") }

// Monotonic is a clock that is never set.
func Monotonic() (time.Duration, error) { return time.Since(began), nil }
