//go:build !linux

package local

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

func enlarge(*os.File) {}

func mayByItself() bool { return false }

func inNamespaces(bool) *syscall.SysProcAttr { return nil }

func describe(bool) string { return "Linux namespaces" }

func tryNamespaces(bool) error {
	return errors.New("they are made of Linux namespaces, and this is " + runtime.GOOS + ": install and start Docker (https://docs.docker.com/get-docker)")
}

func explain(err error, _ bool) error { return err }

func closeInherited() error { return nil }
