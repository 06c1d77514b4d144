package raft

import (
	"errors"
	"testing"
)

func readTask(outcome *error, calls *int) *read {
	return &read{done: func(err error) { *outcome = err; *calls++ }}
}

// answered runs the reads that were handed to the state machine.
func (s *script) answerReads() {
	a := &applier{cfg: &s.c.cfg, pending: &s.pending}
	for _, j := range s.applies {
		if r, ok := j.(*answerReads); ok {
			a.run(r)
		}
	}
	s.applies = nil
}

func TestReadNeedsQuorumAfterItBegan(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.lead()
	var err error
	calls := 0
	s.want("before the term's first commit", show(s.do(readTask(&err, &calls))), "")
	s.sync()
	sent := s.ack(2, 1)
	s.want("round", show(sent), "heartbeat>2 t1 i0, heartbeat>3 t1 i0")
	first := sent[0].Context

	s.step(&Message{Type: MsgHeartbeatReply, From: 2, Term: 1, Context: first - 1})
	s.answerReads()
	s.want("answers after an old heartbeat's reply", calls, 0)
	s.step(&Message{Type: MsgHeartbeatReply, From: 2, Term: 1, Context: first})
	s.answerReads()
	s.want("answers", calls, 1)
	s.want("outcome", err, nil)
}

func TestReadsShareARound(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.lead()
	s.sync()
	s.ack(2, 1)
	var tasks []task
	var err error
	calls := 0
	for range 30 {
		tasks = append(tasks, readTask(&err, &calls))
	}
	sent := s.do(tasks...)
	s.want("messages", len(sent), 2)
	s.step(&Message{Type: MsgHeartbeatReply, From: 3, Term: 1, Context: sent[0].Context})
	s.answerReads()
	s.want("answers", calls, 30)
}

func TestReadsEndWithTheLeadership(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.lead()
	s.sync()
	s.ack(2, 1)
	var begun, late error
	calls := 0
	sent := s.do(readTask(&begun, &calls))
	context := sent[0].Context
	s.step(&Message{Type: MsgHeartbeat, From: 3, Term: 2})
	s.want("read under way", errors.Is(begun, ErrUnknown), true)
	s.do(readTask(&late, &calls))
	s.want("read at a follower", errors.Is(late, ErrNotLeader), true)

	// A leader again: an answer from the first leadership confirms nothing.
	s.lead()
	s.sync()
	s.ack(2, s.c.log.last())
	var again error
	n := 0
	s.do(readTask(&again, &n))
	s.step(&Message{Type: MsgHeartbeatReply, From: 2, Term: 1, Context: context + 5})
	s.answerReads()
	s.want("answers", n, 0)
}

func TestReadWaitsForTheStateMachine(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.lead()
	s.sync()
	for range 3 * maxApplyEntries {
		s.c.handle(&propose{command: make([]byte, 8), done: func(any, error) {}})
	}
	s.do()
	s.sync()
	s.ack(2, s.c.log.last())
	var err error
	calls := 0
	sent := s.do(readTask(&err, &calls))
	s.step(&Message{Type: MsgHeartbeatReply, From: 2, Term: 1, Context: sent[len(sent)-1].Context})
	jobs := 0
	for _, j := range s.applies {
		if _, ok := j.(*answerReads); ok {
			t.Error("a read was handed over before the entries it must see")
		}
		jobs++
	}
	s.want("jobs under way", jobs, maxApplyJobs)
	for range 4 {
		s.do(applied{s.c.submitted})
	}
	if _, ok := s.applies[len(s.applies)-1].(*answerReads); !ok {
		t.Error("the read was never handed over")
	}
}
