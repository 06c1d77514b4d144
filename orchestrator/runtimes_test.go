package orchestrator

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/internal/machinetest"
	"squall/nodeimage"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/docker"
	"squall/orchestrator/local"
	"squall/orchestrator/machines"
)

// What any Runtime has to keep, tried on every one that this computer can
// offer. Where one is missing its tests skip, except with CI=true.

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Waiting(m)) }

// testHost is a Runtime and what it takes to look for what a run left.
type testHost struct {
	machines.Runtime
	// leftovers removes what a run left behind and says what that was, "" if
	// nothing.
	leftovers func(run string) (string, error)
}

// hosts are the runtimes, by name.
func hosts() map[string]func(ctx context.Context) (testHost, func(), error) {
	return map[string]func(context.Context) (testHost, func(), error){
		"docker": func(ctx context.Context) (testHost, func(), error) {
			r, err := docker.New(ctx, docker.Options{})
			if err != nil {
				return testHost{}, nil, err
			}
			leftovers := func(run string) (string, error) {
				left, err := r.Clean(context.Background(), docker.CleanOptions{Run: run, Force: true})
				return unless(left == docker.Report{}, left), err
			}
			return testHost{r, leftovers}, func() { r.Close() }, nil
		},
		"local": func(context.Context) (testHost, func(), error) { return localHost(local.Options{}) },
		"local-user": func(context.Context) (testHost, func(), error) {
			return localHost(local.Options{Unprivileged: true})
		},
	}
}

func localHost(opts local.Options) (testHost, func(), error) {
	r, err := local.New(opts)
	if err != nil {
		return testHost{}, nil, err
	}
	leftovers := func(run string) (string, error) {
		left, err := local.Clean(opts, run)
		return unless(left == local.Report{}, left), err
	}
	return testHost{r, leftovers}, func() {}, nil
}

func unless(nothing bool, left any) string {
	if nothing {
		return ""
	}
	return fmt.Sprintf("%+v", left)
}

// onEach runs a test on every runtime, beside others of these tests: each has a
// few machines, and waits for them most of the time. By default it takes one of the
// runtimes, by the test's name, so that each is tried by a third of the tests.
func onEach(t *testing.T, test func(t *testing.T, h testHost)) {
	t.Helper()
	t.Parallel()
	machinetest.Share(t)
	all := hosts()
	mine := runtimeFor(t.Name(), slices.Sorted(maps.Keys(all)))
	for name, open := range all {
		t.Run(name, func(t *testing.T) {
			if name != mine {
				machinetest.NeedWhole(t, "in this runtime; by default each of these tests takes one")
			}
			t.Parallel()
			test(t, opened(t, open))
		})
	}
}

// runtimeFor chooses one of the runtimes for a test.
func runtimeFor(test string, of []string) string {
	h := fnv.New32a()
	io.WriteString(h, test)
	return of[h.Sum32()%uint32(len(of))]
}

func opened(t testing.TB, open func(context.Context) (testHost, func(), error)) testHost {
	t.Helper()
	h, closeIt, err := open(t.Context())
	if err != nil {
		machinetest.Missing(t, err)
	}
	t.Cleanup(closeIt)
	return h
}

// spec is a cluster of machines with these names, under an id of its own. When
// the test is over, nothing of it may be left.
func spec(t testing.TB, h testHost, names ...string) machines.ClusterSpec {
	t.Helper()
	arch, err := h.Arch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bin, err := nodeimage.Build(t.Context(), nodeimage.BuildOptions{Arch: arch})
	if err != nil {
		t.Fatal(err)
	}
	run := "test-" + strings.ToLower(rand.Text()[:10])
	t.Cleanup(func() { wantNothing(t, h, run) })
	s := machines.ClusterSpec{Run: run, Binary: bin.Path, BinaryKey: bin.Key}
	for _, name := range names {
		s.Machines = append(s.Machines, machines.MachineSpec{Name: name})
	}
	return s
}

// wantNothing fails the test when anything of a run is left.
func wantNothing(t testing.TB, h testHost, run string) {
	t.Helper()
	if left, err := h.leftovers(run); left != "" || err != nil {
		t.Errorf("run %s left %s (%v)", run, left, err)
	}
}

func up(t testing.TB, h testHost, s machines.ClusterSpec) machines.Cluster {
	t.Helper()
	begin := time.Now()
	c, err := h.Up(t.Context(), s)
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

// machineSink keeps what a machine sends.
type machineSink struct {
	mu     sync.Mutex
	log    strings.Builder
	trace  int
	events []protocol.Event
}

func (s *machineSink) Stream(id protocol.StreamID, _ int, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == protocol.StreamTrace {
		s.trace += len(data)
		return
	}
	s.log.Write(data)
}

func (s *machineSink) Event(e protocol.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *machineSink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *machineSink) kinds() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kinds []string
	for _, e := range s.events {
		kinds = append(kinds, fmt.Sprintf("%s %d", e.Kind, e.Boot))
	}
	return kinds
}

func (s *machineSink) traced() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trace
}

// command is a client to a machine's agent.
func command(t testing.TB, m machines.Machine) (*protocol.Client, *machineSink) {
	t.Helper()
	s := new(machineSink)
	c := protocol.NewClient(m.Control(), s)
	t.Cleanup(func() { c.Close() })
	return c, s
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

func idle(args ...string) protocol.StartSpec {
	return protocol.StartSpec{Argv: append([]string{"/squall-node", "idle"}, args...), Dir: "/data"}
}
