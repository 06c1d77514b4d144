package orchestrator

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// monotonic is this process's CLOCK_MONOTONIC in nanoseconds.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(fmt.Sprintf("CLOCK_MONOTONIC cannot be read: %v", err)) // every kernel has it
	}
	return ts.Nano()
}
