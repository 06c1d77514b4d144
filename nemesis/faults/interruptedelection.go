package faults

import (
	"context"
	"time"

	"squall/internal/declare"
	"squall/nemesis"
)

// interruptedElection brings an election about, and hurts the node that comes to one of
// its moments: the voter, the candidate, the new leader.
func interruptedElection() nemesis.Fault {
	return sequence{
		name: "interrupted-election",
		doc:  "the leader is cut off, and in the election that follows a node is killed, paused or cut off at one of its moments",
		params: []declare.Param{
			{Name: "at", Kind: declare.Word, Default: "vote-granted", Words: []string{"election-begun", "vote-granted", "leader-elected", "commit-advanced"},
				Draw: []string{"election-begun", "vote-granted", "vote-granted", "leader-elected", "leader-elected", "commit-advanced"},
				Doc:  "the moment whose node is hurt"},
			{Name: "do", Kind: declare.Word, Default: "kill", Words: []string{"kill", "restart", "pause", "cut"}, Draw: []string{"kill", "restart", "pause", "cut"},
				Doc: "what is done to it; restart: it is killed and started at once"},
			{Name: "delay", Kind: declare.Duration, Default: "0s", Draw: []string{"0s", "2ms", "5ms", "10ms", "30ms"}, Min: "0s", Max: "10s",
				Doc: "how long after the moment"},
		},
		nodes: 3,
		begin: func(ctx context.Context, s *steps) error {
			s.touch("the election after "+s.leader+" is interrupted", s.others...)
			moment, err := s.expect(s.Args["at"], func(x nemesis.Sighting) bool { return x.Node != s.leader })
			if err != nil {
				return err
			}
			apart := groups([]string{s.leader}, s.others)
			if err := s.cutNow(ctx, apart, nil); err != nil {
				moment.Drop()
				return err
			}
			seen, ok := s.await(ctx, moment, electionWithin)
			if ok && s.Args.Duration("delay") > 0 {
				sleep(ctx, s.Args.Duration("delay"))
			}
			if !ok {
				s.skipped("%s", s.Args["at"])
				return s.prove(ctx)
			}
			return s.interrupt(ctx, seen)
		},
	}.fault()
}

// electionWithin is how long an election is waited for when the leader is cut off.
const electionWithin = 3 * time.Second

// interrupt hurts the node of a moment.
func (s *steps) interrupt(ctx context.Context, at nemesis.Sighting) (err error) {
	node := []string{at.Node}
	switch s.Args["do"] {
	case "kill":
		err = s.kill(ctx, at.Node)
	case "restart":
		if err = s.kill(ctx, at.Node); err == nil {
			err = s.start(ctx, at.Node)
		}
	case "pause":
		err = onEach(ctx, s.Hit, node, nemesis.Node.Pause, paused)
	case "cut":
		err = s.cutNow(ctx, groups([]string{s.leader}, minus(s.others, at.Node), node), nil)
	}
	if err != nil {
		return err
	}
	s.did("%s of %s in term %d, and %s of it", at.Moment, at.Node, at.Term, s.Args["do"])
	s.tell()
	return s.prove(ctx)
}
