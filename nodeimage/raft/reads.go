package raft

import "slices"

// maxReadRounds bounds the rounds of heartbeats for reads that are under way
// at once; reads that come meanwhile share the next one.
const maxReadRounds = 4

// readRounds are the reads of one leadership (ReadIndex).
type readRounds struct {
	waiting []*read // for the next round
	rounds  []readRound
	// context numbers the rounds. It only ever grows within a leadership, and
	// an answer of another term never gets here, so that an answer which names
	// a context was certainly given after that round began.
	context uint64
}

// readRound is a number of reads that one round of heartbeats serves.
type readRound struct {
	context uint64
	index   uint64 // what was committed when the round began
	dones   []*read
}

// servedRead is a number of reads that may be answered once the state machine
// holds index.
type servedRead struct {
	index uint64
	dones []*read
}

// startRound begins a round for the reads that wait. Before an entry of its
// own term is committed, a leader does not know what is: they wait for that.
func (l *leader) startRound() {
	r := &l.reads
	if len(r.waiting) == 0 || len(r.rounds) >= maxReadRounds || !l.committedInTerm() {
		return
	}
	r.context++
	r.rounds = append(r.rounds, readRound{context: r.context, index: l.c.log.commit, dones: r.waiting})
	r.waiting = nil
	l.c.steps.roundBegun(r.rounds[len(r.rounds)-1])
	l.broadcastHeartbeat()
	l.confirmReads()
}

// quorumContext is the newest round that a quorum has answered, this node
// included: at its beginning this node was certainly still the leader.
func (l *leader) quorumContext() uint64 {
	contexts := make([]uint64, 0, 8)
	contexts = append(contexts, l.reads.context)
	for _, p := range l.followers {
		contexts = append(contexts, p.context)
	}
	slices.Sort(contexts)
	return contexts[len(contexts)-l.c.quorum]
}

// confirmReads lets the reads go whose round a quorum has answered.
func (l *leader) confirmReads() {
	r := &l.reads
	if len(r.rounds) == 0 {
		return
	}
	confirmed, n := l.quorumContext(), 0
	for ; n < len(r.rounds) && r.rounds[n].context <= confirmed; n++ {
		l.c.serveReads(r.rounds[n].index, r.rounds[n].dones)
	}
	if n > 0 {
		l.c.steps.roundDone(confirmed)
	}
	r.rounds = r.rounds[n:]
}

// serveReads answers reads once index is applied.
func (c *core) serveReads(index uint64, dones []*read) {
	c.reads = append(c.reads, servedRead{index, dones})
}

func (c *core) failReads(dones []*read, err error) {
	for _, r := range dones {
		c.pending.Add(-1)
		r.done(err)
	}
}
