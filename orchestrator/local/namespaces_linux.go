package local

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipeSize is asked for the pipe that an agent's output comes through. What is
// not granted is no harm.
const pipeSize = 1 << 20

func enlarge(f *os.File) { _, _ = unix.FcntlInt(f.Fd(), unix.F_SETPIPE_SZ, pipeSize) }

// inNamespaces is how a hub is started. Its session of its own keeps a Ctrl-C
// at the terminal from it: that is squall's to handle.
func inNamespaces(unprivileged bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setsid:     true,
	}
	if unprivileged {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// closeInherited keeps from every program that squall starts what it has itself
// inherited open, such as a file of the shell that called it: Go lets that pass
// on. What is handed to a program on purpose is not touched.
func closeInherited() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EPERM) {
		return err
	}
	// Older than Linux 5.11, or than the filter of a container knows.
	open, err := filepath.Glob("/proc/self/fd/[0-9]*")
	for _, path := range open {
		if fd, err := strconv.Atoi(filepath.Base(path)); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return err
}

// mayByItself reports whether this process may make namespaces without a user
// namespace, in which it would get the right to.
func mayByItself() bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&head, &sets[0]); err != nil {
		return false
	}
	const needed = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_SETPCAP
	return sets[0].Effective&needed == needed
}

func describe(unprivileged bool) string {
	if unprivileged {
		return "Linux namespaces in a user namespace"
	}
	return "Linux namespaces"
}

// tryNamespaces makes the namespaces of a hub, and a mount in them, with no
// program to run: what fails last is that. It takes about a millisecond.
func tryNamespaces(unprivileged bool) error {
	attr := inNamespaces(unprivileged)
	attr.Unshareflags = unix.CLONE_NEWNS // after which Go changes a mount
	const nothing = "/proc/self/nothing-to-run"
	_, err := syscall.ForkExec(nothing, []string{nothing}, &syscall.ProcAttr{Sys: attr})
	if !errors.Is(err, unix.ENOENT) {
		return explain(fmt.Errorf("making namespaces: %w", err), unprivileged)
	}
	return missingDevices("/dev")
}

// missingDevices looks for what every machine's /dev is made of.
func missingDevices(dev string) error {
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}} {
		var at unix.Stat_t
		path := filepath.Join(dev, d.name)
		if err := unix.Stat(path, &at); err != nil || at.Mode&unix.S_IFMT != unix.S_IFCHR || at.Rdev != unix.Mkdev(d.major, d.minor) {
			return fmt.Errorf("%s is missing: sudo mknod -m 666 %s c %d %d", path, path, d.major, d.minor)
		}
	}
	return nil
}

// explain adds to an error of the kernel which of its switches is the reason,
// and the command that turns it.
func explain(err error, unprivileged bool) error {
	if why := reason(err.Error(), readSwitch, unprivileged); why != "" {
		return fmt.Errorf("%w: %s", err, why)
	}
	return err
}

// readSwitch is the number in a file of /proc/sys, and whether there is one.
func readSwitch(name string) (int, bool) {
	text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return n, err == nil
}

// reason finds why the kernel refused. read gives the kernel's switches.
func reason(text string, read func(string) (int, bool), unprivileged bool) string {
	is := func(name string, value int) bool {
		n, ok := read(name)
		return ok && n == value
	}
	says := func(errnos ...error) bool {
		for _, e := range errnos {
			if strings.Contains(text, e.Error()) {
				return true
			}
		}
		return false
	}
	switch {
	case strings.Contains(text, "a limit cannot be set"): // and why was said
		return ""
	case says(unix.ENOSPC) && is("user.max_user_namespaces", 0):
		return "user namespaces are switched off: sudo sysctl user.max_user_namespaces=10000"
	case says(unix.ENOSPC, unix.EDQUOT):
		return "the disk is full: make room on it, or set XDG_CACHE_HOME to a directory on another"
	case !says(unix.EPERM, unix.EACCES):
		return kernelLacks(text)
	case unprivileged && is("kernel.unprivileged_userns_clone", 0):
		return "unprivileged user namespaces are switched off: sudo sysctl kernel.unprivileged_userns_clone=1"
	case unprivileged && is("kernel.apparmor_restrict_unprivileged_userns", 1):
		return "AppArmor restricts unprivileged user namespaces: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
	case strings.Contains(text, "mounting the machine's /proc"):
		return "parts of /proc are covered here, as in a container: run this container with --cap-add SYS_ADMIN --cap-add NET_ADMIN, squall in it as root"
	case !unprivileged:
		return "a security module forbids it, as in a container: run this container with --security-opt apparmor=unconfined"
	}
	return "this user may not make namespaces, as in a container: run it with --cap-add SYS_ADMIN --cap-add NET_ADMIN, or squall as root"
}

// kernelLacks names what the kernel has to have.
func kernelLacks(text string) string {
	if !strings.Contains(text, unix.EOPNOTSUPP.Error()) && !strings.Contains(text, unix.ENODEV.Error()) {
		return ""
	}
	switch {
	case strings.Contains(text, "the cluster's bridge"):
		return "the kernel lacks bridges: sudo modprobe bridge"
	case strings.Contains(text, "into the bridge"):
		return "the kernel lacks pairs of virtual interfaces: sudo modprobe veth"
	}
	return ""
}
