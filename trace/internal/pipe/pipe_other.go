//go:build !linux

package pipe

import (
	"errors"
	"time"
)

// began is what the times of a trace count from where there is no CLOCK_MONOTONIC to
// read. squall's machines are Linux, so only tests see them.
var began = time.Now()

func claim(int) error { return errors.New("squall starts servers on Linux alone") }

func monotonic() (time.Duration, error) { return time.Since(began), nil }
