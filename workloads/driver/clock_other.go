//go:build !linux

package driver

// monotonic is where the clock begins. The driver runs in machines, which are
// Linux; squall itself, which this is compiled into, never starts it.
func monotonic() (int64, error) { return 0, nil }
