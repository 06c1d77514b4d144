package agent

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

const (
	// serverScore is a server's oom_score_adj: when memory runs out and nothing
	// was said of who goes first, the kernel takes the server and not the agent.
	serverScore = 500
	// agentScore is the agent's own, where the right to set it was kept for it.
	agentScore = -1000
)

// isolation is what a server is held to, as far as this machine lets it.
type isolation struct {
	uid       int // of the server; 0: the agent's own
	processes int // of the server's user at once, threads included; 0: no limit
	// fence are the directories that a server may change which has the agent's
	// user; nil: it is not fenced in, be it that it has a user of its own or that
	// the kernel cannot.
	fence  []string
	weaker []string
}

// isolate finds out what a server can be held to here.
func isolate(want ServerRules) isolation {
	is := isolation{processes: want.Processes}
	if len(want.UIDs) > 0 {
		is.chooseUser(want)
	}
	if want.Processes != 0 {
		if err := processesBounded(cgroupRoot, selfCgroup); err != nil {
			is.weaker = append(is.weaker, fmt.Sprintf("no control group bounds the machine's processes, only the limit of the servers' user does: %v", err))
		}
	}
	return is
}

// chooseUser gives servers a user of their own, or else fences them in.
func (is *isolation) chooseUser(want ServerRules) {
	var why error
	for _, uid := range want.UIDs {
		if why = mayBecome(uid); why == nil {
			is.uid = uid
			return
		}
	}
	const same = "servers have the agent's user"
	if err := mayFence(); err != nil {
		is.weaker = append(is.weaker, fmt.Sprintf("%s, and could end it, or have it killed first for want of memory: %v; and %v", same, why, err))
		return
	}
	is.fence = []string{want.DataDir, "/tmp", "/dev/shm"}
	is.weaker = append(is.weaker, fmt.Sprintf("%s, and Landlock alone keeps them from it: %v", same, why))
}

// mayBecome says why a child of this process cannot have another user.
func mayBecome(uid int) error {
	for _, file := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !mapped(string(text), uid) {
			return fmt.Errorf("there is no user %d in %s (run squall as root, or take an engine whose user namespaces have 65,536 users)", uid, file)
		}
	}
	caps, err := statusField("self", "CapEff")
	if err != nil {
		return err
	}
	bits, err := strconv.ParseUint(caps, 16, 64)
	if err != nil {
		return fmt.Errorf("capability set %q: %w", caps, err)
	}
	for _, c := range []int{unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_KILL} {
		if bits&(1<<c) == 0 {
			return errors.New("the agent lacks one of the capabilities SETUID, SETGID and KILL: let the engine give them to containers")
		}
	}
	return nil
}

// mapped reports whether a uid_map or gid_map, whose lines are "inside outside
// count", has an id.
func mapped(text string, id int) bool {
	for line := range strings.Lines(text) {
		var inside, outside, count int64
		if n, _ := fmt.Sscan(line, &inside, &outside, &count); n == 3 && int64(id) >= inside && int64(id) < inside+count {
			return true
		}
	}
	return false
}

// processesBounded says why no control group bounds the machine's processes.
func processesBounded(root, self string) error {
	dir, _, err := findGroup(root, self, "pids", "pids.max")
	if err != nil {
		return errors.New("it has none with the controller pids (run squall as root, or where systemd delegates it)")
	}
	limit, err := readNumber(dir, "pids.max")
	if err != nil {
		return err
	}
	if limit == 0 {
		return fmt.Errorf("pids.max of %s is not set", dir)
	}
	return nil
}

// args are the arguments of Exec that hold a server to this. kept are the file
// descriptors beyond stderr that are the server's.
func (is isolation) args(kept []int) []string {
	fds := make([]string, len(kept))
	for i, fd := range kept {
		fds[i] = strconv.Itoa(fd)
	}
	args := []string{"-server", "-uid", strconv.Itoa(is.uid), "-processes", strconv.Itoa(is.processes),
		"-keep", strings.Join(fds, ",")}
	for _, dir := range is.fence {
		args = append(args, "-fence", dir)
	}
	return args
}

// report is this for the orchestrator.
func (is isolation) report() protocol.Isolation {
	return protocol.Isolation{UID: is.uid, Processes: is.processes, Weaker: is.weaker}
}

// protectSelf keeps what shares this machine from process 1: nothing of its
// user can trace it, or open its files, memory and pipes through /proc. It also
// gives the server its directory. An agent that is not alone leaves its process
// as it is.
func protectSelf(rules ServerRules, uid int) error {
	if os.Getpid() != 1 {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("protecting the agent's memory: %w", err)
	}
	setScore(agentScore) // refused as a rule; then the server's stands above it all the same
	if err := giveAway(rules.DataDir, uid); err != nil {
		return err
	}
	return giveUp(unix.CAP_CHOWN)
}

// giveAway makes a directory the server's.
func giveAway(dir string, uid int) error {
	if dir == "" || uid == 0 {
		return nil
	}
	var at unix.Stat_t
	if err := unix.Stat(dir, &at); err != nil {
		return fmt.Errorf("looking whose %s is: %w", dir, err)
	}
	if int(at.Uid) == uid && int(at.Gid) == uid {
		return nil
	}
	if err := os.Chown(dir, uid, uid); err != nil {
		return fmt.Errorf("giving the data directory to the server's user: %w", err)
	}
	return nil
}

// giveUp gives up a capability in every thread of this process, if it has it.
func giveUp(capability int) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&head, &sets[0]); err != nil {
		return fmt.Errorf("reading capabilities: %w", err)
	}
	set, bit := &sets[capability/32], uint32(1)<<(capability%32)
	if set.Permitted&bit == 0 {
		return nil
	}
	set.Permitted &^= bit
	set.Effective &^= bit
	set.Inheritable &^= bit
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&sets[0])), 0)
	if errno != 0 {
		return fmt.Errorf("giving up capability %d: %w", capability, errno)
	}
	return nil
}

// setScore sets this process's oom_score_adj. To lower it may be refused.
func setScore(score int) {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(score)), 0)
}

// raiseScore sets this process's oom_score_adj, unless it is above that already.
// A process with CAP_SYS_RESOURCE also loses thereby the right to go back below.
func raiseScore(score int) error {
	text, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return err
	}
	if now, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && now > score {
		return nil
	}
	return os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(score)), 0)
}

// asUser does something to files as a user would, in a thread of its own: /proc
// gives the files of a process to the process's user alone.
func asUser(uid int, do func() error) error {
	if uid == 0 {
		return do()
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		if _, _, errno := syscall.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0); errno != 0 {
			result <- fmt.Errorf("acting as the server's user: %w", errno)
			return
		}
		result <- do()
	}()
	return <-result
}
