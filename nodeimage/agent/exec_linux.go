package agent

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// execution is what Exec is asked to do.
type execution struct {
	report    int      // file descriptor that takes an error; below 0: none
	server    bool     // the program is a server: not trusted
	uid       int      // of the server; 0: as it is
	processes int      // of the server's user; 0: no limit
	keep      []int    // file descriptors of the server beyond stderr
	fence     []string // the only directories that the server may change; nil: there is no fence
	argv      []string
}

func parseExecution(args []string) (execution, error) {
	var x execution
	var keep string
	flags := flag.NewFlagSet("exec", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&x.report, "report", -1, "file descriptor that takes an error")
	flags.BoolVar(&x.server, "server", false, "hold the program to what a server may do")
	flags.IntVar(&x.uid, "uid", 0, "user and group of the server")
	flags.IntVar(&x.processes, "processes", 0, "how many processes and threads the server's user may have")
	flags.StringVar(&keep, "keep", "", "file descriptors of the server beyond stderr, with commas between them")
	flags.Func("fence", "a directory that the server may change, and no other", func(dir string) error {
		x.fence = append(x.fence, dir)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return x, fmt.Errorf("exec: %w", err)
	}
	for word := range strings.SplitSeq(keep, ",") {
		if word == "" {
			continue
		}
		fd, err := strconv.Atoi(word)
		if err != nil {
			return x, fmt.Errorf("exec: -keep: %w", err)
		}
		x.keep = append(x.keep, fd)
	}
	x.argv = flags.Args()
	return x, nil
}

// Exec gives up every capability for good and becomes the program named by
// args: [-report FD] [-server …] -- argv… On success it does not return. On
// failure it also writes the error to the file descriptor FD, which otherwise
// closes when the program takes over; so the agent learns which of the two it was.
//
// A server is not trusted: it also gets a user of its own, no more processes
// than it may have, no file descriptor but its own, and a filter of its system
// calls. docs/isolation.md says what that leaves it.
func Exec(args []string) error {
	x, err := parseExecution(args)
	if err != nil {
		return err
	}
	if err = x.closeRest(); err == nil {
		err = x.become()
	}
	if x.report >= 0 {
		f := os.NewFile(uintptr(x.report), "report")
		fmt.Fprint(f, err)
		f.Close()
	}
	return err
}

// closeRest has all file descriptors end with this program, except for those of
// the next one. Those of a squall's caller may be among them, and others that
// nobody thought of.
func (x execution) closeRest() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) { // older than Linux 5.11, or than a container's filter knows
		err = closeOneByOne()
	}
	if err != nil {
		return fmt.Errorf("closing file descriptors: %w", err)
	}
	for _, fd := range x.keep {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("keeping file descriptor %d: %w", fd, err)
		}
	}
	return nil
}

func closeOneByOne() error {
	open, err := filepath.Glob("/proc/self/fd/[0-9]*")
	if err != nil {
		return err
	}
	for _, path := range open {
		if fd, err := strconv.Atoi(filepath.Base(path)); err == nil && fd > unix.Stderr {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// become replaces this process by the program, without capabilities.
//
// With an empty permitted set alone, the kernel would give all capabilities of
// the bounding set back to a program run by uid 0. With no_new_privs it
// intersects what uid 0 would gain with what the process had: nothing.
func (x execution) become() error {
	if len(x.argv) == 0 {
		return errors.New("no program to run was given")
	}
	path, err := exec.LookPath(x.argv[0])
	if err != nil {
		return fmt.Errorf("cannot run %s: %w", x.argv[0], err)
	}
	runtime.LockOSThread() // capabilities, no_new_privs and the filter belong to a thread
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	if err := x.change(); err != nil {
		return err
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&head, &none[0]); err != nil {
		return fmt.Errorf("giving up capabilities: %w", err)
	}
	if x.fence != nil {
		if err := fenceIn(x.fence); err != nil {
			return err
		}
	}
	if x.server {
		if err := filterCalls(); err != nil {
			return err
		}
	}
	if err := syscall.Exec(path, x.argv, os.Environ()); err != nil {
		return fmt.Errorf("cannot run %s: %w", path, err)
	}
	return nil
}

// change does what needs capabilities, or files that only the agent's user may
// write.
func (x execution) change() error {
	score := 0
	if x.server {
		score = serverScore
	}
	if err := raiseScore(score); err != nil {
		return fmt.Errorf("saying who is killed first when memory runs out: %w", err)
	}
	if x.processes > 0 {
		most := &unix.Rlimit{Cur: uint64(x.processes), Max: uint64(x.processes)}
		if err := unix.Setrlimit(unix.RLIMIT_NPROC, most); err != nil {
			return fmt.Errorf("limiting processes to %d: %w", x.processes, err)
		}
	}
	if x.uid == 0 {
		return nil
	}
	err := syscall.Setgroups(nil)
	if err == nil {
		err = syscall.Setresgid(x.uid, x.uid, x.uid)
	}
	if err == nil {
		err = syscall.Setresuid(x.uid, x.uid, x.uid)
	}
	if err != nil {
		return fmt.Errorf("becoming user %d: %w", x.uid, err)
	}
	return nil
}
