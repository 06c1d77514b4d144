package kv

import (
	"context"
	"testing"
	"time"

	"squall/nodeimage/mutants/scenario"
)

var _ = scenarios.Add(scenario.Set{"early-updates": updatesTakeTurns})

// updatesTakeTurns holds an add and a pop back that are on their way to the log, and lets
// another of each go first: what they come to, that one has to be in.
func updatesTakeTurns(t *testing.T) {
	solo, state := answering(1)
	held := make(chan func(), 1)
	hold := make(chan bool, 1) // the next command
	// A mutant proposes within a read.
	node := &fakeNode{leader: 1, read: func(done func(error)) { done(nil) }, propose: func(command []byte, done func(any, error)) {
		select {
		case <-hold:
			held <- func() { solo.propose(command, done) }
		default:
			solo.propose(command, done)
		}
	}}
	nodes := startFakes(t, []consensus{node}, []*Machine{state}, nil)
	c := dialServer(t, nodes[0].ClientAddr(), time.Minute)
	for _, e := range []string{"a", "b"} {
		if err := c.Append(t.Context(), "l", e); err != nil {
			t.Fatal(err)
		}
	}
	type answer struct {
		sum     int64
		element string
		err     error
	}
	for name, update := range map[string]func() answer{
		"add": func() answer { sum, err := c.Add(context.Background(), "n", 1); return answer{sum: sum, err: err} },
		"pop": func() answer { e, _, err := c.Pop(context.Background(), "l"); return answer{element: e, err: err} },
	} {
		late := make(chan answer, 1)
		hold <- true
		go func() { late <- update() }()
		proceed := await(t, held, "the first "+name)
		second := update()
		proceed()
		first := <-late
		if first.err != nil || second.err != nil {
			t.Fatalf("%s: %v, %v", name, first.err, second.err)
		}
		if first == second {
			t.Errorf("both came to the same: %s: %+v", name, first)
		}
	}
	if n, _, err := c.Get(t.Context(), "n"); n != "2" || err != nil {
		t.Errorf("after two adds of 1 it is %q, %v", n, err)
	}
}
