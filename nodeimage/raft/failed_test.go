package raft

import (
	"errors"
	"testing"
)

// A node whose storage fails before a new term is durable stops in the term before: of the new one nobody was told,
// and its next start would know nothing of it.
func TestATermThatWasNotSavedIsNotReported(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 4})
	s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 5})
	s.c.fail(errors.New("no disk"))
	last := s.events[len(s.events)-1]
	if last.Role != Stopped || last.Term != 4 {
		t.Errorf("stopped with %+v, want term 4", last)
	}

	s = newScript(t, 3, HardState{Term: 4})
	s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 5})
	s.sync()
	s.c.fail(errors.New("no disk"))
	if last := s.events[len(s.events)-1]; last.Role != Stopped || last.Term != 5 {
		t.Errorf("the term was saved: stopped with %+v, want term 5", last)
	}
}
