package raft

import (
	"slices"
	"testing"
	"time"
)

// experiment puts the layer of an experiment around the core.
func (s *script) experiment(e Experiment) *script {
	s.c.cfg.Experiment = &e
	s.h = handlerOf(s.c)
	return s
}

// trialEvents are the reasons of the trial events so far.
func (s *script) trialEvents() (reasons []string) {
	for _, ev := range s.events {
		if ev.Kind == EventTrial {
			reasons = append(reasons, ev.Reason)
		}
	}
	return reasons
}

func TestTrialHoldsEntriesBackAndCrashes(t *testing.T) {
	s := newScript(t, 5, HardState{Term: 1}, 1).experiment(Experiment{})
	s.electionTimeout()
	s.step(&Message{Type: MsgPreVoteReply, From: 2, Term: 2}, &Message{Type: MsgPreVoteReply, From: 3, Term: 2})
	s.sync()
	s.step(&Message{Type: MsgVoteReply, From: 2, Term: 2}, &Message{Type: MsgVoteReply, From: 3, Term: 2})
	s.want("role", s.c.role.kind(), Leader)
	s.sync() // the entry that begins the term, at 2

	died := false
	s.want("while some lag behind", show(s.do(&trial{Trial{Behind: []NodeID{4, 5}, Crash: 7 * time.Millisecond, Die: func() { died = true }}})), "")
	for id := NodeID(2); id <= 4; id++ {
		s.ack(id, 2)
	}
	s.want("before the last one has caught up", s.trialEvents(), []string{})
	s.want("sent", show(s.ack(5, 2)), "append>2 t2 i2, append>3 t2 i2")
	s.want("steps", s.trialEvents(), []string{"proposed"})
	s.sync()

	// A heartbeat goes to everybody, and does not push the entry to those behind.
	s.want("heartbeats", len(s.heartbeat()), 4)
	s.now += time.Second
	s.want("after a heartbeat's reply", show(s.step(&Message{Type: MsgHeartbeatReply, From: 4, Term: 2})), "")

	s.ack(2, 3)
	s.want("one follower is no majority", s.trialEvents(), []string{"proposed"})
	s.want("the broadcast", show(s.ack(3, 3)), "heartbeat>2 t2 i0, heartbeat>3 t2 i0, heartbeat>4 t2 i0, heartbeat>5 t2 i0")
	s.want("steps", s.trialEvents(), []string{"proposed", "broadcast"})
	last := s.events[len(s.events)-1]
	s.want("whose logs are shorter", last.Members, []NodeID{4, 5})
	s.want("the entry", last.Index, 3)
	s.want("alive until then", died, false)
	s.do(trialOver{})
	s.want("dead", died, true)
	s.want("steps", s.trialEvents(), []string{"proposed", "broadcast", "crash"})
}

func TestTrialOfABroadcastAlone(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 1}, 1).experiment(Experiment{})
	s.lead()
	s.sync()
	s.do(&trial{Trial{Crash: -1}})
	s.ack(2, 2)
	s.ack(3, 2)
	s.sync()
	s.ack(2, 3)
	s.want("one of two", s.trialEvents(), []string{"proposed"})
	s.ack(3, 3)
	s.want("both", s.trialEvents(), []string{"proposed", "answered"})
}

func TestTrialsThatAreRefused(t *testing.T) {
	lead := func(t *testing.T) *script {
		s := newScript(t, 3, HardState{Term: 1}, 1).experiment(Experiment{})
		s.lead()
		return s
	}
	for name, c := range map[string]struct {
		make  func(*testing.T) *script
		then  func(*script)
		trial Trial
		want  string
	}{
		"a follower's":          {func(t *testing.T) *script { return newScript(t, 3, HardState{}).experiment(Experiment{}) }, nil, Trial{}, "refused: not the leader"},
		"the leader behind":     {lead, nil, Trial{Behind: []NodeID{1}}, "refused: 1 is not a follower"},
		"nobody of that number": {lead, nil, Trial{Behind: []NodeID{9}}, "refused: 9 is not a follower"},
		"a majority behind":     {lead, nil, Trial{Behind: []NodeID{2, 3}}, "refused: with 2 of 3 members behind, nothing is committed"},
		"a second one":          {lead, func(s *script) { s.do(&trial{}) }, Trial{}, "refused: another one is under way"},
		"the leader deposed": {lead, func(s *script) {
			s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 9})
		}, Trial{}, "refused: the leadership was lost"},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.make(t)
			s.do(&trial{c.trial})
			if c.then != nil {
				c.then(s)
				s.sync()
			}
			if got := s.trialEvents(); len(got) == 0 || got[len(got)-1] != c.want {
				t.Errorf("%v, want %q", got, c.want)
			}
		})
	}
}

// TestTrialsElectOnlyTheEligible makes trials in the simulation, without
// pre-vote: whose log was kept shorter stands for election, and never wins.
func TestTrialsElectOnlyTheEligible(t *testing.T) {
	elections, stoodBehind := 0, 0
	for seed := range uint64(30) {
		var behind []NodeID
		var entry, term uint64
		var crashed, elected *simNode
		s := newSim(seed, 5, func(s *sim) {
			s.configure = func(c *Config) {
				c.Experiment = &Experiment{NoPreVote: true, NoStickiness: true, WriteFirst: seed%2 == 0}
			}
			s.watch = func(n *simNode, ev Event) {
				switch {
				case ev.Kind == EventTrial && ev.Reason == reasonBroadcast:
					entry, term = ev.Index, ev.Term
				case ev.Kind != EventRole || crashed == nil || ev.Term <= term:
				case ev.Role == Candidate && slices.Contains(behind, n.id):
					stoodBehind++
					if ev.Index >= entry || ev.Timeout == 0 {
						t.Errorf("seed %d: %v stands for election with a log up to %d: %+v", seed, n, ev.Index, ev)
					}
				case ev.Role == Leader && elected == nil:
					elected = n
				}
			}
		})
		for range 4 {
			s.run(s.now + 2*time.Second)
			var lead *simNode
			for _, id := range s.members {
				if n := s.nodes[id]; n.core.role.kind() == Leader {
					lead = n
				}
			}
			if lead == nil {
				t.Fatalf("seed %d: no leader", seed)
			}
			behind = nil
			for _, i := range s.rng.Perm(5) {
				if id := s.members[i]; id != lead.id && len(behind) < 2 {
					behind = append(behind, id)
				}
			}
			crashed, elected = nil, nil
			lead.task(lead.boot, &trial{Trial{Behind: behind, Crash: 20 * time.Millisecond, Die: func() { crashed = lead; lead.crash() }}})
			s.run(s.now + 2*time.Second)
			switch {
			case s.failure != "":
				t.Fatalf("seed %d: %s", seed, s.failure)
			case crashed == nil || elected == nil:
				t.Fatalf("seed %d: crashed %v, elected %v", seed, crashed, elected)
			case slices.Contains(behind, elected.id):
				t.Fatalf("seed %d: %v won, whose log was shorter", seed, elected)
			}
			elections++
			crashed.start()
		}
	}
	t.Logf("%d elections; those behind stood %d times", elections, stoodBehind)
	if stoodBehind < elections/4 {
		t.Errorf("those behind stood only %d times in %d elections: nothing was shown", stoodBehind, elections)
	}
}

func TestParseTrial(t *testing.T) {
	got, err := ParseTrial("trial 34.5ms 2,4")
	if err != nil || got.Crash != 34500*time.Microsecond || !slices.Equal(got.Behind, []NodeID{2, 4}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ParseTrial("trial -1ns -"); err != nil || got.Crash >= 0 || got.Behind != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for _, line := range []string{"", "trial", "trial 3 -", "trial 3ms 2,", "trial 3ms x", "trial 3ms 2 3", "crash 3ms 2", "trial 3ms 2x"} {
		if got, err := ParseTrial(line); err == nil {
			t.Errorf("%q was read as %+v", line, got)
		}
	}
}

func TestStartWait(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 4}).experiment(Experiment{StartWait: time.Second})
	s.h.start()
	if d := s.c.election.deadline - s.now; d < time.Second || d > 2*time.Second {
		t.Errorf("the first timeout is %v", d)
	}
}

func TestNoPreVote(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 4}, 1).experiment(Experiment{NoPreVote: true})
	s.want("before the term is durable", show(s.electionTimeout()), "")
	s.want("role", s.c.role.kind(), Candidate)
	s.want("sent", show(s.sync()), "vote>2 t5 i1, vote>3 t5 i1")
	s.electionTimeout()
	s.want("the next round", s.c.term, 6)
}

// TestNoStickiness: a node that hears a leader answers a candidate all the same, and
// so does the leader itself.
func TestNoStickiness(t *testing.T) {
	vote := &Message{Type: MsgVote, From: 3, Term: 9, Index: 2, LogTerm: 2}
	ask := &Message{Type: MsgPreVote, From: 3, Term: 9, Index: 2, LogTerm: 2}
	follow := func(s *script) { s.step(&Message{Type: MsgHeartbeat, From: 2, Term: s.c.term}) }
	for name, c := range map[string]struct {
		before  func(*script)
		m       *Message
		without string
		with    string
	}{
		"a vote, by a follower":     {follow, vote, "", "vote reply>3 t9 i0"},
		"a vote, by a leader":       {(*script).lead, vote, "", "vote reply>3 t9 i0"},
		"a pre-vote, by a follower": {follow, ask, "", "pre-vote reply>3 t9 i0"},
		"a pre-vote, by a leader":   {(*script).lead, ask, "", "pre-vote reply>3 t9 i0"},
	} {
		for _, off := range []bool{false, true} {
			s := newScript(t, 3, HardState{Term: 1}, 1).experiment(Experiment{NoStickiness: off})
			c.before(s)
			s.sync()
			m := *c.m
			want := c.without
			if off {
				want = c.with
			}
			sent := s.step(&m)
			s.want(name, show(append(sent, s.sync()...)), want)
		}
	}
	// What is not from a member is nobody's vote.
	s := newScript(t, 3, HardState{Term: 1}, 1).experiment(Experiment{NoStickiness: true})
	s.step(&Message{Type: MsgVote, From: 7, Term: 9, Index: 9, LogTerm: 8})
	s.want("after a stranger's request", s.c.term, 1)
}

// TestWriteFirst: an append leaves when this node's own disk holds what it tells of.
func TestWriteFirst(t *testing.T) {
	for _, first := range []bool{false, true} {
		s := newScript(t, 3, HardState{Term: 1}, 1).experiment(Experiment{WriteFirst: first})
		s.electionTimeout()
		s.step(&Message{Type: MsgPreVoteReply, From: 2, Term: 2})
		s.sync()
		sent := s.step(&Message{Type: MsgVoteReply, From: 2, Term: 2})
		s.want("leads", s.c.role.kind(), Leader)
		appends := "append>2 t2 i1, append>3 t2 i1"
		if !first {
			s.want("at once", show(sent), appends)
			continue
		}
		s.want("before the write", show(sent), "")
		s.want("after the write", show(s.sync()), appends)
		s.ack(2, 2) // its appends are no longer probes
		s.step()
		s.do(&propose{command: []byte("x"), done: func(any, error) {}})
		s.step(&Message{Type: MsgHeartbeat, From: 3, Term: 7})
		s.want("of a term that is over", show(s.sync()), "heartbeat reply>3 t7 i0")
	}
}

// TestNoTrialsWithoutAnExperiment: a node that was not started for it takes none.
func TestNoTrialsWithoutAnExperiment(t *testing.T) {
	n := &Node{queue: newQueue(1)}
	if err := n.Try(Trial{}); err == nil {
		t.Error("a trial was taken")
	}
	n.cfg.Experiment = &Experiment{}
	if err := n.Try(Trial{}); err != nil {
		t.Error(err)
	}
}
