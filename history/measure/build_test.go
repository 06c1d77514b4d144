package measure

import (
	"time"

	"squall/history"
)

const ms = int64(time.Millisecond)

// mono is when the tests' clock starts: far from 0, so that a time that was
// not made relative shows.
const mono = int64(7_000_000) * ms

// script builds a history by hand; times are ms since the start of the test.
type script struct{ in *history.History }

func newScript() *script {
	return &script{&history.History{Header: history.Header{
		Mono: mono, Nodes: []string{"n1", "n2", "n3", "n4", "n5"},
	}}}
}

func at(t int64) int64 { return mono + t*ms }

func (s *script) mark(name string, t int64) *script {
	s.in.Marks = append(s.in.Marks, history.Mark{Name: name, Time: at(t)})
	return s
}

// load sets the marks of a test whose load runs from from to to.
func (s *script) load(from, to int64) *script {
	return s.mark(history.MarkLoadBegin, from).mark(history.MarkLoadEnd, to).
		mark(history.MarkHealed, to+100).mark(history.MarkFinalReads, to+200).mark(history.MarkDone, to+5000)
}

func (s *script) event(t int64, node, kind, reason string) *script {
	s.in.Nodes = append(s.in.Nodes, history.NodeEvent{
		Node: node, Boot: 1, Kind: kind, Time: at(t), Reason: reason,
	})
	return s
}

func (s *script) role(t int64, node, role string, term uint64, reason string) *script {
	s.in.Nodes = append(s.in.Nodes, history.NodeEvent{
		Node: node, Boot: 1, Kind: history.EventRole, Time: at(t), Term: term, Role: role, Reason: reason,
	})
	return s
}

func (s *script) leader(t int64, node string, term uint64) *script {
	return s.role(t, node, history.RoleLeader, term, "")
}

func (s *script) candidate(t int64, node string, term uint64) *script {
	return s.role(t, node, history.RoleCandidate, term, "")
}

func (s *script) follower(t int64, node string, term uint64, reason string) *script {
	return s.role(t, node, history.RoleFollower, term, reason)
}

// fault injects at from and heals at to (0: never); each takes 50 ms to
// verify.
func (s *script) fault(id int, name, variant string, from, to int64, cut []history.Link, targets ...string) *script {
	f := history.Fault{ID: id, Name: name, Variant: variant, Targets: targets, Cut: cut,
		Phase: history.Inject, Begin: at(from), End: at(from + 50), Proof: []string{"bites"}}
	s.in.Faults = append(s.in.Faults, f)
	if to > 0 {
		f.Phase, f.Begin, f.End, f.Proof = history.Heal, at(to), at(to+50), []string{"healed"}
		s.in.Faults = append(s.in.Faults, f)
	}
	return s
}

// isolate cuts a node off from all others, both ways.
func (s *script) isolate(id int, node string, from, to int64) *script {
	var cut []history.Link
	for _, n := range s.in.Header.Nodes {
		if n != node {
			cut = append(cut, history.Link{From: n, To: node}, history.Link{From: node, To: n})
		}
	}
	return s.fault(id, "partition", "isolate", from, to, cut, node)
}

func (s *script) op(call, ret int64, f history.Func, outcome history.Outcome) *script {
	s.in.Ops = append(s.in.Ops, history.Op{
		Process: int64(len(s.in.Ops)), Node: "n1", Func: f, Key: "k", Outcome: outcome, Call: at(call), Return: at(ret),
	})
	return s
}

// succeeds has one operation after another of 10 ms succeed from from to to;
// the last returns at to.
func (s *script) succeeds(from, to int64) *script {
	for t := from; t+10 <= to; t += 10 {
		s.op(t, t+10, history.Write, history.OK)
	}
	return s
}
