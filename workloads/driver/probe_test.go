package driver

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/workloads/systems"
)

// TestProbe: the load begins when an operation succeeded, through any node, and the
// history has the attempts before.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(time.Millisecond, testNodes(3)...)
		for i := range 3 {
			f.set(f.name(i), down)
		}
		begun := time.Now()
		r := drive(t, f, Config{System: "fake", Workload: "register", Nodes: testNodes(3), Clients: 6, Probe: true, Duration: time.Second})
		time.Sleep(3 * time.Second)
		r.say("stop") // it comes too soon
		if e := r.await(EventError); !strings.Contains(e.Error, "before the load had begun") {
			t.Errorf("%+v", e)
		}
		for _, e := range r.events() {
			if e.Event == EventLoadBegin || e.Event == EventServing {
				t.Errorf("%+v, and no node serves", e)
			}
		}
		f.set("n2", healthy)
		serving := r.await(EventServing)
		if serving.Text != "write through n2 succeeded" || time.Since(begun) < 3*time.Second {
			t.Errorf("%+v after %v", serving, time.Since(begun))
		}
		r.await(EventLoadEnd)
		r.quit()
		before, after, processes := 0, 0, map[int64]bool{}
		for _, op := range r.ops() {
			switch {
			case !op.Final:
				after++
				if processes[op.Process] = true; op.Call < serving.Time {
					t.Errorf("the load began before: %+v", op)
				}
			case op.Func != history.Write || !strings.HasPrefix(op.Key, "recovery-") || op.Return > serving.Time:
				t.Errorf("before the load: %+v", op)
			default:
				before++
			}
		}
		if before < 20 || after < 100 {
			t.Errorf("%d attempts in 3 s, then %d operations of the load", before, after)
		}
		for _, op := range r.ops() {
			if op.Final && processes[op.Process] {
				t.Errorf("a process of the load: %+v", op)
			}
		}
	})
}

// TestQuitBeforeItServes: the driver ends though there never was a load.
func TestQuitBeforeItServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(time.Millisecond, testNodes(1)...)
		f.set("n1", paused)
		r := drive(t, f, Config{System: "fake", Workload: "register", Nodes: testNodes(1), Probe: true})
		time.Sleep(time.Second)
		r.quit()
		for _, op := range r.ops() {
			if op.Outcome == history.OK {
				t.Errorf("%+v", op)
			}
		}
	})
}

// telling is a system whose nodes can be asked who leads.
type telling struct {
	*fake
	leader *atomic.Pointer[string]
}

func (s telling) Prototype() systems.Client { return tellingClient{&fakeClient{}, s.leader} }

func (s telling) Dial(ctx context.Context, node systems.Node) (systems.Client, error) {
	c, err := s.fake.Dial(ctx, node)
	if err != nil {
		return nil, err
	}
	return tellingClient{c.(*fakeClient), s.leader}, nil
}

type tellingClient struct {
	*fakeClient
	leader *atomic.Pointer[string]
}

func (c tellingClient) Leader(context.Context) (string, error) { return *c.leader.Load(), nil }

// TestObservedLeaders: a system that tells who leads serves as soon as it does, and
// each change is told of.
func TestObservedLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := telling{newFake(time.Millisecond, testNodes(3)...), new(atomic.Pointer[string])}
		for i := range 3 { // it answers nothing else
			s.set(s.name(i), paused)
		}
		name := func(leader string) { s.leader.Store(&leader) }
		name("")
		r := driveSystem(t, s, Config{System: "fake", Workload: "register", Nodes: testNodes(3), Probe: true})
		time.Sleep(10 * time.Second)
		name("n3")
		if e := r.await(EventServing); !strings.HasPrefix(e.Text, "n3 leads, says n") {
			t.Errorf("%+v", e)
		}
		var told []string
		for _, leader := range []string{"n3", "n1", "nobody", "n2", ""} {
			name(leader)
			time.Sleep(2 * leadersEvery)
		}
		r.quit()
		for _, e := range r.events() {
			if e.Event == EventLeader {
				told = append(told, e.Text)
			}
		}
		if got := strings.Join(told, ","); got != "n3,n1,,n2," {
			t.Errorf("it was told of %q", got)
		}
	})
}

func TestMostNamed(t *testing.T) {
	for _, tc := range []struct{ said, known, want string }{
		{"n1 n1 n2", "", "n1"},
		{"n1 n2", "", ""},
		{"n1 n2", "n2", "n2"},
		{"n1 n2 n2 n3", "n1", "n2"},
		{"", "n1", ""},
		{"n1", "n2", "n1"},
	} {
		if got := mostNamed(strings.Fields(tc.said), tc.known); got != tc.want {
			t.Errorf("of %q, and %q before: %q, want %q", tc.said, tc.known, got, tc.want)
		}
	}
}
