package agent

import (
	"fmt"
	"unsafe"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// forbidden are the system calls that no server has a need for, and through
// which it could change the machine, the host or another process, or reach into
// rarely used parts of the kernel. It is what Docker's default profile forbids
// to a container without capabilities, so that a server meets the same rules in
// both runtimes. They fail with EPERM.
func forbidden() []string {
	return []string{
		// File systems and namespaces.
		"chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
		"open_tree", "pivot_root", "quotactl", "quotactl_fd", "setns", "statmount", "listmount",
		"umount2", "unshare", "open_by_handle_at", "swapon", "swapoff",
		// Other processes.
		"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp", "pidfd_getfd",
		// The kernel and the host.
		"acct", "add_key", "bpf", "create_module", "delete_module", "fanotify_init", "finit_module",
		"get_kernel_syms", "get_mempolicy", "init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load",
		"keyctl", "lookup_dcookie", "mbind", "migrate_pages", "move_pages", "nfsservctl", "perf_event_open",
		"query_module", "reboot", "request_key", "set_mempolicy", "set_mempolicy_home_node", "syslog", "sysfs",
		"_sysctl", "uselib", "userfaultfd", "ustat", "vhangup", "vm86", "vm86old",
		// The clock.
		"adjtimex", "clock_adjtime", "clock_settime", "settimeofday",
		// The name of the machine.
		"sethostname", "setdomainname",
	}
}

// absent are system calls that programs try and do without where the kernel is
// too old for them. They fail with ENOSYS, as there. clone3 has its flags where
// a filter cannot see them; the C library then calls clone.
func absent() []string {
	return []string{"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"}
}

// newNamespaces are the flags of clone that make namespaces. Most give
// capabilities that the machine did not give.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// serverFilter is the filter of a server's system calls on this architecture.
func serverFilter() ([]bpf.Instruction, error) {
	on, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("making the filter of system calls: %w", err)
	}
	policy := seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{
			{Names: known(forbidden(), on), Action: failWith(unix.EPERM)},
			{Names: known(absent(), on), Action: failWith(unix.ENOSYS)},
			// Conditions stand last: after them the filter has an argument where it
			// had the number.
			{NamesWithCondtions: []seccomp.NameWithConditions{{Name: "clone", Conditions: seccomp.ArgumentConditions{
				{Argument: 0, Operation: seccomp.BitsSet, Value: newNamespaces}}}}, Action: failWith(unix.EPERM)},
			// Limits of another process, and be it the agent's.
			{NamesWithCondtions: []seccomp.NameWithConditions{{Name: "prlimit64", Conditions: seccomp.ArgumentConditions{
				{Argument: 0, Operation: seccomp.NotEqual, Value: 0}}}}, Action: failWith(unix.EPERM)},
			// No network namespace holds these back: they lead to the host of a
			// virtual computer.
			{NamesWithCondtions: []seccomp.NameWithConditions{{Name: "socket", Conditions: seccomp.ArgumentConditions{
				{Argument: 0, Operation: seccomp.Equal, Value: unix.AF_VSOCK}}}}, Action: failWith(unix.EPERM)},
		},
	}
	program, err := policy.Assemble()
	if err != nil {
		return nil, fmt.Errorf("making the filter of system calls: %w", err)
	}
	// The library lets everything pass that comes by another door, such as the
	// 32-bit calls of amd64, which have other numbers.
	return append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: seccompArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(on.ID), SkipTrue: 1},
		bpf.RetConstant{Val: uint32(failWith(unix.ENOSYS))},
	}, program...), nil
}

// seccompArch is where struct seccomp_data has the architecture.
const seccompArch = 4

func failWith(errno unix.Errno) seccomp.Action { return seccomp.ActionErrno | seccomp.Action(errno) }

// known are the names that an architecture has: some are of amd64 alone.
func known(names []string, on *arch.Info) []string {
	var here []string
	for _, name := range names {
		if _, ok := on.SyscallNames[name]; ok {
			here = append(here, name)
		}
	}
	return here
}

// filterCalls puts this thread, and what it becomes, under the filter, for good.
// no_new_privs must be set.
func filterCalls() error {
	program, err := serverFilter()
	if err != nil {
		return err
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("making the filter of system calls: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	all := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&all)), 0, 0)
	if err != nil {
		return fmt.Errorf("filtering system calls: %w", err)
	}
	return nil
}
