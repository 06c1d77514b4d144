package nemesis

import (
	"slices"
	"strings"
	"time"

	"squall/history"
	"squall/history/trace"
)

// Moment is something that a node does and that squall sees as it happens: what a
// fault can be aimed at. It is a value without state.
type Moment struct {
	Name string // of small letters and dashes
	Doc  string
	// Need is what it takes to see it: NeedTrace, NeedFullTrace, NeedLeader, or "" where
	// squall's own agents see it.
	Need Need

	// event tells it in what a node's trace, or its agent, says; s is what was seen
	// before. peer is the other node that it is about, if there is one.
	event func(s *scene, e *history.NodeEvent) (peer string, is bool)
	// step tells it in a step of a full trace; self is the node's own number.
	step func(self trace.NodeID, e *trace.Event) (peer trace.NodeID, is bool)
	// told tells it in who leads, by what clients or logs tell: "" is nobody.
	told func(leader string) bool
}

// Sighting is a moment that was seen.
type Sighting struct {
	Moment string
	Node   string // whose it is; "" where only clients told of it
	Peer   string // the other node that it is about: of a vote, the candidate
	Term   uint64 // 0: not known
	Time   int64  // when it was, by the machines' clock, ns
}

// Moments are all moments, in the order in which they are listed.
func Moments() []Moment {
	return []Moment{
		{Name: "election-begun", Doc: "a node stands for election in a new term", Need: NeedTrace, event: electionBegun},
		{Name: "vote-granted", Doc: "a node grants its vote to another", Need: NeedTrace, event: voteGranted},
		{Name: "leader-elected", Doc: "a new leader is seen", Need: NeedLeader, event: leaderElected,
			told: func(leader string) bool { return leader != "" }},
		{Name: "leader-lost", Doc: "a leader steps down, or a node misses its leader", Need: NeedLeader, event: leaderLost,
			told: func(leader string) bool { return leader == "" }},
		{Name: "term-advanced", Doc: "a node comes to a term that none had before", Need: NeedTrace, event: termAdvanced},
		{Name: "commit-advanced", Doc: "the commit index moves again after it stood still, as after a heal or an election", Need: NeedTrace, event: commitAdvanced},
		{Name: "snapshot-taken", Doc: "a node has written a snapshot", Need: NeedTrace, event: snapshot("taken")},
		{Name: "snapshot-installed", Doc: "a node has taken over a snapshot of another", Need: NeedTrace, event: snapshot("installed")},
		{Name: "server-started", Doc: "a server's process is started", event: ofKind(history.EventStart)},
		{Name: "server-ended", Doc: "a server's process ends", event: ofKind(history.EventExit)},

		{Name: "vote-decided", Doc: "a node decides to vote for another; the vote is not on its disk yet", Need: NeedFullTrace, step: voteDecided},
		{Name: "truncated", Doc: "a node removes entries from its log", Need: NeedFullTrace, step: stepOf(trace.Truncate)},
		{Name: "read-round", Doc: "a leader begins to confirm that it leads, for reads", Need: NeedFullTrace, step: stepOf(trace.RoundBegun)},
		{Name: "snapshot-begun", Doc: "a node begins to write a snapshot", Need: NeedFullTrace, step: snapshotStep("begun")},
		{Name: "snapshot-sending", Doc: "a leader begins to send a snapshot", Need: NeedFullTrace, step: snapshotStep("sending")},
		{Name: "snapshot-receiving", Doc: "a node begins to receive a snapshot", Need: NeedFullTrace, step: snapshotStep("receiving")},
		{Name: "transfer-begun", Doc: "a leader begins to hand its leadership over", Need: NeedFullTrace, step: stepOf(trace.Transfer)},
		{Name: "config-changed", Doc: "a configuration of members takes effect on a node", Need: NeedFullTrace,
			step: func(self trace.NodeID, e *trace.Event) (trace.NodeID, bool) {
				return 0, e.Kind == trace.Config && e.Mark != (trace.Mark{})
			}},
	}
}

// FindMoment finds a moment by its name.
func FindMoment(name string) (Moment, bool) {
	all := Moments()
	if i := slices.IndexFunc(all, func(m Moment) bool { return m.Name == name }); i >= 0 {
		return all[i], true
	}
	return Moment{}, false
}

func momentNames() []string {
	var names []string
	for _, m := range Moments() {
		names = append(names, m.Name)
	}
	return names
}

// commitRest is how long the commit index must have stood still for its next step to be
// a moment: about a heartbeat of an idle cluster longer than what a busy one takes.
const commitRest = 250 * time.Millisecond

// scene is what was seen of a cluster so far, as far as moments depend on it.
type scene struct {
	leading history.Leading
	term    uint64            // the highest that a node has told
	roles   map[string]string // by node, with the leader that it knew: "follower n2"
	commit  uint64            // the highest commit index that a node has told
	moved   int64             // when that was, ns; 0: never
}

// take remembers an event.
func (s *scene) take(e *history.NodeEvent) {
	s.leading.Take(e)
	if e.OfTrace() {
		s.term = max(s.term, e.Term)
	}
	switch e.Kind {
	case history.EventRole:
		if s.roles == nil {
			s.roles = map[string]string{}
		}
		s.roles[e.Node] = e.Role + " " + e.Leader
	case history.EventStart, history.EventExit:
		delete(s.roles, e.Node)
	case history.EventCommit:
		if e.Index > s.commit {
			s.commit, s.moved = e.Index, e.Time
		}
	}
}

// electionBegun: a system whose trace calls pre-candidates candidates tells so in the
// old term, which is no election yet.
func electionBegun(s *scene, e *history.NodeEvent) (string, bool) {
	return "", e.Kind == history.EventRole && e.Role == history.RoleCandidate && e.Term > s.leading.Term
}

func voteGranted(_ *scene, e *history.NodeEvent) (string, bool) {
	return e.Vote, e.Kind == history.EventVote && e.Vote != e.Node
}

func leaderElected(s *scene, e *history.NodeEvent) (string, bool) {
	before := s.leading
	elected, _ := before.Take(e)
	return "", elected
}

// leaderLost: the end of a leader's server is seen by the agent, and its loss by those
// that miss it. The first that tells makes the moment, and so does each that follows.
func leaderLost(s *scene, e *history.NodeEvent) (string, bool) {
	if e.Kind != history.EventRole || e.Role == history.RoleLeader || e.Leader != "" {
		return "", false
	}
	role, leader, _ := strings.Cut(s.roles[e.Node], " ")
	return leader, role == history.RoleLeader || leader != ""
}

func termAdvanced(s *scene, e *history.NodeEvent) (string, bool) {
	return "", e.OfTrace() && e.Term > s.term
}

func commitAdvanced(s *scene, e *history.NodeEvent) (string, bool) {
	return "", e.Kind == history.EventCommit && e.Index > s.commit && s.moved != 0 && e.Time-s.moved >= int64(commitRest)
}

func snapshot(reason string) func(*scene, *history.NodeEvent) (string, bool) {
	return func(_ *scene, e *history.NodeEvent) (string, bool) {
		return "", e.Kind == history.EventSnapshot && e.Reason == reason
	}
}

func ofKind(kind string) func(*scene, *history.NodeEvent) (string, bool) {
	return func(_ *scene, e *history.NodeEvent) (string, bool) { return "", e.Kind == kind }
}

func voteDecided(self trace.NodeID, e *trace.Event) (trace.NodeID, bool) {
	return e.Peer, e.Kind == trace.Grant && e.Peer != self
}

func stepOf(kind trace.Kind) func(trace.NodeID, *trace.Event) (trace.NodeID, bool) {
	return func(_ trace.NodeID, e *trace.Event) (trace.NodeID, bool) { return e.Peer, e.Kind == kind }
}

func snapshotStep(reason string) func(trace.NodeID, *trace.Event) (trace.NodeID, bool) {
	return func(_ trace.NodeID, e *trace.Event) (trace.NodeID, bool) {
		return e.Peer, e.Kind == trace.Snapshot && e.Reason == reason
	}
}
