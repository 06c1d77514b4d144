package raft_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"squall/history/conformance"
	"squall/history/trace"
	"squall/internal/machinetest"
	"squall/nodeimage/raft"
	"squall/nodeimage/raft/steptrace"
)

// TestConformance feeds the steps of storms in the simulation to the rules of Raft: none
// is broken, no trace is doubted, and the storms come to every rule that they can. Some
// 10^6 steps are checked, and 10^7 in the whole mode.
func TestConformance(t *testing.T) {
	want := int64(machinetest.Rounds(400_000, 10_000_000))
	var events int64
	decided := map[string]int64{}
	for seed := uint64(0); events < want; seed++ {
		size := []int{3, 5, 1, 3, 4, 5, 2, 3, 7}[seed%9]
		r := conformOf(t, seed, size)
		for _, v := range r.Violations {
			t.Errorf("seed %d, %d nodes: %s (%s): %s", seed, size, v.Rule.Name, v.Rule.Section, v.Text)
			for i := range v.Events {
				t.Log(v.Events[i].String())
			}
		}
		for _, u := range r.Unsure {
			t.Errorf("seed %d, %d nodes: node %d from boot %d, %d on: %s", seed, size, u.Node, u.Boot, u.Time, u.Why)
		}
		if t.Failed() {
			return
		}
		for _, off := range r.Off {
			t.Errorf("%s is off: %s", off.Rule.Name, off.Why)
		}
		for _, d := range r.Decided {
			decided[d.Rule.Name] += d.Times
		}
		events += r.Events
	}
	t.Logf("%d steps", events)
	for _, r := range conformance.Rules() {
		t.Logf("%9d %s", decided[r.Name], r.Name)
		if decided[r.Name] == 0 && !notSimulated[r.Name] {
			t.Errorf("%s was never decided", r.Name)
		}
	}
}

// notSimulated are the rules that the simulation, whose members are fixed, does not come
// to.
var notSimulated = map[string]bool{"config-one-step": true, "config-one-at-a-time": true, "config-term-committed": true}

// conformOf checks a storm.
func conformOf(t *testing.T, seed uint64, size int) *conformance.Report {
	t.Helper()
	c := conformance.New()
	eachEvent(t, seed, size, c.Event)
	return c.Report()
}

// eachEvent hands over the events of a storm.
func eachEvent(t *testing.T, seed uint64, size int, see func(*trace.Event)) {
	t.Helper()
	var (
		e trace.Event
		m trace.Message
	)
	failure := raft.SimulateSteps(seed, size, func(id raft.NodeID, boot int, now time.Duration, s *raft.Step) {
		steptrace.Event(&e, &m, s)
		e.Node, e.Boot, e.Time = trace.NodeID(id), boot, int64(now)+1
		see(&e)
	})
	if failure != "" {
		t.Fatalf("seed %d, %d nodes: %s", seed, size, failure)
	}
}

// TestConformanceOfOddTraces feeds altered traces: events left out, doubled, moved,
// changed in one field. Whatever the rules make of that, they come to an end.
func TestConformanceOfOddTraces(t *testing.T) {
	var events []trace.Event
	eachEvent(t, 5, 3, func(e *trace.Event) { events = append(events, *e.Clone()) })
	rng := rand.New(rand.NewPCG(1, 1))
	told := 0
	for range machinetest.Rounds(30, 1000) {
		at := rng.IntN(len(events) - 1)
		c := conformance.New(1, 2, 3)
		how := rng.IntN(4)
		for i := range events {
			switch {
			case i != at:
				c.Event(&events[i])
			case how == 1: // doubled
				c.Event(&events[i])
				c.Event(&events[i])
			case how == 2: // moved
				c.Event(&events[i+1])
				c.Event(&events[i])
				c.Event(&events[i+1])
			case how == 3:
				odd := events[i].Clone()
				alter(rng, odd)
				c.Event(odd)
			}
		}
		if r := c.Report(); len(r.Violations)+len(r.Unsure) > 0 {
			told++
		}
	}
	if told < 8 {
		t.Errorf("only %d of the altered traces were noticed", told)
	}
}

// alter changes a field of an event.
func alter(rng *rand.Rand, e *trace.Event) {
	n := rng.Uint64N(1 << rng.IntN(64))
	m := e.Message
	if m == nil {
		m = &trace.Message{}
	}
	for _, field := range []*uint64{&e.Term, &e.Mark.Index, &e.Mark.Term, &e.Base.Index, &e.Hash, &e.First, &e.Last, &e.Round,
		&m.Number, &m.Term, &m.Mark.Index, &m.Mark.Term, &m.Commit, &m.Round} {
		if rng.IntN(6) == 0 {
			*field = n
		}
	}
	switch rng.IntN(8) {
	case 0:
		e.Peer = trace.NodeID(n)
	case 1:
		e.Boot = int(n % 1000)
	case 2:
		e.Kind = trace.Kind(1 + n%uint64(trace.Silent))
		if (e.Kind == trace.Send || e.Kind == trace.Receive) && e.Message == nil {
			e.Message = &trace.Message{Type: trace.Vote}
		}
	case 3:
		m.From, m.To = trace.NodeID(n), trace.NodeID(n/2)
	case 4:
		for i := range e.Runs {
			e.Runs[i] = trace.Run{First: n, Count: 1 + n%5, Term: n % 7}
		}
	case 5:
		e.Time = int64(n >> 1)
	}
}

// TestConformanceAcrossClocks: events of different nodes may come out of order by what
// their clocks differ, and nothing follows from that.
func TestConformanceAcrossClocks(t *testing.T) {
	for _, late := range []trace.NodeID{1, 2, 3} {
		var events []trace.Event
		eachEvent(t, 11, 3, func(e *trace.Event) {
			c := e.Clone()
			if c.Node == late {
				c.Time += int64(20 * time.Millisecond)
			}
			events = append(events, *c)
		})
		slices.SortStableFunc(events, func(a, b trace.Event) int { return cmp.Compare(a.Time, b.Time) })
		c := conformance.New(1, 2, 3)
		for i := range events {
			c.Event(&events[i])
		}
		r := c.Report()
		for _, v := range r.Violations {
			t.Errorf("node %d late: %s: %s", late, v.Rule.Name, v.Text)
		}
		for _, u := range r.Unsure {
			t.Errorf("node %d late: node %d: %s", late, u.Node, u.Why)
		}
	}
}
