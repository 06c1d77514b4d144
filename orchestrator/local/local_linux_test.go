package local

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/internal/machinetest"
	"squall/nodeimage"
	"squall/nodeimage/hub/protocol"
	"squall/orchestrator/machines"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Waiting(m)) }

// open is a Runtime with a folder of its own. Where there can be none the test
// is skipped, but in CI it fails.
func open(t *testing.T) *Runtime {
	t.Helper()
	machinetest.Share(t)
	r, err := New(Options{Folder: t.TempDir()})
	if err != nil {
		machinetest.Missing(t, err)
	}
	return r
}

func spec(t *testing.T, names ...string) machines.ClusterSpec {
	t.Helper()
	bin, err := nodeimage.Build(t.Context(), nodeimage.BuildOptions{Arch: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	s := machines.ClusterSpec{Run: "test-" + strings.ToLower(rand.Text()[:10]), Binary: bin.Path, BinaryKey: bin.Key}
	for _, name := range names {
		s.Machines = append(s.Machines, machines.MachineSpec{Name: name})
	}
	return s
}

// entries are the names in a folder.
func entries(t *testing.T, folder string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		names = append(names, e.Name())
	}
	return names
}

// TestLostHub kills the hub, and the kernel all machines with it.
func TestLostHub(t *testing.T) {
	r := open(t)
	s := spec(t, "n1", "n2")
	s.Machines[0].Memory = 64 << 20 // so that there is a control group to be removed
	if os.Geteuid() != 0 {
		s.Machines[0].Memory = 0
	}
	up, err := r.Up(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	c := up.(*cluster)
	if err := c.hub.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"n1", "n2"} {
		m := c.Machine(name)
		if _, err := m.Control().Read(make([]byte, 1)); err == nil {
			t.Errorf("the agent of %s outlived the hub", name)
		}
		if death := m.Death(t.Context()); !strings.Contains(death, "the hub of the machines ended: signal: killed") {
			t.Errorf("%s died of %q", name, death)
		}
	}
	if err := c.Down(t.Context()); err != nil {
		t.Error(err)
	}
	if left := entries(t, r.folder); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	if groups, _ := filepath.Glob("/sys/fs/cgroup/*/squall-" + s.Run + "*"); len(groups) > 0 {
		t.Errorf("%q are left", groups)
	}
}

// Two runs may have one name. Neither takes the other's disks away, nor does
// cleaning while they are under way.
func TestSameRunTwice(t *testing.T) {
	r := open(t)
	s := spec(t, "n1")
	var both []*cluster
	for range 2 {
		c, err := r.Up(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Down(context.Background()) }()
		both = append(both, c.(*cluster))
	}
	if report, err := Clean(Options{Folder: r.folder}, s.Run); err != nil || report != (Report{InUse: 2}) {
		t.Errorf("cleaned %+v, %v, want both left alone", report, err)
	}
	if err := both[0].Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(both[1].folder.Disk("n1")); err != nil {
		t.Errorf("the second one's disk: %v", err)
	}
}

// A folder that is there already is somebody's: it is left as it is.
func TestFolderThatIsTaken(t *testing.T) {
	r := open(t)
	s := spec(t, "n1")
	folder := protocol.Folder(filepath.Join(r.folder, "taken"))
	if err := os.MkdirAll(folder.Disk("n1"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := protocol.Config{Folder: string(folder), Cluster: "taken", Network: network(),
		BinaryPath: nodeimage.BinaryPath, DataDir: nodeimage.DataDir, TempSize: 1 << 20, TempFiles: 100,
		Machines: []protocol.Machine{{Name: "n1", Addr: machines.MachineAddr(network(), 0)}}}
	c := &cluster{runtime: r, folder: folder, machines: map[string]*machine{}}
	if err := c.up(t.Context(), config, s.Binary); err == nil || !strings.Contains(err.Error(), "file exists") {
		t.Errorf("got %v, want an error", err)
	}
	if err := c.Down(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder.Disk("n1")); err != nil {
		t.Errorf("the disk that was there: %v", err)
	}
}

func TestKeptDisksAreCleaned(t *testing.T) {
	r := open(t)
	s := spec(t, "n1")
	c, err := r.Up(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	where, err := c.Keep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(where, "n1")); err != nil || !info.IsDir() {
		t.Errorf("n1's disk is not in %s: %v", where, err)
	}
	if report, err := Clean(Options{Folder: r.folder}, ""); err != nil || report != (Report{Runs: 1}) {
		t.Errorf("cleaned %+v, %v, want one run", report, err)
	}
	if left := entries(t, r.folder); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// A hub that hangs must not hold us.
func TestHungHub(t *testing.T) {
	r := open(t)
	c, err := r.Up(t.Context(), spec(t, "n1"))
	if err != nil {
		t.Fatal(err)
	}
	h := c.(*cluster).hub
	if err := stop(h.cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := h.leave(ctx, protocol.VerbDown); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it left: %v", err)
	}
	if err := c.Down(context.Background()); err != nil {
		t.Error(err)
	}
	if left := entries(t, r.folder); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

func TestFullDisk(t *testing.T) {
	r := open(t)
	small := smallDisk(t)
	r.folder = filepath.Join(small, "local")
	if _, err := r.Up(t.Context(), spec(t, "n1")); err == nil || !strings.Contains(err.Error(), "no space left on device") ||
		!strings.Contains(err.Error(), "XDG_CACHE_HOME") {
		t.Errorf("got %v, want that the disk is full, and the mend", err)
	}
}
