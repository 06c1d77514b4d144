package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// mono is CLOCK_MONOTONIC in nanoseconds. All machines of a host share it.
func mono() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // cannot be: every Linux has this clock
	}
	return ts.Nano()
}

// bootID identifies the running kernel; "" where /proc does not tell.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// stat is what the agent wants of /proc/PID/stat.
type stat struct {
	state byte // R, S, D, T, Z …
	ppid  int
	flags uint64 // PF_… of the kernel
}

// readStat reads a stat file, be it a process's or a thread's.
func readStat(path string) (stat, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return stat{}, err
	}
	// The command's name is in parentheses and may hold any byte, blanks and
	// parentheses too; what follows the last one is the rest.
	_, rest, ok := bytes.Cut(data[max(0, bytes.LastIndexByte(data, ')')):], []byte(") "))
	fields := bytes.Fields(rest)
	if !ok || len(fields) < 7 || len(fields[0]) != 1 {
		return stat{}, fmt.Errorf("%s: unexpected form %q", path, data)
	}
	ppid, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return stat{}, fmt.Errorf("%s: %w", path, err)
	}
	flags, err := strconv.ParseUint(string(fields[6]), 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("%s: %w", path, err)
	}
	return stat{state: fields[0][0], ppid: ppid, flags: flags}, nil
}

// pausedState is T when every thread of the process is stopped, else the state
// of one that is not. The error is ErrNotRunning for a process that is dead.
func pausedState(pid int) (byte, error) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return 0, deadOr(err)
	}
	state := byte('T')
	for _, task := range tasks {
		st, err := readStat(dir + "/" + task.Name() + "/stat")
		switch {
		case isGone(err):
			continue // this thread ended in between
		case err != nil:
			return 0, err
		case st.state == 'Z' || st.state == 'X':
			if task.Name() == strconv.Itoa(pid) {
				return 0, protocol.ErrNotRunning
			}
		case st.state != 'T':
			state = st.state
		}
	}
	return state, nil
}

func isGone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

func deadOr(err error) error {
	if isGone(err) {
		return protocol.ErrNotRunning
	}
	return err
}

// statusField is the value of a line of /proc/PID/status; pid may be "self".
func statusField(pid, field string) (string, error) {
	data, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("/proc/%s/status has no %s", pid, field)
}

// capNames turns a capability set out of /proc into names, sorted. A bit that
// has no name here is given by number.
func capNames(hex string) ([]string, error) {
	bits, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return nil, fmt.Errorf("capability set %q: %w", hex, err)
	}
	known := map[int]string{
		unix.CAP_CHOWN: "CHOWN", unix.CAP_DAC_OVERRIDE: "DAC_OVERRIDE", unix.CAP_FOWNER: "FOWNER",
		unix.CAP_FSETID: "FSETID", unix.CAP_KILL: "KILL", unix.CAP_SETGID: "SETGID",
		unix.CAP_SETUID: "SETUID", unix.CAP_SETPCAP: "SETPCAP", unix.CAP_NET_BIND_SERVICE: "NET_BIND_SERVICE",
		unix.CAP_NET_ADMIN: "NET_ADMIN", unix.CAP_NET_RAW: "NET_RAW", unix.CAP_SYS_CHROOT: "SYS_CHROOT",
		unix.CAP_SYS_PTRACE: "SYS_PTRACE", unix.CAP_SYS_ADMIN: "SYS_ADMIN", unix.CAP_SYS_RESOURCE: "SYS_RESOURCE",
		unix.CAP_SYS_TIME: "SYS_TIME", unix.CAP_MKNOD: "MKNOD", unix.CAP_AUDIT_WRITE: "AUDIT_WRITE",
		unix.CAP_SETFCAP: "SETFCAP", unix.CAP_BPF: "BPF",
	}
	names := []string{}
	for bit := range 64 {
		if bits&(1<<bit) == 0 {
			continue
		}
		name, ok := known[bit]
		if !ok {
			name = "CAP_" + strconv.Itoa(bit)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}
