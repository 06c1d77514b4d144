package agent

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exec gives up every capability for good and becomes the program named by
// args: [-report FD] -- argv… On success it does not return. On failure it
// also writes the error to the file descriptor FD, which otherwise closes when
// the program takes over; so the agent learns which of the two it was.
func Exec(args []string) error {
	flags := flag.NewFlagSet("exec", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	report := flags.Int("report", -1, "file descriptor that takes an error")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("exec: %w", err)
	}
	if *report >= 0 {
		unix.CloseOnExec(*report)
	}
	err := become(flags.Args())
	if *report >= 0 {
		f := os.NewFile(uintptr(*report), "report")
		fmt.Fprint(f, err)
		f.Close()
	}
	return err
}

// become replaces this process by argv, without capabilities.
//
// With an empty permitted set alone, the kernel would give all capabilities of
// the bounding set back to a program run by uid 0. With no_new_privs it
// intersects what uid 0 would gain with what the process had: nothing.
func become(argv []string) error {
	if len(argv) == 0 {
		return errors.New("no program to run was given")
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("cannot run %s: %w", argv[0], err)
	}
	runtime.LockOSThread() // capabilities and no_new_privs belong to a thread
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&head, &none[0]); err != nil {
		return fmt.Errorf("giving up capabilities: %w", err)
	}
	if err := syscall.Exec(path, argv, os.Environ()); err != nil {
		return fmt.Errorf("cannot run %s: %w", path, err)
	}
	return nil
}
