//go:build !linux

package hub

import (
	"errors"
	"io"
)

var errLinux = errors.New("machines without Docker need Linux")

// Run is refused on this system.
func Run(io.Reader, io.Writer) error { return errLinux }

// Inside is refused on this system.
func Inside([]string) error { return errLinux }
