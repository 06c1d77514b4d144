package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
)

// storm makes a history as a real test would record it: a cluster of five
// nodes under a schedule of faults, and what clients saw of it.
type storm struct {
	rng   *rand.Rand
	in    *history.History
	id    int
	term  uint64
	lead  string
	boots map[string]int   // of each node, from 1
	holes []measure.Window // nothing succeeds
	slow  []measure.Window // it takes longer
}

const stormMono = int64(987_654_321_000_000)

func newStorm(seed uint64, seconds, clients int, interval time.Duration, faults bool) *history.History {
	s := &storm{rng: rand.New(rand.NewPCG(seed, seed)), in: &history.History{}}
	s.in.Header = history.Header{
		Format: "squall-history", Version: history.FormatVersion, Functions: history.RegisterFunctions(), Squall: "test", Test: "raftkv-register", System: "raftkv",
		Workload: "register", Nodes: []string{"n1", "n2", "n3", "n4", "n5"}, Seed: seed, Mono: stormMono,
		Wall: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC),
	}
	s.boots = map[string]int{}
	for _, n := range s.in.Header.Nodes {
		s.boots[n] = 1
	}
	const begin = 2.4
	end := begin + float64(seconds)
	s.elect(1.2, "n2", "")
	if faults {
		s.schedule(begin, end)
	}
	s.mark(history.MarkUp, 0.9)
	s.mark(history.MarkServing, 1.25)
	s.mark(history.MarkLoadBegin, begin)
	s.mark(history.MarkLoadEnd, end)
	s.mark(history.MarkHealed, end+0.2)
	s.mark(history.MarkFinalReads, end+0.5)
	s.mark(history.MarkDone, end+1.4)
	s.load(begin, end, clients, interval)
	for i, n := range s.in.Header.Nodes {
		s.node(history.NodeEvent{Node: n, Boot: s.boots[n], Kind: history.EventExit, Time: ns(end + 1.2 + float64(i)/100), Reason: history.ReasonStopped})
	}
	slices.SortStableFunc(s.in.Nodes, func(a, b history.NodeEvent) int { return int(a.Time - b.Time) })
	return s.in
}

func ns(t float64) int64 { return stormMono + int64(t*1e9) }

func rel(t float64) int64 { return int64(t * 1e9) }

func (s *storm) mark(name string, t float64) {
	s.in.Marks = append(s.in.Marks, history.Mark{Name: name, Time: ns(t)})
}

func (s *storm) node(e history.NodeEvent) { s.in.Nodes = append(s.in.Nodes, e) }

func (s *storm) role(t float64, node, role, reason string) {
	s.node(history.NodeEvent{Node: node, Boot: 1, Kind: history.EventRole, Time: ns(t), Term: s.term, Role: role, Reason: reason})
}

// elect has a node stand and win a little later.
func (s *storm) elect(t float64, node, loser string) {
	s.term++
	if loser != "" {
		s.role(t-0.06, loser, history.RoleCandidate, "election timeout")
		s.term++
	}
	s.role(t, node, history.RoleCandidate, "election timeout")
	s.role(t+0.012, node, history.RoleLeader, "won")
	s.lead = node
}

// schedule draws a fault every four seconds or so.
func (s *storm) schedule(begin, end float64) {
	kinds := [][2]string{{"kill", "leader"}, {"partition", "leader"}, {"pause", "leader"}, {"partition", "halves"}, {"kill", "one"}, {"pause", "minority"}, {"partition", "ring"}}
	for i, t := 0, begin+2; t+3 < end; i, t = i+1, t+3.4+s.rng.Float64()*1.6 {
		s.fault(kinds[i%len(kinds)][0], kinds[i%len(kinds)][1], t, t+2+s.rng.Float64())
	}
}

func (s *storm) fault(name, variant string, from, to float64) {
	s.id++
	old := s.lead
	targets := []string{old}
	if variant != "leader" {
		targets = slices.DeleteFunc(slices.Clone(s.in.Header.Nodes), func(n string) bool { return n == old })[:2]
		if variant == "one" {
			targets = targets[:1]
		}
	}
	f := history.Fault{ID: s.id, Name: name, Variant: variant, Phase: history.Inject, Targets: targets, Begin: ns(from), End: ns(from + 0.06)}
	switch {
	case name == "partition" && variant != "ring":
		for _, n := range s.in.Header.Nodes {
			for _, target := range targets {
				if !slices.Contains(targets, n) {
					f.Cut = append(f.Cut, history.Link{From: n, To: target}, history.Link{From: target, To: n})
				}
			}
		}
		f.Detail = fmt.Sprintf("%v | the others", targets)
		f.Proof = []string{targets[0] + " cannot connect to n5 (i/o timeout after 50 ms)", "n5 cannot connect to " + targets[0]}
	case name == "kill":
		f.Proof = []string{"process 17 of " + targets[0] + " is gone (signal: killed)"}
		for _, n := range targets {
			s.node(history.NodeEvent{Node: n, Boot: s.boots[n], Kind: history.EventExit, Time: ns(from + 0.003), Reason: history.ReasonKilled})
			s.boots[n]++
			s.node(history.NodeEvent{Node: n, Boot: s.boots[n], Kind: history.EventStart, Time: ns(to + 0.01)})
		}
	case name == "pause":
		f.Proof = []string{"every thread of " + targets[0] + " is stopped (state T)"}
		for _, n := range targets {
			s.node(history.NodeEvent{Node: n, Boot: s.boots[n], Kind: history.EventPause, Time: ns(from + 0.002)})
			s.node(history.NodeEvent{Node: n, Boot: s.boots[n], Kind: history.EventResume, Time: ns(to + 0.002)})
		}
	}
	s.in.Faults = append(s.in.Faults, f)
	f.Phase, f.Begin, f.End, f.Proof = history.Heal, ns(to), ns(to+0.08), []string{"every pair connects again"}
	s.in.Faults = append(s.in.Faults, f)
	if variant != "leader" {
		s.slow = append(s.slow, measure.Window{Begin: rel(from), End: rel(to)})
		return
	}
	next := s.in.Header.Nodes[s.rng.IntN(5)]
	for next == old {
		next = s.in.Header.Nodes[s.rng.IntN(5)]
	}
	at := from + 0.15 + s.rng.Float64()*0.4
	loser := ""
	if s.rng.IntN(2) == 0 {
		loser = s.in.Header.Nodes[(slices.Index(s.in.Header.Nodes, next)+1)%5]
		if loser == old {
			loser = ""
		}
	}
	s.elect(at, next, loser)
	s.holes = append(s.holes, measure.Window{Begin: rel(from), End: rel(at + 0.03)})
	if name != "kill" {
		s.role(to+0.005, old, history.RoleFollower, "higher term")
	}
}

func inside(ws []measure.Window, t int64) *measure.Window {
	for i := range ws {
		if ws[i].Holds(t) {
			return &ws[i]
		}
	}
	return nil
}

// load runs the clients, each an operation after the other.
func (s *storm) load(begin, end float64, clients int, interval time.Duration) {
	process := int64(clients)
	for c := range clients {
		me := int64(c)
		for t := rel(begin) + int64(c)*1000; t < rel(end); t += int64(float64(interval) * (0.3 + s.rng.Float64()*1.4)) {
			op := s.op(me, t)
			if op.Outcome == history.Info {
				me, process = process, process+1
			}
			t = op.Return - stormMono
			s.in.Ops = append(s.in.Ops, op)
		}
	}
	for k := range 20 {
		t := ns(end + 0.55 + float64(k)/1000)
		s.in.Ops = append(s.in.Ops, history.Op{Process: 1_000_000 + int64(k), Node: "n1", Func: history.Read,
			Key: fmt.Sprintf("k%d", k), Out: history.Null, Outcome: history.OK, Call: t, Return: t + 700_000, Final: true})
	}
	slices.SortFunc(s.in.Ops, func(a, b history.Op) int { return int(a.Call - b.Call) })
}

func (s *storm) op(process, t int64) history.Op {
	funcs := []history.Func{history.Read, history.Read, history.Read, history.Read, history.Read,
		history.Write, history.Write, history.Write, history.CAS, history.CAS}
	op := history.Op{Process: process, Node: s.in.Header.Nodes[s.rng.IntN(5)], Func: funcs[s.rng.IntN(len(funcs))],
		Key: fmt.Sprintf("k%d", t/3e9), Outcome: history.OK, Call: stormMono + t}
	took := int64(900_000 * math.Exp(s.rng.NormFloat64()*0.35))
	if op.Func != history.Read {
		took += 700_000
	}
	if inside(s.slow, t) != nil {
		took = int64(float64(took) * (1.2 + 3*s.rng.Float64()*s.rng.Float64()))
	}
	if hole := inside(s.holes, t+took); hole != nil {
		switch s.rng.IntN(10) {
		case 0, 1:
			op.Outcome, op.Error, took = history.Info, "timed out after 1s", 1_000_000_000
		case 2, 3, 4:
			op.Outcome, op.Error, took = history.Fail, "no leader", 20_000_000+s.rng.Int64N(80_000_000)
		default:
			took = hole.End - t + s.rng.Int64N(30_000_000)
		}
	}
	op.Return = op.Call + took
	op.SetRegister(history.Register{Value: history.Some(fmt.Sprint(t))})
	return op
}

// judged makes the results that belong to a history.
func judged(in *history.History) *check.Results {
	sum := measure.Summarize(in)
	return &check.Results{
		SchemaVersion: check.SchemaVersion, Verdict: check.Pass,
		Checks: []check.Result{
			{Name: "linearizable", Verdict: check.Pass, Summary: fmt.Sprintf("%d operations on %d keys are linearizable", sum.Ops.Total, sum.Ops.Keys),
				Seconds: 0.213, Stats: map[string]float64{"keys": float64(sum.Ops.Keys), "operations": float64(sum.Ops.Total)}},
			{Name: "election-safety", Verdict: check.Pass, Summary: fmt.Sprintf("%d terms, never two leaders in one", sum.Elections.Count), Seconds: 0.002},
			{Name: "state-machine-safety", Verdict: check.Pass, Summary: "the nodes agree at 412 indexes", Seconds: 0.004},
		},
		Ops: sum.Ops, Elections: sum.Elections, Faults: sum.Faults,
		History: measure.HistoryInfo{Records: int64(len(in.Ops) + len(in.Nodes) + len(in.Faults)), Bytes: int64(len(in.Ops)) * 19},
	}
}
