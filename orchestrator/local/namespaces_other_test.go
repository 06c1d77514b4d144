//go:build !linux

package local

import "errors"

// stop is never called where there are no local machines: the tests skip before.
func stop(int) error { return errors.ErrUnsupported }
