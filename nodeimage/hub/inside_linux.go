package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"squall/nodeimage/hub/protocol"
)

// insideConfig is what a machine is told of itself.
type insideConfig struct {
	protocol.Config
	Machine protocol.Machine `json:"machine"` // which of them it is
	Binary  string           `json:"binary"`  // squall-node as the hub sees it
	Groups  []groupMount     `json:"groups"`  // its control groups
}

// groupMount is a control group of the machine, as the hub sees it, and where
// the machine does.
type groupMount struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// agentScore is the oom_score_adj of the agent, where it may be set: the kernel
// never kills it for want of memory. The agent sets that of others itself.
const agentScore = "-1000"

// Inside is how a machine begins: in namespaces that the hub has made for it,
// this process builds its file system, waits for its network, gives up all
// capabilities but the agent's, and becomes the agent. On success it does not return;
// an error also goes to the hub.
func Inside(args []string) error {
	unix.CloseOnExec(wiredFD)
	unix.CloseOnExec(reportFD)
	err := becomeMachine(args)
	report := os.NewFile(reportFD, "report")
	fmt.Fprint(report, err)
	report.Close()
	return err
}

func becomeMachine(args []string) error {
	if len(args) != 1 {
		return errors.New("one argument is wanted, which only the hub knows")
	}
	var c insideConfig
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return fmt.Errorf("reading what machine to be: %w", err)
	}
	if err := enterRoot(c); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(c.Machine.Name)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	wired := os.NewFile(wiredFD, "wired")
	if _, err := io.ReadAll(wired); err != nil {
		return fmt.Errorf("waiting for the network: %w", err)
	}
	if err := configureLeg(c.Machine.Addr, c.Network); err != nil {
		return err
	}
	return becomeAgent(c.BinaryPath, c.Machine)
}

// becomeAgent replaces this process by the agent.
func becomeAgent(binary string, m protocol.Machine) error {
	runtime.LockOSThread() // capabilities belong to a thread
	keep := []uint{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_KILL}
	if m.Disk {
		keep = append(keep, unix.CAP_SYS_ADMIN) // the agent gives it up once it has mounted
	}
	if os.WriteFile("/proc/self/oom_score_adj", []byte(agentScore), 0) == nil {
		// A child that puts itself above that again needs the right to, or the
		// kernel would let it go back.
		keep = append(keep, unix.CAP_SYS_RESOURCE)
	}
	if err := keepOnly(keep...); err != nil {
		return err
	}
	argv := append([]string{binary, "agent"}, m.Agent...)
	if err := syscall.Exec(argv[0], argv, []string{"PATH=/", "HOME=/"}); err != nil {
		return fmt.Errorf("starting the agent: %w", err)
	}
	return nil
}

// keepOnly gives up every capability but these, for good: also what this process
// becomes, and its children, cannot have another. One of these that it does not
// have, it does without.
func keepOnly(capabilities ...uint) error {
	for c := uint(0); c <= unix.CAP_LAST_CAP; c++ {
		if slices.Contains(capabilities, c) {
			continue
		}
		// EINVAL: an older kernel does not know it, so there is nothing to give up.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("giving up capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had, sets [2]unix.CapUserData
	if err := unix.Capget(&head, &had[0]); err != nil {
		return fmt.Errorf("reading capabilities: %w", err)
	}
	for _, c := range capabilities {
		sets[c/32].Permitted |= had[c/32].Permitted & (1 << (c % 32))
	}
	for i := range sets {
		sets[i].Effective = sets[i].Permitted
	}
	if err := unix.Capset(&head, &sets[0]); err != nil {
		return fmt.Errorf("giving up capabilities: %w", err)
	}
	return nil
}
