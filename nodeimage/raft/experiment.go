package raft

import (
	"slices"
	"time"
)

// Experiment has a node take trials of elections ([Trial]) and do without what the
// servers of the Raft paper did not have, to measure what it costs. It is a layer
// between the event loop and the core, which knows nothing of it.
type Experiment struct {
	// NoPreVote stands for election without asking first.
	NoPreVote bool
	// NoStickiness votes against a leader that is still heard.
	NoStickiness bool
	// WriteFirst has a leader send an entry only when its own disk holds it.
	WriteFirst bool
	// StartWait, where it is not 0, is how long a node waits for a leader after its
	// start before it stands for election: from this to twice this.
	StartWait time.Duration
}

// experiment is the layer. It takes the tasks before the core does, and the core's
// messages before the transport.
type experiment struct {
	Experiment
	core      *core
	transport Transport
	delayed   []held    // appends that wait for this node's own disk
	trial     *trialRun // nil: none
}

var (
	_ handler   = (*experiment)(nil)
	_ Transport = (*experiment)(nil)
)

// handlerOf is what handles the tasks of a node: its core, with the layer around it
// if there is an experiment.
func handlerOf(c *core) handler {
	if c.cfg.Experiment == nil {
		return c
	}
	x := &experiment{Experiment: *c.cfg.Experiment, core: c, transport: c.cfg.Transport}
	c.cfg.Transport = x
	return x
}

func (x *experiment) start() {
	if w := x.StartWait; w > 0 {
		x.core.setElectionTimer(w + time.Duration(x.core.cfg.Rand.Int64N(int64(w))))
		return
	}
	x.core.start()
}

func (x *experiment) handle(t task) {
	switch t := t.(type) {
	case *trial:
		x.beginTrial(t.Trial)
	case trialOver:
		x.endTrial()
	case electionTimeout:
		x.onTimeout(t)
	case receive:
		x.receive(t.m)
	default:
		x.core.handle(t)
	}
	x.afterwards()
}

func (x *experiment) flush() {
	x.core.flush()
	x.afterwards()
	x.core.steps.release()
}

// afterwards acts on what has become of the core.
func (x *experiment) afterwards() {
	x.sendDelayed()
	x.advanceTrial()
}

// onTimeout begins an election at once, without pre-vote.
func (x *experiment) onTimeout(t electionTimeout) {
	c := x.core
	if !x.NoPreVote {
		c.handle(t)
	} else if c.electionDue(t.gen) { // a leader's is stopped
		c.toCandidate(reasonTimeout)
	}
}

// receive lets a candidate depose a leader that is still heard.
func (x *experiment) receive(m *Message) {
	c := x.core
	if x.NoStickiness && c.concerns(m) && c.role.kind() != Stopped {
		switch {
		case m.Type == MsgPreVote && m.Term >= c.term:
			c.steps.received(m)
			c.replyPreVote(m)
			return
		case m.Type == MsgVote && m.Term > c.term:
			c.steps.received(m)
			c.toFollower(m.Term, 0, reasonHigherTerm)
			c.role.message(m)
			c.drainSelf()
			return
		}
	}
	c.handle(receive{m})
}

// Send holds an append back, with WriteFirst, until this node's own disk has what
// the log holds now.
func (x *experiment) Send(to NodeID, m *Message) {
	if x.WriteFirst && m.Type == MsgAppend {
		if seq := x.core.nextSeq(); seq > x.core.durable {
			x.delayed = append(x.delayed, held{seq: seq, m: m})
			return
		}
	}
	x.transport.Send(to, m)
}

// sendDelayed sends the appends that need wait no longer. One of a term that is
// over is dropped, as the core does.
func (x *experiment) sendDelayed() {
	c := x.core
	x.delayed = slices.DeleteFunc(x.delayed, func(h held) bool {
		if h.seq > c.durable && c.role.kind() != Stopped {
			return false
		}
		if h.m.Term == c.term && c.role.kind() != Stopped {
			x.transport.Send(h.m.To, h.m)
		}
		return true
	})
}
