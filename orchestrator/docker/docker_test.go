package docker

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"go.uber.org/goleak"

	"squall/nodeimage"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is a Runtime on the engine of this computer. Without one the test is
// skipped, but in CI it fails.
func engine(t testing.TB) *Runtime {
	t.Helper()
	r, err := New(t.Context(), Options{})
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("this test needs Docker: %v", err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// spec is a cluster of machines with these names, under an id of its own.
func spec(t testing.TB, r *Runtime, machines ...string) orchestrator.ClusterSpec {
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
	specs := make([]orchestrator.MachineSpec, len(machines))
	for i, name := range machines {
		specs[i].Name = name
	}
	return orchestrator.ClusterSpec{Run: run, Machines: specs, Binary: bin.Path, BinaryKey: bin.Key}
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

func up(t testing.TB, r *Runtime, s orchestrator.ClusterSpec) orchestrator.Cluster {
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
func command(t testing.TB, m orchestrator.Machine) *protocol.Client {
	t.Helper()
	c := protocol.NewClient(m.Control(), deaf{})
	t.Cleanup(func() { c.Close() })
	return c
}

type deaf struct{}

func (deaf) Stream(protocol.StreamID, int, []byte) {}
func (deaf) Event(protocol.Event)                  {}

func TestUpThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	r := engine(t)
	t.Run("a name is taken", func(t *testing.T) {
		taken := spec(t, r, "n2")
		up(t, r, taken)
		// The second run would have to make a container of the same name. It
		// has the same id, so what is left of it is left of the first.
		s := spec(t, r, "n1", "n2")
		blocker := networkName(s.Run) + "-n2"
		other, err := r.api.ContainerCreate(t.Context(), &container.Config{
			Image: imageRepo + ":" + s.BinaryKey, Labels: map[string]string{Label: taken.Run},
		}, nil, nil, nil, blocker)
		if err != nil {
			t.Fatal(err)
		}
		defer r.api.ContainerRemove(context.Background(), other.ID, container.RemoveOptions{Force: true})
		if c, err := r.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), "machine n2") {
			t.Errorf("got %v, %v, want an error that names the machine", c, err)
		}
		wantNothing(t, r, s.Run)
	})
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
