package raft

import (
	"fmt"
	"slices"
	"testing"
)

// follow is what the steps of one boot of one node amount to.
type follow struct {
	base    LogMark
	entries []Entry
	term    uint64
	vote    NodeID
	commit  LogMark
	applied uint64
	durable LogMark
	sent    uint64
	reads   uint64
	begun   uint64 // reads for which a round began
	role    Role
	before  *core // that of the boot before
}

// followSteps checks, in a simulation, that the steps of each node tell what the node
// does: a log that is made of them alone is that of the core, after each step.
type followSteps struct {
	s     *sim
	nodes map[*simNode]*follow
	sent  map[string]bool // from, boot, number
	boots map[NodeID]int
	kinds [lastStepKind + 1]int
}

func watchAllSteps(s *sim) *followSteps {
	f := &followSteps{s: s, nodes: map[*simNode]*follow{}, sent: map[string]bool{}, boots: map[NodeID]int{}}
	s.watchSteps = f.step
	return f
}

func (f *followSteps) step(n *simNode, s *Step) {
	f.kinds[s.Kind]++
	w := f.nodes[n]
	if s.Kind == StepStart {
		f.boots[n.id]++
		w = &follow{base: s.Base, entries: slices.Clone(s.Entries), vote: s.Vote, term: s.Term, role: Stopped, before: n.core}
		w.durable = w.last()
		f.nodes[n] = w
	}
	if w == nil {
		f.s.fail("node %d: %d before its start", n.id, s.Kind)
		return
	}
	if why := f.take(n, w, s); why != "" {
		f.s.fail("node %d, step %d %+v: %s", n.id, s.Kind, s, why)
	}
}

func (w *follow) last() LogMark {
	if n := len(w.entries); n > 0 {
		return LogMark{w.entries[n-1].Index, w.entries[n-1].Term}
	}
	return w.base
}

func (w *follow) holds(m LogMark) bool {
	i := slices.IndexFunc(w.entries, func(e Entry) bool { return e.Index == m.Index && e.Term == m.Term })
	return i >= 0 || m == w.base
}

// take carries a step out, and says what contradicts what came before.
func (f *followSteps) take(n *simNode, w *follow, s *Step) string {
	if s.Kind != StepPersist && s.Kind != StepApply && s.Kind != StepState && s.Kind != StepReadServed {
		if s.Term < w.term {
			return "the term went back"
		}
		if s.Term > w.term {
			w.term, w.vote = s.Term, 0
		}
	}
	switch s.Kind {
	case StepRole:
		w.role = s.Role
		if s.Mark != w.last() {
			return fmt.Sprintf("the log ends in %v", w.last())
		}
	case StepGrant:
		if w.vote != 0 {
			return fmt.Sprintf("it has voted for %d", w.vote)
		}
		w.vote = s.Peer
	case StepAppend:
		if s.Entries[0].Index != w.last().Index+1 {
			return fmt.Sprintf("the log ends in %v", w.last())
		}
		w.entries = append(w.entries, s.Entries...)
	case StepTruncate:
		if !w.holds(s.Mark) || s.Mark.Index < w.commit.Index {
			return fmt.Sprintf("the log does not hold it, or has committed up to %v", w.commit)
		}
		w.entries = slices.DeleteFunc(w.entries, func(e Entry) bool { return e.Index > s.Mark.Index })
	case StepCompact:
		if held := w.holds(s.Mark); held {
			w.entries = slices.DeleteFunc(w.entries, func(e Entry) bool { return e.Index <= s.Mark.Index })
		} else {
			w.entries = nil
		}
		w.base = s.Mark
	case StepPersist:
		if s.Term > w.term || s.Term == w.term && s.Vote != 0 && s.Vote != w.vote {
			return fmt.Sprintf("the term is %d, and the vote %d", w.term, w.vote)
		}
		w.durable = s.Mark
	case StepSend:
		if s.Message.Number != w.sent+1 {
			return fmt.Sprintf("the message before was %d", w.sent)
		}
		w.sent++
		f.sent[fmt.Sprint(n.id, s.Message.To, s.Message.Type, s.Message.Term, s.Message.Number)] = true
	case StepReceive:
		m := s.Message
		if !f.sent[fmt.Sprint(m.From, m.To, m.Type, m.Term, m.Number)] {
			return "nobody sent it"
		}
	case StepCommit:
		if s.Mark.Index < w.commit.Index || s.Mark.Index > w.last().Index {
			return fmt.Sprintf("it had committed %v of a log up to %v", w.commit, w.last())
		}
		w.commit = s.Mark
	case StepApply:
		if s.Mark.Index < w.applied || s.Mark.Index > w.commit.Index {
			return fmt.Sprintf("it had applied %d and committed %v", w.applied, w.commit)
		}
		w.applied = s.Mark.Index
	case StepReadCame:
		if s.First != w.reads+1 || s.Last < s.First {
			return fmt.Sprintf("there were %d reads", w.reads)
		}
		w.reads = s.Last
	case StepRoundBegun:
		if s.First <= w.begun || s.Last > w.reads || s.Mark.Index != w.commit.Index {
			return fmt.Sprintf("a round for reads up to %d had begun, %d came, and %v is committed", w.begun, w.reads, w.commit)
		}
		w.begun = s.Last
	case StepProgress:
		l, leads := n.core.role.(*leader)
		if !leads {
			return "it does not lead"
		}
		if p := l.follower(s.Peer); p.match != s.Match || p.next != s.Next {
			return fmt.Sprintf("its leader has match %d and next %d", p.match, p.next)
		}
	case StepReadServed:
		if s.Last > w.begun || s.Mark.Index > w.applied {
			return fmt.Sprintf("no round began, or applied is %d", w.applied)
		}
	}
	return w.compare(n.core, s)
}

// compare holds the log that the steps amount to against that of the node, except where
// its core is being made, or what changes the log is told of just before.
func (w *follow) compare(c *core, s *Step) string {
	if c == w.before || s.Kind == StepTruncate || s.Kind == StepCompact || c.steps.told != c.log.last() {
		return ""
	}
	if w.last() != c.log.lastMark() {
		return fmt.Sprintf("the steps amount to a log up to %v, but it ends in %v", w.last(), c.log.lastMark())
	}
	return ""
}

// TestStepsTellWhatANodeDoes storms clusters and follows their steps, of which every
// kind must have come.
func TestStepsTellWhatANodeDoes(t *testing.T) {
	var kinds [lastStepKind + 1]int
	for seed := range uint64(envSeeds(12)) {
		for _, size := range []int{3, 5} {
			var f *followSteps
			s := runSeed(seed, size, func(s *sim) { f = watchAllSteps(s) })
			if s.failure != "" {
				t.Fatalf("seed %d, %d nodes: %s", seed, size, s.failure)
			}
			for i, n := range f.kinds {
				kinds[i] += n
			}
			for _, n := range s.nodes {
				w := f.nodes[n]
				if w.commit.Index != n.core.log.commit || w.vote != n.core.vote || w.role != n.core.role.kind() {
					t.Errorf("seed %d: the steps of %v amount to commit %v, vote %d, %v", seed, n, w.commit, w.vote, w.role)
				}
			}
		}
	}
	for kind := StepStart; kind <= lastStepKind; kind++ {
		if kinds[kind] == 0 && kind != StepFailed {
			t.Errorf("no step %d in any of the storms", kind)
		}
	}
	t.Logf("steps: %v", kinds)
}

// order records what a node tells and what leaves it.
type order struct {
	*script
	did []string
}

func (o *order) Step(s *Step) { o.did = append(o.did, fmt.Sprint("step ", s.Kind)) }
func (o *order) Sync()        { o.did = append(o.did, "sync") }
func (o *order) Send(to NodeID, m *Message) {
	o.did = append(o.did, fmt.Sprintf("send %v %d to %d", m.Type, m.Number, to))
}
func (o *order) write(j writeJob) { o.did = append(o.did, fmt.Sprint("write ", j.seq)) }
func (o *order) apply(j applyJob) { o.did = append(o.did, fmt.Sprintf("%T", j)) }
func (*order) archive(j storeJob) {}

// TestStepsAreVisibleBeforeAnythingLeaves: what a flush sends, writes and applies goes
// after one Sync, which goes after the steps; and a failure is told, too.
func TestStepsAreVisibleBeforeAnythingLeaves(t *testing.T) {
	o := &order{script: newScript(t, 3, HardState{Term: 4})}
	o.c.cfg.Steps, o.c.cfg.Transport, o.c.out = o, o, o
	newStepper(o.c, &State{})
	o.did = nil
	take := func(tasks ...task) string {
		o.did = nil
		for _, x := range tasks {
			o.h.handle(x)
		}
		o.h.flush()
		return fmt.Sprint(o.did)
	}
	entries := &Message{Type: MsgAppend, From: 2, To: 1, Term: 4, Entries: entriesOf(0, 4, 4), Commit: 1}
	o.want("an append", take(receive{entries}), fmt.Sprintf("[step %d step %d step %d step %d sync write 1 *raft.applyEntries]",
		StepReceive, StepRole, StepAppend, StepCommit))
	o.want("its write", take(persisted{1}), fmt.Sprintf("[step %d step %d sync send append reply 1 to 2]", StepPersist, StepSend))
	o.want("nothing that matters", take(persisted{1}), "[]")
	other := &Message{Type: MsgAppend, From: 3, To: 1, Term: 4}
	o.want("a second leader", take(receive{other}), fmt.Sprintf("[step %d step %d step %d sync]", StepReceive, StepFailed, StepRole))
}
