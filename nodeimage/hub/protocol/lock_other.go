//go:build !linux

package protocol

import (
	"errors"
	"os"
)

func takeLock(string) (*os.File, error) { return nil, errors.New("machines without Docker need Linux") }

func locked(string) bool { return false }
