//go:build !linux

package orchestrator

import "time"

// started is where the clock begins here; it never changes.
var started = time.Now()

// monotonic is Go's monotonic clock in nanoseconds. Machines cannot share it:
// they run Linux, in a virtual machine, and their clock is mapped by an offset.
func monotonic() int64 { return int64(time.Since(started)) }
