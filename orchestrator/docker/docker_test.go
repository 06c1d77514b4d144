package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"go.uber.org/goleak"

	"squall/internal/machinetest"
	"squall/nodeimage"
	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/files"
	"squall/orchestrator/machines"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Waiting(m)) }

// engine is a Runtime on the engine of this computer. Without one the test is
// skipped, but in CI it fails.
func engine(t testing.TB) *Runtime {
	t.Helper()
	machinetest.Share(t)
	r, err := New(t.Context(), Options{})
	if err != nil {
		machinetest.Missing(t, err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// spec is a cluster of machines with these names, under an id of its own.
func spec(t testing.TB, r *Runtime, names ...string) machines.ClusterSpec {
	t.Helper()
	arch, err := r.Arch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bin, err := nodeimage.Build(t.Context(), nodeimage.BuildOptions{Arch: arch})
	if err != nil {
		t.Fatal(err)
	}
	run := "test-" + strings.ToLower(rand.Text()[:10])
	t.Cleanup(func() { wantNothing(t, r, run) })
	specs := make([]machines.MachineSpec, len(names))
	for i, name := range names {
		specs[i].Name = name
	}
	return machines.ClusterSpec{Run: run, Machines: specs, Binary: bin.Path, BinaryKey: bin.Key}
}

// wantNothing fails the test when anything of a run is left.
func wantNothing(t testing.TB, r *Runtime, run string) {
	t.Helper()
	ctx := context.Background() // the test's own has ended when this is a clean-up
	label := byLabel(Label + "=" + run)
	containers, err := r.api.ContainerList(ctx, container.ListOptions{All: true, Filters: label})
	if err != nil || len(containers) > 0 {
		t.Errorf("%d containers of run %s are left (%v)", len(containers), run, err)
	}
	networks, err := r.api.NetworkList(ctx, network.ListOptions{Filters: label})
	if err != nil || len(networks) > 0 {
		t.Errorf("%d networks of run %s are left (%v)", len(networks), run, err)
	}
	volumes, err := r.api.VolumeList(ctx, volume.ListOptions{Filters: label})
	if err != nil || len(volumes.Volumes) > 0 {
		t.Errorf("%d volumes of run %s are left (%v)", len(volumes.Volumes), run, err)
	}
}

func up(t testing.TB, r *Runtime, s machines.ClusterSpec) machines.Cluster {
	t.Helper()
	begin := time.Now()
	c, err := r.Up(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d machines up in %v", len(s.Machines), time.Since(begin).Round(time.Millisecond))
	t.Cleanup(func() {
		begin := time.Now()
		if err := c.Down(context.Background()); err != nil {
			t.Error(err)
		}
		t.Logf("%d machines down in %v", len(s.Machines), time.Since(begin).Round(time.Millisecond))
	})
	return c
}

// command is a client to a machine's agent, deaf to what else it sends.
func command(t testing.TB, m machines.Machine) *protocol.Client {
	t.Helper()
	c := protocol.NewClient(m.Control(), deaf{})
	t.Cleanup(func() { c.Close() })
	return c
}

type deaf struct{}

func (deaf) Stream(protocol.StreamID, int, []byte) {}
func (deaf) Event(protocol.Event)                  {}

// TestStartThatFailsLeavesNothing has containers that can be made and not
// started: their image is without a program.
func TestStartThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	r := engine(t)
	s := spec(t, r, "n1", "n2")
	s.BinaryKey = s.Run
	var rootFS bytes.Buffer
	if err := tar.NewWriter(&rootFS).Close(); err != nil {
		t.Fatal(err)
	}
	ref := imageRepo + ":" + s.BinaryKey
	if err := r.sendImage(t.Context(), ref, &rootFS, []byte(`["/nowhere"]`)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := r.api.ImageRemove(context.Background(), ref, image.RemoveOptions{}); err != nil {
			t.Error(err)
		}
	})
	if c, err := r.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), "machine n") || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("got %v, %v, want an error that names a machine and the program", c, err)
	}
	wantNothing(t, r, s.Run)
}

// TestSameRunTwice has two clusters of one run's name. Each is removed by itself.
func TestSameRunTwice(t *testing.T) {
	t.Parallel()
	r := engine(t)
	s := spec(t, r, "n1")
	first, second := up(t, r, s), up(t, r, s)
	if err := first.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, second.Machine("n1")).Hello(t.Context()); err != nil {
		t.Errorf("the second went with the first: %v", err)
	}
}

func TestClean(t *testing.T) {
	r := engine(t)
	// Not parallel: it removes what all other tests made.
	s := spec(t, r, "n1")
	if _, err := r.Up(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	report, err := r.remove(t.Context(), Label+"="+s.Run)
	if err != nil || report.Containers != 1 || report.Networks != 1 {
		t.Errorf("removed %+v, %v, want one container and one network", report, err)
	}
	wantNothing(t, r, s.Run)
}

func TestInfo(t *testing.T) {
	r := engine(t)
	info, err := r.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	arch, err := r.Arch(t.Context())
	if err != nil || info.Arch != arch || info.Version == "" || info.APIVersion == "" || info.Host == "" {
		t.Errorf("%+v, arch %q, %v", info, arch, err)
	}
}

// TestFilesAreSentOnce: an engine that has the image of a set is not sent the
// files again, which is seen when there is nothing left to send.
func TestFilesAreSentOnce(t *testing.T) {
	t.Parallel()
	r := engine(t)
	arch, err := r.Arch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := files.File{Path: "/etc/once", Source: filepath.Join(t.TempDir(), "once")}
	put(t, f.Source, rand.Text())
	set, err := (files.Store{Dir: filepath.Join(t.TempDir(), "files")}).Take(t.Context(), []files.File{f}, arch)
	if err != nil {
		t.Fatal(err)
	}
	s := spec(t, r, "n1", "n2")
	s.Machines[0].Files, s.Machines[1].Files = set, set
	ref := imageName(s.BinaryKey, set)
	t.Cleanup(func() {
		if _, err := r.api.ImageRemove(context.Background(), ref, image.RemoveOptions{}); err != nil {
			t.Error(err)
		}
	})
	up(t, r, s)
	made, err := r.api.ImageInspect(t.Context(), ref)
	if err != nil || made.Config.Labels[Label] != imageLabelValue {
		t.Errorf("squall clean --images does not find the image: %v", err)
	}
	if err := os.Remove(set.Files()[0].Kept); err != nil {
		t.Fatal(err)
	}
	again := spec(t, r, "n1")
	again.Machines[0].Files = set
	up(t, r, again)
	if same, err := r.api.ImageInspect(t.Context(), ref); err != nil || same.ID != made.ID {
		t.Errorf("the image was made again: %v", err)
	}
}
