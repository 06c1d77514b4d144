package nemesis

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"squall/history"
)

// fakeNode and fakeCluster behave as machines do, without any.
type fakeNode struct {
	c       *fakeCluster
	name    string
	proc    Process
	dropped []string
}

type fakeCluster struct {
	mu     sync.Mutex
	nodes  []*fakeNode
	leader string
	// What goes wrong: leaky makes Drop do nothing, immortal makes Kill do
	// nothing, and startFails fails that many starts.
	leaky, immortal, uncounted bool // uncounted: packets vanish without a rule that drops them
	startFails                 int
}

func newFake(n int) *fakeCluster {
	c := &fakeCluster{leader: "n1"}
	for i := range n {
		c.nodes = append(c.nodes, &fakeNode{c: c, name: fmt.Sprintf("n%d", i+1),
			proc: Process{Running: true, PID: 10 + i, State: "S"}})
	}
	return c
}

func (c *fakeCluster) Nodes() []Node {
	var nodes []Node
	for _, n := range c.nodes {
		nodes = append(nodes, n)
	}
	return nodes
}

func (c *fakeCluster) Leader() string { return c.leader }

func (c *fakeCluster) Reach(context.Context) (map[history.Link]bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
	reach := map[history.Link]bool{}
	for _, from := range c.nodes {
		for _, to := range c.nodes {
			reach[history.Link{From: from.name, To: to.name}] = !slices.Contains(to.dropped, from.name)
		}
	}
	return reach, nil
}

func (n *fakeNode) locked(do func() error) error {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return do()
}

func (n *fakeNode) Name() string { return n.name }

func (n *fakeNode) Kill(context.Context) error {
	return n.locked(func() error {
		if !n.c.immortal {
			n.proc = Process{Exit: "signal: killed"}
		}
		return nil
	})
}

func (n *fakeNode) Start(context.Context) error {
	return n.locked(func() error {
		if n.c.startFails > 0 {
			n.c.startFails--
			return errors.New("no such file")
		}
		if !n.proc.Running {
			n.proc = Process{Running: true, PID: 99, State: "R"}
		}
		return nil
	})
}

func (n *fakeNode) setState(state string) error {
	return n.locked(func() error {
		if n.proc.Running {
			n.proc.State = state
		}
		return nil
	})
}

func (n *fakeNode) Pause(context.Context) error  { return n.setState("T") }
func (n *fakeNode) Resume(context.Context) error { return n.setState("S") }

func (n *fakeNode) Process(context.Context) (p Process, err error) {
	err = n.locked(func() error { p = n.proc; return nil })
	return p, err
}

func (n *fakeNode) Drop(_ context.Context, from []string) error {
	return n.locked(func() error {
		if !n.c.leaky {
			n.dropped = from
		}
		return nil
	})
}

func (n *fakeNode) Dropped(context.Context) (map[string]uint64, error) {
	counts := map[string]uint64{}
	return counts, n.locked(func() error {
		for _, from := range n.dropped {
			counts[from] = 3
		}
		if n.c.uncounted {
			clear(counts)
		}
		return nil
	})
}

type memory struct{ faults []history.Fault }

func (m *memory) Append(r history.Record) error {
	m.faults = append(m.faults, *r.Fault)
	return nil
}

func nodeNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("n%d", i+1))
	}
	return names
}

func TestGrudges(t *testing.T) {
	order := nodeNames(5)
	for _, tc := range []struct {
		variant string
		coin    bool
		want    map[string]string // node: what it drops
	}{
		{"halves", false, map[string]string{"n1": "n3 n4 n5", "n2": "n3 n4 n5", "n3": "n1 n2", "n4": "n1 n2", "n5": "n1 n2"}},
		{"one", false, map[string]string{"n1": "n2 n3 n4 n5", "n2": "n1", "n3": "n1", "n4": "n1", "n5": "n1"}},
		{"leader", false, map[string]string{"n4": "n1 n2 n3 n5", "n1": "n4", "n2": "n4", "n3": "n4", "n5": "n4"}},
		{"ring", false, map[string]string{"n1": "n3 n4", "n2": "n4 n5", "n3": "n1 n5", "n4": "n1 n2", "n5": "n2 n3"}},
		{"bridge", false, map[string]string{"n1": "", "n2": "n4 n5", "n3": "n4 n5", "n4": "n2 n3", "n5": "n2 n3"}},
		{"one-way", true, map[string]string{"n1": "n2 n3 n4 n5", "n2": "", "n3": "", "n4": "", "n5": ""}},
		{"one-way", false, map[string]string{"n1": "", "n2": "n1", "n3": "n1", "n4": "n1", "n5": "n1"}},
	} {
		g, err := newGrudge(tc.variant, order, tc.coin, "n4")
		if err != nil {
			t.Fatal(err)
		}
		for node, want := range tc.want {
			if got := strings.Join(g.droppedBy(node), " "); got != want {
				t.Errorf("%s (coin %t): %s drops %q, want %q", tc.variant, tc.coin, node, got, want)
			}
		}
	}
}

// In a majorities ring each node hears a majority, and no two hear the same.
func TestRingGivesEveryNodeItsOwnMajority(t *testing.T) {
	for _, n := range []int{5, 7, 9} {
		order := nodeNames(n)
		g := ring(order)
		seen := map[string]bool{}
		for _, node := range order {
			var hears []string
			for _, other := range order {
				if !slices.Contains(g.droppedBy(node), other) {
					hears = append(hears, other)
				}
			}
			if len(hears) <= n/2 {
				t.Errorf("%d nodes: %s hears only %v", n, node, hears)
			}
			if key := strings.Join(hears, " "); seen[key] {
				t.Errorf("%d nodes: two nodes hear the same majority %s", n, key)
			} else {
				seen[key] = true
			}
		}
	}
}

func TestPick(t *testing.T) {
	order := []string{"n3", "n1", "n5", "n2", "n4"}
	for variant, want := range map[string]string{
		"one": "n3", "minority": "n1 n3", "majority": "n1 n3 n5", "all": "n1 n2 n3 n4 n5", "leader": "n2",
	} {
		got, err := pick(variant, order, "n2")
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("pick(%s) = %v, %v; want %s", variant, got, err, want)
		}
	}
	if got, _ := pick("leader", order, ""); got[0] != "n3" {
		t.Errorf("without a leader, the target is %v, want n3", got)
	}
}

func TestParse(t *testing.T) {
	choices, err := Parse("partition, kill(leader)")
	if err != nil || len(choices) != 2 || len(choices[0].Variants) != 6 || len(choices[1].Variants) != 1 {
		t.Fatalf("Parse = %+v, %v", choices, err)
	}
	for in, want := range map[string]string{
		"earthquake":       `unknown fault "earthquake"; there are: partition, kill, pause`,
		"kill(nobody)":     `fault kill has no variant "nobody"; it has: one, minority, majority, all, leader`,
		"pause(leader":     "not closed",
		"partition,,pause": `unknown fault ""`,
	} {
		if _, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want an error with %q", in, err, want)
		}
	}
}

func TestScheduleKeepsItsPromises(t *testing.T) {
	all, _ := Parse("partition,kill,pause")
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		length := time.Duration(rapid.IntRange(8, 300).Draw(t, "seconds")) * time.Second
		pace := DefaultPace()
		plan, err := Schedule(seed, nodeNames(5), length, all, pace)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Schedule(seed, nodeNames(5), length, all, pace)
		if !reflect.DeepEqual(plan, again) {
			t.Fatal("the same seed gave two schedules")
		}
		if plan[0].Fault != "partition" || plan[0].Variant != "leader" {
			t.Fatalf("the first fault is %s(%s), not the first choice on the leader", plan[0].Fault, plan[0].Variant)
		}
		end := int64(0)
		for _, p := range plan {
			if p.AtMs < end+pace.GapMin.Milliseconds() && end > 0 {
				t.Fatalf("fault %d begins at %d ms, the one before ended at %d ms", p.ID, p.AtMs, end)
			}
			end = p.AtMs + p.ForMs
		}
		if end > (length - pace.Tail).Milliseconds() {
			t.Fatalf("the last fault ends at %d ms of %v", end, length)
		}
	})
}

func TestALongScheduleDealsEveryVariant(t *testing.T) {
	all, _ := Parse("partition,kill,pause")
	plan, err := Schedule(1, nodeNames(5), 5*time.Minute, all, DefaultPace())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range plan {
		seen[p.Fault+"("+p.Variant+")"] = true
	}
	for _, f := range All() {
		for _, v := range f.Variants {
			if !seen[f.Name+"("+v.Name+")"] {
				t.Errorf("%s(%s) never happens in five minutes", f.Name, v.Name)
			}
		}
	}
}

func TestScheduleRefusesTheImpossible(t *testing.T) {
	part, _ := Parse("partition")
	if _, err := Schedule(1, nodeNames(2), time.Minute, part, DefaultPace()); err == nil {
		t.Error("a partition of two nodes was accepted")
	}
	if _, err := Schedule(1, nodeNames(3), time.Second, part, DefaultPace()); err == nil {
		t.Error("a schedule for one second was accepted")
	}
}

// runFake carries out one fault on the fake in virtual time.
func runFake(t *testing.T, c *fakeCluster, p Planned) (faults []history.Fault, err error) {
	synctest.Test(t, func(t *testing.T) {
		var rec memory
		begin := time.Now()
		r := Runner{Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		err = r.Run(t.Context(), []Planned{p}, 0)
		faults = rec.faults
	})
	return faults, err
}

func TestEveryFaultBitesAndHeals(t *testing.T) {
	for _, fault := range All() {
		for _, v := range fault.Variants {
			t.Run(fault.Name+"("+v.Name+")", func(t *testing.T) {
				c := newFake(5)
				faults, err := runFake(t, c, Planned{ID: 1, Fault: fault.Name, Variant: v.Name,
					AtMs: 1000, ForMs: 3000, Order: nodeNames(5)})
				if err != nil {
					t.Fatal(err)
				}
				if len(faults) != 2 || faults[0].Phase != history.Inject || faults[1].Phase != history.Heal {
					t.Fatalf("recorded %+v", faults)
				}
				for _, f := range faults {
					if len(f.Proof) == 0 || len(f.Targets) == 0 || f.End < f.Begin || f.Err != "" {
						t.Errorf("incomplete record %+v", f)
					}
				}
				if hold := faults[1].Begin - faults[0].Begin; hold != 3e9 {
					t.Errorf("it held for %v", time.Duration(hold))
				}
				for _, n := range c.nodes {
					if len(n.dropped) > 0 || !n.proc.Running || n.proc.State == "T" {
						t.Errorf("%s is still hurt: %+v", n.name, n)
					}
				}
			})
		}
	}
}

// A fault that does nothing must be noticed: this is what verification is for.
func TestAFaultThatDoesNotBiteIsAnError(t *testing.T) {
	c := newFake(5)
	c.leaky = true
	faults, err := runFake(t, c, Planned{ID: 1, Fault: "partition", Variant: "one", ForMs: 1000, Order: nodeNames(5)})
	if err == nil || faults[0].Err == "" || !strings.Contains(err.Error(), "still carries packets") {
		t.Errorf("a partition that cuts nothing: %v, record %+v", err, faults[0])
	}
	c = newFake(5)
	c.uncounted = true
	if _, err := runFake(t, c, Planned{ID: 1, Fault: "partition", Variant: "one", ForMs: 1000, Order: nodeNames(5)}); err == nil ||
		!strings.Contains(err.Error(), "counted no dropped packet") {
		t.Errorf("silence without a dropped packet counts as a cut: %v", err)
	}
	c = newFake(5)
	c.immortal = true
	if _, err := runFake(t, c, Planned{ID: 1, Fault: "kill", Variant: "one", ForMs: 1000, Order: nodeNames(5)}); err == nil {
		t.Error("a kill that kills nothing was accepted")
	}
}

// A server that crashed before does not end the storm.
func TestAPauseOfACrashedServerSaysSo(t *testing.T) {
	c := newFake(5)
	c.nodes[0].proc = Process{Exit: "exit status 2"}
	faults, err := runFake(t, c, Planned{ID: 1, Fault: "pause", Variant: "one", ForMs: 1000, Order: nodeNames(5)})
	if err != nil || !strings.Contains(faults[0].Proof[0], "had ended by itself: exit status 2") {
		t.Errorf("%v, %+v", err, faults)
	}
}

func TestAHealIsTriedAgain(t *testing.T) {
	kill := Planned{ID: 1, Fault: "kill", Variant: "one", ForMs: 1000, Order: nodeNames(5)}
	c := newFake(5)
	c.startFails = healTries - 1
	if _, err := runFake(t, c, kill); err != nil {
		t.Errorf("the heal was given up: %v", err)
	}
	c = newFake(5)
	c.startFails = healTries
	faults, err := runFake(t, c, kill)
	if err == nil || faults[1].Err == "" {
		t.Errorf("a heal that failed was not reported: %v, %+v", err, faults[1])
	}
}

func TestAnInterruptedFaultIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, begin := newFake(5), time.Now()
		var rec memory
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		r := Runner{Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		err := r.Run(ctx, []Planned{{ID: 1, Fault: "pause", Variant: "all", ForMs: 60000, Order: nodeNames(5)}}, 0)
		if !errors.Is(err, context.DeadlineExceeded) || len(rec.faults) != 2 || time.Since(begin) > 3*time.Second {
			t.Errorf("Run = %v after %v, recorded %d steps", err, time.Since(begin), len(rec.faults))
		}
		if c.nodes[0].proc.State == "T" {
			t.Error("n1 is still paused")
		}
	})
}

func TestHealAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(3)
		c.nodes[0].proc = Process{}
		c.nodes[1].proc.State = "T"
		c.nodes[2].dropped = []string{"n1"}
		if proof, err := HealAll(t.Context(), c); err != nil || len(proof) < 4 {
			t.Fatalf("HealAll = %v, %v", proof, err)
		}
		c.leaky = true
		c.nodes[2].dropped = []string{"n1"}
		if _, err := HealAll(t.Context(), c); err == nil {
			t.Error("a cluster that is still cut counts as healed")
		}
	})
}
