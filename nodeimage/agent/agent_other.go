//go:build !linux

package agent

import (
	"context"
	"errors"
	"io"
)

var errLinux = errors.New("squall's agent runs on Linux only")

// Run is refused on this system.
func Run(context.Context, Options) error { return errLinux }

// Exec is refused on this system.
func Exec([]string) error { return errLinux }

// ServeDisk is refused on this system.
func ServeDisk([]string, io.Reader, io.Writer) error { return errLinux }

// Squeeze is refused on this system.
func Squeeze([]string, io.Reader, io.Writer) error { return errLinux }
