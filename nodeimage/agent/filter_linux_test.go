package agent

import (
	"encoding/binary"
	"slices"
	"testing"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// filtered is what the filter says of a call that comes by the door of an
// architecture.
func filtered(t *testing.T, by *arch.Info, number int, args ...uint64) seccomp.Action {
	t.Helper()
	program, err := serverFilter()
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	// This is struct seccomp_data, each word of which the machine here reads with
	// the other end first.
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data, uint32(number))
	binary.BigEndian.PutUint32(data[4:], uint32(by.ID))
	for i, arg := range args {
		binary.BigEndian.PutUint32(data[16+8*i:], uint32(arg))
		binary.BigEndian.PutUint32(data[20+8*i:], uint32(arg>>32))
	}
	n, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return seccomp.Action(uint32(n))
}

func here(t *testing.T) *arch.Info {
	t.Helper()
	a, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFilterForbidsByName(t *testing.T) {
	a := here(t)
	for number, name := range a.SyscallNumbers {
		want := seccomp.ActionAllow
		switch {
		case slices.Contains(forbidden(), name), name == "prlimit64": // that, of another process
			want = failWith(unix.EPERM)
		case slices.Contains(absent(), name):
			want = failWith(unix.ENOSYS)
		}
		if got := filtered(t, a, number, 1); got != want {
			t.Errorf("%s: %#x, want %#x", name, uint32(got), uint32(want))
		}
	}
}

// A name that no architecture has is a slip of the pen, which known would hide.
func TestFilterNamesAreRight(t *testing.T) {
	for _, name := range append(forbidden(), absent()...) {
		if !slices.ContainsFunc([]*arch.Info{arch.X86_64, arch.AARCH64, arch.I386}, func(a *arch.Info) bool { _, ok := a.SyscallNames[name]; return ok }) {
			t.Errorf("no architecture has a call %s", name)
		}
	}
}

func TestFilterLooksAtArguments(t *testing.T) {
	a := here(t)
	for _, test := range []struct {
		name string
		args []uint64
		want seccomp.Action
	}{
		{"clone", []uint64{unix.CLONE_VM | unix.CLONE_VFORK | unix.CLONE_PIDFD | uint64(unix.SIGCHLD)}, seccomp.ActionAllow},
		{"clone", []uint64{unix.CLONE_VM | unix.CLONE_THREAD | unix.CLONE_SIGHAND | unix.CLONE_FS}, seccomp.ActionAllow},
		{"clone", []uint64{unix.CLONE_NEWUSER | uint64(unix.SIGCHLD)}, failWith(unix.EPERM)},
		{"clone", []uint64{unix.CLONE_NEWNET | unix.CLONE_NEWNS}, failWith(unix.EPERM)},
		{"socket", []uint64{unix.AF_INET}, seccomp.ActionAllow},
		{"socket", []uint64{unix.AF_UNIX}, seccomp.ActionAllow},
		{"socket", []uint64{unix.AF_VSOCK}, failWith(unix.EPERM)},
		{"prlimit64", []uint64{0, unix.RLIMIT_NOFILE}, seccomp.ActionAllow},
		{"prlimit64", []uint64{1, unix.RLIMIT_NOFILE}, failWith(unix.EPERM)},
	} {
		if got := filtered(t, a, a.SyscallNames[test.name], test.args...); got != test.want {
			t.Errorf("%s%v: %#x, want %#x", test.name, test.args, uint32(got), uint32(test.want))
		}
	}
}

// The same calls have other numbers where another door leads into the kernel.
func TestFilterHasNoOtherDoor(t *testing.T) {
	doors := map[string]struct {
		by     *arch.Info
		number int
	}{
		"a 32-bit call of amd64": {arch.I386, arch.I386.SyscallNames["mount"]},
		"a 32-bit call of arm64": {arch.ARM, arch.ARM.SyscallNames["mount"]},
	}
	if a := here(t); a == arch.X86_64 {
		doors["an x32 call"] = struct {
			by     *arch.Info
			number int
		}{a, arch.X32.SeccompMask | a.SyscallNames["mount"]}
	}
	for name, door := range doors {
		if got := filtered(t, door.by, door.number); got != failWith(unix.ENOSYS) {
			t.Errorf("%s: %#x, want ENOSYS", name, uint32(got))
		}
	}
}
