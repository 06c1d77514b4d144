package kv

import (
	"context"
	"fmt"
	"testing"
	"time"

	"squall/nodeimage/mutants/scenario"
)

var _ = scenarios.Add(scenario.Set{
	"no-dedup": func(t *testing.T) {
		s := newScript(t)
		id := s.register()
		for range 2 { // the second time because the answer got lost
			s.ok(in(id, 1, 1, appendTo("l", "a")))
		}
		s.wantElements("l", "[a]")
	},

	"evicted-session-applies": func(t *testing.T) {
		s := newScript(t)
		id := s.register()
		s.ok(in(id, 1, 1, appendTo("l", "a")))
		for range MaxSessions {
			s.register()
		}
		s.fails(CodeNoSession, in(id, 1, 1, appendTo("l", "a")))
	},

	// A follower has passed a write on to the leader, which has not answered when
	// another one leads: it may still be carried out.
	"proxy-resends": func(t *testing.T) {
		old, held := silent(1)
		next, state := answering(2)
		follower, _ := answering(1)
		next.setLeader(1)
		nodes := startFakes(t, []consensus{old, next, follower}, []*Machine{nil, state, nil}, func(c *Config) { c.LeaderWait = 5 * time.Second })
		c := dialServer(t, nodes[2].ClientAddr(), time.Minute)
		done := make(chan error, 1)
		go func() { done <- c.Append(context.Background(), "l", "a") }()
		await(t, held, "the request at the leader")
		next.setLeader(2)
		follower.setLeader(2)
		wantError(t, await(t, done, "the answer"), CodeLeaderMoved, false)
		if keys := state.Stats().Keys; keys != 0 {
			t.Errorf("the next leader has carried it out, too: %d keys", keys)
		}
	},
})

func (s *script) wantElements(list, want string) {
	s.t.Helper()
	if got := fmt.Sprint(s.elements(list)); got != want {
		s.t.Errorf("%s is %s, want %s", list, got, want)
	}
}
