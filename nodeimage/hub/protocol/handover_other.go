//go:build !linux

package protocol

import "os"

// Handover hands open files to the hub. On this system there is none.
type Handover struct{}

// NewHandover is refused on this system.
func NewHandover() (ours Handover, theirs *os.File, err error) { return Handover{}, nil, errLinux }

// Send is refused on this system.
func (Handover) Send(string, []*os.File) error { return errLinux }

// Close has nothing to close.
func (Handover) Close() error { return nil }
