//go:build !linux

package protocol

import (
	"errors"
	"os"
)

var errLinux = errors.New("machines without Docker need Linux")

func takeLock(string) (*os.File, error) { return nil, errLinux }

func locked(string) bool { return false }
