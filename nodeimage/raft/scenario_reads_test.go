package raft

import (
	"testing"

	"squall/nodeimage/mutants/scenario"
)

// reader is a leader, and how many reads it has answered.
type reader struct {
	*script
	err   error
	calls int
}

// newReader makes a leader that has committed its first entry.
func newReader(t *testing.T, size int) *reader {
	r := &reader{script: newScript(t, size, HardState{})}
	r.lead()
	r.sync()
	for from := 2; from <= r.c.quorum; from++ {
		r.ack(NodeID(from), 1)
	}
	return r
}

// read begins a read, and returns the number of its round of heartbeats (0: none).
func (r *reader) read() (context uint64) {
	for _, m := range r.do(readTask(&r.err, &r.calls)) {
		context = max(context, m.Context)
	}
	return context
}

func (r *reader) heartbeatReply(from NodeID, context uint64) {
	r.step(&Message{Type: MsgHeartbeatReply, From: from, Term: r.c.term, Context: context})
}

// answered is how many reads were answered so far.
func (r *reader) answered() int {
	r.answerReads()
	return r.calls
}

var _ = scenarios.Add(scenario.Set{
	"local-reads": func(t *testing.T) {
		r := newReader(t, 3)
		r.read() // the leader is cut off, and another may lead
		r.want("reads answered without a word from others", r.answered(), 0)
	},

	"reads-without-noop": func(t *testing.T) {
		// All three entries were committed by the leader of term 1. This node has
		// them, and does not know.
		r := &reader{script: newScript(t, 3, HardState{Term: 1}, 1, 1, 1)}
		r.lead()
		round := r.read()
		r.heartbeatReply(2, round)
		r.want("reads answered before anything is committed in term 2", r.answered(), 0)
	},

	"read-quorum-short": func(t *testing.T) {
		r := newReader(t, 5)
		round := r.read()
		r.heartbeatReply(2, round)
		r.want("reads answered with two of five", r.answered(), 0)
		r.heartbeatReply(3, round)
		r.want("reads answered with three of five", r.answered(), 1)
	},

	"read-context-reused": func(t *testing.T) {
		r := newReader(t, 3)
		first := r.read()
		r.heartbeatReply(2, first)
		r.want("reads answered", r.answered(), 1)
		r.read() // the leader is cut off by now; only an answer of before is to come
		r.heartbeatReply(3, first)
		r.want("reads answered after a late answer to the first round", r.answered(), 1)
	},

	"lease-reads": func(t *testing.T) {
		r := newReader(t, 3)
		// Minutes pass, and another leader writes. The clock of this one stands still.
		r.read()
		r.want("reads answered by a clock", r.answered(), 0)
	},

	"lease-from-poll": func(t *testing.T) {
		r := newReader(t, 3)
		heard := r.now
		for r.now < heard+r.c.cfg.ElectionMin {
			r.heartbeat() // nobody hears it
		}
		r.want("role", r.c.role.kind(), Leader)
		r.read() // the others may have elected another by now
		r.want("reads answered an election timeout after the last contact", r.answered(), 0)
	},

	"rejection-is-contact": func(t *testing.T) {
		r := newReader(t, 3)
		r.step(&Message{Type: MsgAppendReply, From: 2, Term: 2, Reject: true})
		r.want("role when a follower is of a later term", r.c.role.kind(), Follower)
	},
})
