package raft

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// invariants is what the simulation knows of what must hold.
type invariants struct {
	leaders   map[uint64]NodeID // by term
	committed []Entry           // committed[i] has index i+1
	chain     map[uint64]uint64 // chain hash by index
	states    map[uint64]uint64 // state hash by index
	votes     map[[2]uint64]NodeID
	maxTerm   map[NodeID]uint64
	seen      map[*core]uint64 // committed entries compared so far
	installs  int
}

func newInvariants() invariants {
	return invariants{
		leaders: map[uint64]NodeID{}, chain: map[uint64]uint64{}, states: map[uint64]uint64{},
		votes: map[[2]uint64]NodeID{}, maxTerm: map[NodeID]uint64{}, seen: map[*core]uint64{},
	}
}

// checkEvent checks a node's trace as a checker outside would.
func (s *sim) checkEvent(n *simNode, ev Event) {
	if ev.Kind != EventState {
		if ev.Term < s.maxTerm[n.id] {
			s.fail("node %d reports term %d after term %d", n.id, ev.Term, s.maxTerm[n.id])
		}
		s.maxTerm[n.id] = ev.Term
	}
	agree := func(m map[uint64]uint64, what string) {
		if before, ok := m[ev.Index]; ok && before != ev.Hash {
			s.fail("node %d: %s hash at %d differs from another's", n.id, what, ev.Index)
		}
		m[ev.Index] = ev.Hash
	}
	switch ev.Kind {
	case EventRole:
		if ev.Role != Leader {
			return
		}
		if other, ok := s.leaders[ev.Term]; ok && other != n.id {
			s.fail("election safety: nodes %d and %d both lead term %d", other, n.id, ev.Term)
		}
		s.leaders[ev.Term] = n.id
		s.checkCompleteness(n)
	case EventVote:
		key := [2]uint64{uint64(n.id), ev.Term}
		if other, ok := s.votes[key]; ok && other != ev.Vote {
			s.fail("node %d voted for %d and %d in term %d", n.id, other, ev.Vote, ev.Term)
		}
		s.votes[key] = ev.Vote
	case EventCommit:
		agree(s.chain, "log")
	case EventState:
		agree(s.states, "state")
	case EventSnapshot:
		if ev.Reason == "installed" {
			s.installs++
		}
	}
}

// checkCompleteness: a new leader holds every entry that was ever committed.
func (s *sim) checkCompleteness(n *simNode) {
	log := n.core.log
	for i := range s.committed {
		e := &s.committed[i]
		if e.Index > log.base.Index && !log.holds(LogMark{e.Index, e.Term}) {
			s.fail("leader completeness: %v lacks entry %d of term %d", n, e.Index, e.Term)
			return
		}
	}
}

// checkNode compares what a node has newly committed with what others have.
func (s *sim) checkNode(n *simNode) {
	c := n.core
	if c.err != nil {
		s.fail("node %d gave up: %v", n.id, c.err)
		return
	}
	from := max(s.seen[c]+1, c.log.base.Index+1)
	for i := from; i <= c.log.commit; i++ {
		e := c.log.slice(i, i)[0]
		if i > uint64(len(s.committed)) {
			if i != uint64(len(s.committed))+1 {
				s.fail("node %d commits %d before %d", n.id, i, len(s.committed)+1)
				return
			}
			s.committed = append(s.committed, e)
			s.checkDurable(e)
		}
		want := s.committed[i-1]
		if e.Term != want.Term || e.Kind != want.Kind || !bytes.Equal(e.Command, want.Command) {
			s.fail("state machine safety: node %d commits another entry at %d", n.id, i)
			return
		}
	}
	s.seen[c] = c.log.commit
	if c.log.uncommitted != c.log.sizeAbove(c.log.commit) {
		s.fail("node %d counts %d uncommitted bytes of %d", n.id, c.log.uncommitted, c.log.sizeAbove(c.log.commit))
	}
	if l, ok := c.role.(*leader); ok {
		for _, p := range l.followers {
			if p.match >= p.next || p.match > c.log.last() {
				s.fail("node %d: follower %d has match %d, next %d of %d", n.id, p.id, p.match, p.next, c.log.last())
			}
		}
	}
}

// checkDurable: what is committed is on the disks of a majority.
func (s *sim) checkDurable(e Entry) {
	holders := 0
	for _, n := range s.nodes {
		st := n.storage
		newest := st.newest()
		i := e.Index - st.base.Index - 1
		if newest != nil && newest.meta.Index >= e.Index ||
			e.Index > st.base.Index && i < uint64(len(st.entries)) && st.entries[i].Term == e.Term {
			holders++
		}
	}
	if holders <= len(s.members)/2 {
		s.fail("durability: entry %d was committed with %d holders", e.Index, holders)
	}
}

// clients are the operations on the register, and the rule that makes them
// linearizable: every write makes the register one longer, so its length
// orders everything. An operation must find at least what any operation that
// had ended before it began has left.
type clients struct {
	lastID    uint64
	issued    map[uint64]*simOp
	longest   int // the longest register that an ended operation has seen
	acked     int
	readsDone int
}

type simOp struct {
	outcome  error
	answered int
	result   int
}

func (s *sim) nextID() uint64 { s.lastID++; return s.lastID }

func (s *sim) clientOp() {
	n := s.nodes[s.members[s.rng.IntN(len(s.members))]]
	for range 3 { // mostly at a leader
		if n.up && n.core.role.kind() == Leader {
			break
		}
		n = s.nodes[s.members[s.rng.IntN(len(s.members))]]
	}
	if !n.up {
		return
	}
	var tasks []task
	for range 1 + s.rng.IntN(3) {
		if s.rng.IntN(3) == 0 {
			tasks = append(tasks, s.newRead(n))
		} else {
			tasks = append(tasks, s.newWrite())
		}
		n.pending.Add(1)
	}
	n.task(n.boot, tasks...)
}

func (s *sim) newWrite() *propose {
	id, before, op := s.nextID(), s.longest, &simOp{}
	s.issued[id] = op
	return &propose{command: binary.LittleEndian.AppendUint64(nil, id), done: func(result any, err error) {
		op.answered++
		op.outcome = err
		if err != nil {
			return
		}
		op.result = result.(int)
		s.acked++
		if op.result <= before {
			s.fail("linearizability: a write came to place %d after an operation that had seen %d", op.result, before)
		}
		s.longest = max(s.longest, op.result)
	}}
}

func (s *sim) newRead(n *simNode) *read {
	before, machine := s.longest, n.machine
	return &read{done: func(err error) {
		if err != nil {
			return
		}
		s.readsDone++
		if len(machine.ids) < before {
			s.fail("linearizability: node %d read %d writes after %d had been seen", n.id, len(machine.ids), before)
		}
		s.longest = max(s.longest, len(machine.ids))
	}}
}

// checkWrites compares what the clients were told with what the register holds.
func (s *sim) checkWrites(ids []uint64) {
	place := map[uint64]int{}
	for i, id := range ids {
		if place[id] != 0 {
			s.fail("write %d took effect twice", id)
		}
		place[id] = i + 1
	}
	for id, op := range s.issued {
		switch {
		case op.answered > 1:
			s.fail("write %d was answered %d times", id, op.answered)
		case op.answered == 0:
		case op.outcome == nil && place[id] != op.result:
			s.fail("acknowledged write %d is at place %d, not %d", id, place[id], op.result)
		case op.outcome != nil && !errors.Is(op.outcome, ErrUnknown) && place[id] != 0:
			s.fail("write %d took effect although the answer was %v", id, op.outcome)
		}
	}
}
