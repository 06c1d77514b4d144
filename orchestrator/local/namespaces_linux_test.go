package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"squall/internal/machinetest"
)

func stop(pid int) error { return unix.Kill(pid, unix.SIGSTOP) }

// smallDisk is a directory on a file system that is full.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4k,nr_inodes=2"); err != nil {
		machinetest.Skipf(t, "a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	if err := os.WriteFile(filepath.Join(dir, "all"), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestReason has an answer for every way in which a kernel refuses.
func TestReason(t *testing.T) {
	for _, c := range []struct {
		text         string
		switches     map[string]int
		unprivileged bool
		want         string
	}{
		{"making namespaces: no space left on device", map[string]int{"user.max_user_namespaces": 0}, true, "sudo sysctl user.max_user_namespaces="},
		{"making namespaces: operation not permitted", map[string]int{"kernel.unprivileged_userns_clone": 0}, true, "sudo sysctl kernel.unprivileged_userns_clone=1"},
		{"making namespaces: permission denied", map[string]int{"kernel.apparmor_restrict_unprivileged_userns": 1}, true,
			"sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
		{"making namespaces: operation not permitted", map[string]int{"kernel.unprivileged_userns_clone": 1}, true, "--cap-add SYS_ADMIN"},
		{"making namespaces: permission denied", nil, false, "--security-opt apparmor=unconfined"},
		{"mounting the machine's /proc: operation not permitted", nil, true, "parts of /proc are covered"},
		{"making the cluster's bridge: operation not supported", nil, false, "sudo modprobe bridge"},
		{"plugging it into the bridge: operation not supported", nil, false, "sudo modprobe veth"},
		{"making the run's folder: no space left on device", map[string]int{"user.max_user_namespaces": 96364}, false, "XDG_CACHE_HOME"},
		{"memory: a limit cannot be set here: mkdir /sys/fs/cgroup/memory/squall: permission denied", nil, true, ""},
		{"machine n1: exit status 3", nil, false, ""},
	} {
		read := func(name string) (int, bool) { n, ok := c.switches[name]; return n, ok }
		got := reason(c.text, read, c.unprivileged)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s with %v: %q, want %q", c.text, c.switches, got, c.want)
		}
	}
}

// TestNamespacesSwitchedOff asks the kernel itself, in a user namespace, whose
// switch is its own.
func TestNamespacesSwitchedOff(t *testing.T) {
	if os.Getenv("SQUALL_TEST_INSIDE") == "" {
		inside := exec.Command("/proc/self/exe", "-test.run", "^TestNamespacesSwitchedOff$", "-test.v")
		inside.Env = append(os.Environ(), "SQUALL_TEST_INSIDE=1")
		inside.SysProcAttr = inNamespaces(true)
		out, err := inside.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v:\n%s", err, out)
		}
		return
	}
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	_, err := New(Options{Unprivileged: true})
	if err == nil || !strings.Contains(err.Error(), "sudo sysctl user.max_user_namespaces=") {
		t.Errorf("got %v, want the command that switches them on", err)
	}
}

func TestMissingDevices(t *testing.T) {
	if err := missingDevices("/dev"); err != nil {
		t.Error(err)
	}
	dev := t.TempDir()
	if err := os.WriteFile(filepath.Join(dev, "null"), nil, 0o666); err != nil { // what a careless redirection leaves
		t.Fatal(err)
	}
	want := "sudo mknod -m 666 " + filepath.Join(dev, "null") + " c 1 3"
	if err := missingDevices(dev); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
