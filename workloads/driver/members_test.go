package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/workloads/systems"
)

// replicated is a system of nodes whose members can be changed, and which tell of their
// copies of the state.
type replicated struct {
	*fake
	mu      sync.Mutex
	members systems.Members
	leader  string
	refuse  func(do, through string) error // nil: nothing is refused
	asked   []string                       // what of whom, through whom
	copies  map[string]*replica
}

type replica struct {
	at     uint64
	digest string
	basis  string
	err    error
	// step is by how much it grows with each look at it.
	step uint64
}

func newReplicated(n int) *replicated {
	s := &replicated{fake: newFake(time.Millisecond, testNodes(n)...), leader: "n1", copies: map[string]*replica{}}
	for _, node := range testNodes(n) {
		s.members.Voters = append(s.members.Voters, node.Name)
		s.copies[node.Name] = &replica{at: 7, digest: "aa"}
	}
	return s
}

func (s *replicated) Prototype() systems.Client { return &replicatedClient{fakeClient: &fakeClient{}} }

func (s *replicated) Dial(ctx context.Context, node systems.Node) (systems.Client, error) {
	c, err := s.fake.Dial(ctx, node)
	if err != nil {
		return nil, err
	}
	return &replicatedClient{fakeClient: c.(*fakeClient), s: s, node: node.Name}, nil
}

type replicatedClient struct {
	*fakeClient
	s    *replicated
	node string
}

var (
	_ systems.MemberChanger = (*replicatedClient)(nil)
	_ systems.ReplicaTeller = (*replicatedClient)(nil)
	_ systems.LeaderTeller  = (*replicatedClient)(nil)
)

func (c *replicatedClient) Leader(context.Context) (string, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.leader, nil
}

// change does something to the members, unless it is refused, or the node answers nothing.
func (c *replicatedClient) change(ctx context.Context, do, about string, apply func(m *systems.Members)) error {
	if mode(c.n.mode.Load()) == paused {
		<-ctx.Done()
		return ctx.Err()
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.asked = append(c.s.asked, strings.TrimSpace(do+" "+about)+" via "+c.node)
	if c.s.refuse != nil {
		if err := c.s.refuse(do, c.node); err != nil {
			return err
		}
	}
	apply(&c.s.members)
	return nil
}

func (c *replicatedClient) Members(ctx context.Context) (m systems.Members, err error) {
	err = c.change(ctx, "members", "", func(now *systems.Members) { m = *now })
	return m, err
}

func (c *replicatedClient) Add(ctx context.Context, node systems.Node, learner bool) error {
	return c.change(ctx, "add", node.Name, func(m *systems.Members) {
		if learner {
			m.Learners = append(m.Learners, node.Name)
		} else {
			m.Voters = append(m.Voters, node.Name)
		}
	})
}

func (c *replicatedClient) Promote(ctx context.Context, node systems.Node) error {
	return c.change(ctx, "promote", node.Name, func(m *systems.Members) { m.Learners, m.Voters = nil, append(m.Voters, node.Name) })
}

func (c *replicatedClient) Remove(ctx context.Context, node systems.Node) error {
	return c.change(ctx, "remove", node.Name, func(m *systems.Members) {
		m.Voters = slices.DeleteFunc(slices.Clone(m.Voters), func(n string) bool { return n == node.Name })
	})
}

func (c *replicatedClient) Transfer(ctx context.Context, to systems.Node) error {
	return c.change(ctx, "transfer", to.Name, func(*systems.Members) { c.s.leader = to.Name })
}

func (c *replicatedClient) Position(ctx context.Context) (uint64, error) {
	if mode(c.n.mode.Load()) == paused {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r := c.s.copies[c.node]
	r.at += r.step
	return r.at, nil
}

func (c *replicatedClient) Digest(_ context.Context, at uint64) (systems.Digest, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	r := c.s.copies[c.node]
	if r.err != nil {
		return systems.Digest{Sum: r.digest}, r.err // and means nothing
	}
	if at > r.at {
		return systems.Digest{}, &systems.Error{Certain: true, Err: fmt.Errorf("it is at %d", r.at)}
	}
	return systems.Digest{Sum: r.digest, Basis: r.basis}, nil
}

// asking is a driver of which questions are asked.
type asking struct {
	*run
	next uint64
}

func startAsking(t *testing.T, s *replicated) *asking {
	a := &asking{run: driveSystem(t, s, Config{System: "fake", Workload: "register", Nodes: testNodes(len(s.nodes)), Clients: 3,
		Timeout: 2 * time.Second, Recovery: 5 * time.Second})}
	a.await(EventLoadBegin)
	a.await(EventLeader)
	return a
}

// ask asks and waits for the answer.
func (a *asking) ask(ask Ask) Answer {
	a.t.Helper()
	a.next++
	ask.ID = a.next
	if ask.Within == 0 {
		ask.Within = 10 * time.Second
	}
	text, err := json.Marshal(ask)
	if err != nil {
		a.t.Fatal(err)
	}
	a.say(CommandAsk + " " + string(text))
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, e := range a.events() {
			if e.Event == EventAnswer && e.Answer.ID == ask.ID {
				return *e.Answer
			}
		}
	}
	a.t.Fatalf("no answer to %s in a minute", text)
	return Answer{}
}

// TestMembersAreChanged: each change is made once, through the node that leads, while
// the load goes on.
func TestMembersAreChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplicated(3)
		s.leader = "n2"
		a := startAsking(t, s)
		for _, step := range []struct {
			ask    Ask
			voters string
		}{
			{Ask{Do: AskRemove, Node: "n3"}, "n1 n2"},
			{Ask{Do: AskAdd, Node: "n3", Learner: true}, "n1 n2"},
			{Ask{Do: AskPromote, Node: "n3"}, "n1 n2 n3"},
			{Ask{Do: AskTransfer, Node: "n1"}, "n1 n2 n3"},
		} {
			if got := a.ask(step.ask); got.Error != "" || got.Through != "n2" || got.Refused {
				t.Errorf("%+v: %+v", step.ask, got)
			}
			if got := a.ask(Ask{Do: AskMembers}); got.Members == nil || strings.Join(got.Members.Voters, " ") != step.voters {
				t.Errorf("after %+v: %+v", step.ask, got)
			}
		}
		s.mu.Lock()
		changes := slices.DeleteFunc(slices.Clone(s.asked), func(text string) bool { return strings.HasPrefix(text, "members") })
		s.mu.Unlock()
		if want := []string{"remove n3 via n2", "add n3 via n2", "promote n3 via n2", "transfer n1 via n2"}; !slices.Equal(changes, want) {
			t.Errorf("asked were %q, want %q", changes, want)
		}
		time.Sleep(time.Second)
		a.quit()
		if len(a.ops()) < 100 {
			t.Error("the load stood still")
		}
	})
}

func certain(text string) error { return &systems.Error{Certain: true, Err: errors.New(text)} }

// TestRefusedChanges: what is refused for certain is asked for again for a while, and
// what may have been done is not.
func TestRefusedChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplicated(3)
		a := startAsking(t, s)
		until := time.Now().Add(3 * time.Second)
		set := func(refuse func(do, through string) error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.refuse, s.asked = refuse, nil
		}
		set(func(string, string) error {
			if time.Now().Before(until) {
				return certain("unhealthy cluster")
			}
			return nil
		})
		begun := time.Now()
		if got := a.ask(Ask{Do: AskRemove, Node: "n3"}); got.Error != "" || time.Since(begun) < 3*time.Second {
			t.Errorf("refused for 3 s: %+v after %v", got, time.Since(begun))
		}
		set(func(do, _ string) error { return certain("not now") })
		begun = time.Now()
		got := a.ask(Ask{Do: AskAdd, Node: "n3", Within: 4 * time.Second})
		if !got.Refused || got.Error != "not now" || time.Since(begun) < 4*time.Second {
			t.Errorf("refused for good: %+v after %v", got, time.Since(begun))
		}
		for _, node := range []string{"n1", "n2", "n3"} { // and no node but that one is reached any more
			s.fake.set(node, down)
		}
		if got := a.ask(Ask{Do: AskAdd, Node: "n3", Within: 4 * time.Second}); !got.Refused || !strings.Contains(got.Error, "connection refused") {
			t.Errorf("no node can be reached: %+v", got)
		}
		for _, node := range []string{"n1", "n2", "n3"} {
			s.fake.set(node, healthy)
		}
		set(func(do, through string) error {
			if through == "n1" {
				return errors.New("it may be done yet")
			}
			return nil
		})
		if got := a.ask(Ask{Do: AskAdd, Node: "n3"}); got.Refused || got.Error != "it may be done yet" {
			t.Errorf("of unknown outcome: %+v", got)
		}
		set(nil)
		s.fake.set("n1", paused) // and still the leader, as far as anybody knows
		begun = time.Now()
		if got := a.ask(Ask{Do: AskAdd, Node: "n3"}); got.Refused || !strings.Contains(got.Error, "deadline") || time.Since(begun) > 3*time.Second {
			t.Errorf("through a node that does not answer: %+v after %v", got, time.Since(begun))
		}
		if got := a.ask(Ask{Do: AskMembers}); got.Error != "" || got.Through != "n2" {
			t.Errorf("a question may be asked again: %+v", got)
		}
		s.mu.Lock()
		adds := slices.DeleteFunc(slices.Clone(s.asked), func(text string) bool { return !strings.HasPrefix(text, "add") })
		s.mu.Unlock()
		if len(adds) > 0 {
			t.Errorf("what may have been done was asked for again: %q", adds)
		}
		a.quit()
	})
}

// TestAskNonsense: what cannot be asked is told, and changes nothing.
func TestAskNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startAsking(t, newReplicated(3))
		complained := func(want string) bool {
			return slices.ContainsFunc(r.events(), func(e Event) bool { return e.Event == EventError && strings.Contains(e.Error, want) })
		}
		for text, want := range map[string]string{
			"ask": "unexpected end", `ask {"do":"dance","node":"n1"}`: `nobody can be asked to "dance"`,
			`ask {"do":"add","node":"n7"}`: `no node "n7"`, `ask {"do":"add"}`: `no node ""`,
		} {
			r.say(text)
			for deadline := time.Now().Add(time.Minute); !complained(want); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%s: no complaint with %q", text, want)
				}
			}
		}
		r.quit()
		plain := drive(t, newFake(time.Millisecond, testNodes(1)...), Config{System: "fake", Workload: "register", Nodes: testNodes(1)})
		plain.await(EventLoadBegin)
		plain.say(`ask {"do":"members"}`)
		if e := plain.await(EventError); !strings.Contains(e.Error, "the members of the system fake cannot be changed") {
			t.Errorf("%+v", e)
		}
		plain.quit()
	})
}

// compare has a driver compare copies after its load.
func compare(t *testing.T, s *replicated, after time.Duration, then func()) *history.Replicas {
	r := driveSystem(t, s, Config{System: "fake", Workload: "register", Nodes: testNodes(len(s.nodes)), Clients: 3,
		Timeout: 2 * time.Second, Recovery: 5 * time.Second})
	r.await(EventLoadBegin)
	r.say(CommandCompare)
	if then != nil {
		time.Sleep(after)
		s.mu.Lock()
		then()
		s.mu.Unlock()
	}
	e := r.await(EventCompared)
	begun := r.await(EventCompare)
	if took := time.Duration(e.Time - begun.Time); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
	r.quit()
	return e.Replicas
}

func TestComparison(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(s *replicated)
		after  time.Duration
		then   func(s *replicated)
		at     uint64
		digest map[string]string // those other than "aa"
		err    map[string]string
		wanted uint64
	}{
		{name: "the same", at: 7},
		{name: "one differs", before: func(s *replicated) { s.copies["n2"].digest = "bb" }, at: 7, digest: map[string]string{"n2": "bb"}},
		{name: "one comes later", before: func(s *replicated) { s.copies["n3"].at = 3; s.copies["n3"].digest = "old" },
			after: 2 * time.Second, then: func(s *replicated) { s.copies["n3"].at = 7; s.copies["n3"].digest = "aa" }, at: 7},
		{name: "one never comes", before: func(s *replicated) { s.copies["n3"].at = 3 }, at: 3, wanted: 7},
		{name: "they still move", before: func(s *replicated) {
			for _, r := range s.copies {
				r.step = 1
			}
		}, at: 8},
		{name: "one is silent", before: func(s *replicated) { s.fake.set("n3", paused) }, at: 7, err: map[string]string{"n3": "no answer in"}},
		{name: "one is down", before: func(s *replicated) { s.fake.set("n3", down) }, at: 7, err: map[string]string{"n3": "connection refused"}},
		{name: "one cannot", before: func(s *replicated) { s.copies["n1"].err = certain("compacted") }, at: 7, err: map[string]string{"n1": "compacted"}},
		{name: "one could not at first", before: func(s *replicated) { s.copies["n1"].err = certain("compacted") },
			after: time.Second, then: func(s *replicated) { s.copies["n1"].err = nil }, at: 7},
		{name: "bases differ at first", before: func(s *replicated) { s.copies["n1"].basis, s.copies["n1"].digest = "older", "cc" },
			after: time.Second, then: func(s *replicated) { s.copies["n1"].basis, s.copies["n1"].digest = "", "aa" }, at: 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newReplicated(3)
				if tt.before != nil {
					tt.before(s)
				}
				var then func()
				if tt.then != nil {
					then = func() { tt.then(s) }
				}
				r := compare(t, s, tt.after, then)
				if r.At != tt.at || r.Wanted != tt.wanted || len(r.Of) != 3 {
					t.Fatalf("compared at %d, want %d: %+v", r.At, tt.at, r.Of)
				}
				for _, one := range r.Of {
					want := "aa"
					if other := tt.digest[one.Node]; other != "" {
						want = other
					}
					if why := tt.err[one.Node]; why != "" {
						if one.Digest != "" || !strings.Contains(one.Err, why) {
							t.Errorf("%+v, want why: %q", one, why)
						}
					} else if one.Digest != want || one.Err != "" || one.Position < r.At {
						t.Errorf("%+v, want the digest %s", one, want)
					}
				}
			})
		})
	}
}

// TestCannotCompare: a system whose nodes tell of no copies is not asked to.
func TestCannotCompare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := drive(t, newFake(time.Millisecond, testNodes(1)...), Config{System: "fake", Workload: "register", Nodes: testNodes(1)})
		r.await(EventLoadBegin)
		r.say(CommandCompare)
		if e := r.await(EventError); !strings.Contains(e.Error, "the system fake cannot be asked to compare its copies") {
			t.Errorf("%+v", e)
		}
		r.quit()
	})
}
