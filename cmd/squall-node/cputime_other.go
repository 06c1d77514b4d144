//go:build !linux

package main

import "time"

// processorTime is not known here; the program is for Linux.
func processorTime() time.Duration { return 0 }
