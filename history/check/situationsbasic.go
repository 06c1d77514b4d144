package check

import (
	"cmp"
	"slices"

	"squall/history"
	"squall/history/trace"
)

// basicSituations counts in a trace of version 1, which is in the history; nil when no
// server wrote one. trouble is what is wrong with the full trace, if there is one.
func basicSituations(r *Results, h *history.History, trouble string) *Situations {
	if !history.Traced(h.Nodes) {
		return nil
	}
	feed := &basicFeed{ids: map[string]trace.NodeID{}}
	for _, name := range h.Header.Nodes {
		feed.id(name)
	}
	o := newObserver(r, h.Header.Mono, len(h.Header.Nodes), feed.name)
	for _, i := range byTime(h.Nodes) {
		if e := feed.event(&h.Nodes[i]); e != nil {
			o.tracker.Observe(e)
		}
	}
	s := o.situations(false)
	s.Trouble = trouble
	return s
}

// byTime are the places of events, in the order of their times.
func byTime(events []history.NodeEvent) []int32 {
	order := make([]int32, len(events))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(events[a].Time, events[b].Time) })
	return order
}

// basicFeed turns the events of a trace of version 1 into those of version 2 that say
// as much.
type basicFeed struct {
	ids   map[string]trace.NodeID
	names []string // by id, from 1 on
	now   trace.Event
}

// basicLacks is what version 1 never tells.
func basicLacks() trace.Lacks {
	lacks := trace.LacksNumbers | trace.LacksHash | trace.LacksRounds | trace.LacksStored
	for _, k := range trace.Kinds() {
		switch k {
		case trace.Start, trace.RoleChange, trace.Grant, trace.Commit, trace.Snapshot, trace.Silent:
		default:
			lacks |= trace.LacksKind(k)
		}
	}
	return lacks
}

func (f *basicFeed) id(name string) trace.NodeID {
	if name == "" {
		return 0
	}
	id, ok := f.ids[name]
	if !ok {
		f.names = append(f.names, name)
		id = trace.NodeID(len(f.names))
		f.ids[name] = id
	}
	return id
}

func (f *basicFeed) name(id trace.NodeID) string { return f.names[id-1] }

// event is e as version 2 has it, valid until the next call; nil if it says nothing
// there.
func (f *basicFeed) event(e *history.NodeEvent) *trace.Event {
	out := &f.now
	*out = trace.Event{Node: f.id(e.Node), Boot: e.Boot, Time: e.Time, Term: e.Term,
		Mark: trace.Mark{Index: e.Index, Term: e.EntryTerm}, Reason: e.Reason}
	switch e.Kind {
	case history.EventStart:
		out.Kind, out.Lacks = trace.Start, basicLacks()
	case history.EventExit:
		out.Kind, out.Role = trace.RoleChange, trace.Stopped
	case history.EventRole:
		out.Kind, out.Role, out.Peer = trace.RoleChange, roleOf(e.Role), f.id(e.Leader)
	case history.EventVote:
		out.Kind, out.Peer = trace.Grant, f.id(e.Vote)
	case history.EventCommit:
		out.Kind = trace.Commit
	case history.EventSnapshot:
		out.Kind = trace.Snapshot
	case history.EventSilent:
		out.Kind = trace.Silent
	default:
		return nil
	}
	return out
}

func roleOf(name string) trace.Role {
	switch name {
	case history.RoleCandidate:
		return trace.Candidate
	case history.RoleLeader:
		return trace.Leader
	case history.RoleStopped:
		return trace.Stopped
	}
	return trace.Follower
}
