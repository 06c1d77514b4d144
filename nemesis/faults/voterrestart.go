package faults

import (
	"context"
	"time"

	"squall/nemesis"
)

// voterRestart kills a node as soon as it is seen to have voted and has it come back at
// once, to a node that knows nothing of that term and may stand for election in it. A vote
// that was not on the disk is given a second time.
func voterRestart() nemesis.Fault {
	return sequence{
		name:  "voter-restart",
		doc:   "a node is killed after its vote and comes back at once, alone with another that may stand for election in the same term",
		nodes: 5,
		begin: func(ctx context.Context, s *steps) error {
			s.touch("the voter in the election after "+s.leader, s.others...)
			return onEach(ctx, s.Hit, s.others[:1], nemesis.Node.Kill, dead) // it stays in the old term
		},
		goOn: func(ctx context.Context, s *steps) error {
			ignorant, voters := s.others[0], s.others[1:]
			vote, err := s.expect("vote-granted", nil)
			if err != nil {
				return err
			}
			if err := s.cutNow(ctx, groups([]string{s.leader}, s.others), nil); err != nil {
				return err
			}
			s.did("%s is cut off", s.leader)
			seen, ok := s.await(ctx, vote, s.Hold())
			if !ok {
				s.skipped("a vote")
				return nil
			}
			if err := s.kill(ctx, seen.Node); err != nil {
				return err
			}
			s.did("%s killed, after its vote for %s in term %d", seen.Node, seen.Peer, seen.Term)
			pair := []string{seen.Node, ignorant}
			return s.secondVote(ctx, seen, pair, groups(pair, minus(voters, seen.Node), []string{s.leader}))
		},
	}.fault()
}

// secondVote starts the voter and a node of an older term, alone with each other, and
// waits for the latter to stand for election in the term of the vote.
func (s *steps) secondVote(ctx context.Context, vote nemesis.Sighting, pair []string, apart cutLinks) error {
	if err := s.cutNow(ctx, apart, nil); err != nil {
		return err
	}
	again, err := s.expect("election-begun", func(x nemesis.Sighting) bool { return x.Node == pair[1] && x.Term == vote.Term })
	if err != nil {
		return err
	}
	if err := s.start(ctx, pair...); err != nil {
		again.Drop()
		return err
	}
	s.did("%s is back, alone with %s", pair[0], pair[1])
	if _, ok := s.await(ctx, again, time.Second); ok {
		s.did("%s stands for election in term %d, too", pair[1], vote.Term)
		sleep(ctx, 100*time.Millisecond)
	} else {
		s.skipped("%s standing for election in term %d", pair[1], vote.Term)
	}
	if ctx.Err() != nil {
		return nil
	}
	if err := s.cut(ctx, cutLinks{}); err != nil {
		return err
	}
	s.did("all hear each other again")
	return nil
}
