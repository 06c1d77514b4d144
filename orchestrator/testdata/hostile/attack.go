package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attack tells who this is, tries everything, and then prints its stdin.
func attack() {
	tell()
	for _, a := range attacks() {
		if err := a.try(); err != nil {
			fmt.Printf("%s: refused: %v\n", a.name, err)
		} else {
			fmt.Printf("%s: DONE\n", a.name)
		}
	}
	fmt.Println("that is all")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(lines.Text())
	}
}

// tell prints what the kernel says of this process, and what it has open.
func tell() {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		for _, name := range []string{"Uid:", "Gid:", "Groups:", "Seccomp:", "NoNewPrivs:", "CapEff:", "CapPrm:", "CapBnd:"} {
			if strings.HasPrefix(line, name) {
				fmt.Print("status ", line)
			}
		}
	}
	open, _ := filepath.Glob("/proc/self/fd/*")
	for _, path := range open {
		if to, err := os.Readlink(path); err == nil {
			fmt.Printf("open %s %s\n", filepath.Base(path), to)
		}
	}
	score, _ := os.ReadFile("/proc/self/oom_score_adj")
	fmt.Printf("score %s", score)
	var most unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_NPROC, &most)
	fmt.Printf("processes %d\n", most.Max)
}

type trial struct {
	name string
	try  func() error
}

func attacks() []trial {
	return append(append(append(fileAttacks(), agentAttacks()...), kernelAttacks()...),
		trial{"allowed: a file in the data directory", func() error { return os.WriteFile("/data/mine", nil, 0o644) }},
		trial{"allowed: a file in the temporary directory", func() error { return os.WriteFile("/tmp/mine", nil, 0o644) }},
		trial{"allowed: a program of its own", func() error { return exec.Command("/squall-node", "fill").Run() }},
	)
}

func write(path, text string) func() error {
	return func() error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteString(text)
		return err
	}
}

func fileAttacks() []trial {
	make := func(path string) func() error { return func() error { return os.WriteFile(path, nil, 0o755) } }
	return []trial{
		{"write to /", make("/evil")},
		{"write to /etc", make("/etc/evil")},
		{"write to /dev", make("/dev/evil")},
		{"make a directory in /", func() error { return os.Mkdir("/evil", 0o755) }},
		{"overwrite squall-node", write("/squall-node", "x")},
		{"remove squall-node", func() error { return os.Remove("/squall-node") }},
		{"change the mode of squall-node", func() error { return os.Chmod("/squall-node", 0o6777) }},
		{"replace squall-node", func() error {
			if err := os.WriteFile("/data/evil", []byte("#!/evil"), 0o755); err != nil {
				return nil // that it may
			}
			return os.Rename("/data/evil", "/squall-node")
		}},
		{"make a device", func() error { return unix.Mknod("/data/mem", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 1))) }},
		{"change a setting of the kernel", write("/proc/sys/kernel/hostname", "evil")},
		{"trigger the kernel", write("/proc/sysrq-trigger", "h")},
		{"lift its limits", func() error {
			files, _ := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
			files = append(files, "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max")
			for _, file := range files {
				if err := write(file, "0")(); err == nil {
					return nil
				}
			}
			return errors.New("no control group can be written to")
		}},
		{"make a link to the host's root", func() error {
			return unix.Mount("/", "/tmp", "", unix.MS_BIND, "")
		}},
	}
}

func agentAttacks() []trial {
	return []trial{
		{"signal the agent", func() error { return unix.Kill(1, 0) }},
		{"end the agent", func() error { return unix.Kill(1, unix.SIGTERM) }},
		{"crash a thread of the agent", func() error {
			threads, err := filepath.Glob("/proc/1/task/*")
			if err != nil || len(threads) == 0 {
				return errors.New("it shows no thread")
			}
			var tid int
			if _, err := fmt.Sscan(filepath.Base(threads[len(threads)-1]), &tid); err != nil {
				return err
			}
			return unix.Tgkill(1, tid, 0)
		}},
		{"trace the agent", func() error { return unix.PtraceAttach(1) }},
		{"read the agent's memory", open("/proc/1/mem")},
		{"read the agent's environment", open("/proc/1/environ")},
		{"list the agent's files", func() error { _, err := os.ReadDir("/proc/1/fd"); return err }},
		{"write to the agent's stdout", write("/proc/1/fd/1", "x")},
		{"read the agent's stdin", open("/proc/1/fd/0")},
		{"enter the agent's root", open("/proc/1/root/data")},
		{"let the agent die first", write("/proc/1/oom_score_adj", "1000")},
		{"let the agent be short of files", func() error {
			return unix.Prlimit(1, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 3}, nil)
		}},
		{"take the agent's port", func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			return unix.Bind(fd, &unix.SockaddrInet4{Port: 4199, Addr: [4]byte{127, 0, 0, 1}})
		}},
	}
}

func open(path string) func() error {
	return func() error {
		f, err := os.Open(path)
		if err == nil {
			f.Close()
		}
		return err
	}
}

func kernelAttacks() []trial {
	zero := uintptr(unsafe.Pointer(new([256]byte)))
	all := []trial{
		{"become root", func() error {
			if os.Getuid() == 0 && os.Geteuid() == 0 {
				sets := [2]unix.CapUserData{{Effective: 1 << unix.CAP_SYS_ADMIN, Permitted: 1 << unix.CAP_SYS_ADMIN}}
				return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &sets[0])
			}
			return syscall.Setresuid(0, 0, 0)
		}},
		{"clone a user namespace", func() error { return inNew(syscall.CLONE_NEWUSER) }},
		{"clone a network namespace", func() error { return inNew(syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER) }},
		{"capture packets", func() error { return socket(unix.AF_PACKET, unix.SOCK_RAW) }},
		{"forge packets", func() error { return socket(unix.AF_INET, unix.SOCK_RAW) }},
		{"reach the host of the virtual computer", func() error { return socket(unix.AF_VSOCK, unix.SOCK_STREAM) }},
	}
	for name, call := range map[string][4]uintptr{
		"mount":           {unix.SYS_MOUNT, zero, zero, zero},
		"umount":          {unix.SYS_UMOUNT2, zero},
		"unshare":         {unix.SYS_UNSHARE, unix.CLONE_NEWUSER},
		"unshare mounts":  {unix.SYS_UNSHARE, unix.CLONE_NEWNS},
		"setns":           {unix.SYS_SETNS},
		"pivot_root":      {unix.SYS_PIVOT_ROOT, zero, zero},
		"chroot":          {unix.SYS_CHROOT, zero},
		"fsopen":          {unix.SYS_FSOPEN, zero},
		"bpf":             {unix.SYS_BPF},
		"keyctl":          {unix.SYS_KEYCTL},
		"add_key":         {unix.SYS_ADD_KEY, zero, zero},
		"perf_event_open": {unix.SYS_PERF_EVENT_OPEN, zero},
		"userfaultfd":     {unix.SYS_USERFAULTFD, 1},
		"io_uring_setup":  {unix.SYS_IO_URING_SETUP, 1, zero},
		"clone3":          {unix.SYS_CLONE3},
		"reboot":          {unix.SYS_REBOOT},
		"settimeofday":    {unix.SYS_SETTIMEOFDAY, zero},
		"clock_settime":   {unix.SYS_CLOCK_SETTIME, 0, zero},
		"kexec_load":      {unix.SYS_KEXEC_LOAD},
		"init_module":     {unix.SYS_INIT_MODULE, zero, 1, zero},
		"finit_module":    {unix.SYS_FINIT_MODULE},
		"swapon":          {unix.SYS_SWAPON, zero},
		"acct":            {unix.SYS_ACCT},
		"syslog":          {unix.SYS_SYSLOG, 10},
		"sethostname":     {unix.SYS_SETHOSTNAME, zero},
		"pidfd_getfd":     {unix.SYS_PIDFD_GETFD},
	} {
		all = append(all, trial{"call " + name, func() error {
			if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
				return errno
			}
			return nil
		}})
	}
	return all
}

func inNew(namespaces uintptr) error {
	cmd := exec.Command("/squall-node", "fill")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	return cmd.Run()
}

func socket(domain, kind int) error {
	fd, err := unix.Socket(domain, kind, unix.IPPROTO_UDP)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// fill writes to each directory until it is full, and prints how much went in,
// in bytes. It gives up at a GiB.
func fill(dirs []string) {
	piece := make([]byte, 1<<20)
	for _, dir := range dirs {
		f, err := os.Create(filepath.Join(dir, "filler"))
		var total int
		for err == nil && total < 1<<30 {
			var n int
			n, err = f.Write(piece)
			total += n
		}
		fmt.Printf("%s: %d bytes: %v\n", dir, total, err)
	}
	if len(dirs) > 0 {
		stay()
	}
}

// fork starts processes that do nothing until it may start no more, and prints
// how many there are. It gives up at 10,000.
func fork() {
	runtime.LockOSThread()
	n := 0
	var errno syscall.Errno
	for ; n < 10_000; n++ {
		var pid uintptr
		pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			break
		}
		if pid == 0 {
			for {
				_, _, _ = syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
			}
		}
	}
	fmt.Printf("forked %d: %v\n", n, errno)
	stay()
}

// stay keeps the process for longer than any test. Go ends one in which every goroutine
// waits for nothing: a deadlock.
func stay() { time.Sleep(time.Hour) }
