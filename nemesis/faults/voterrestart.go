package faults

import (
	"context"
	"time"

	"squall/nemesis"
)

// voterRestart kills a node as soon as it is seen to have voted and has it come back at
// once, to a node that knows nothing of that term and may stand for election in it. A vote
// that was not on the disk is given a second time.
//
// That other node is down during the vote, and only then: were it to miss entries, the
// voter would refuse it for its log.
func voterRestart() nemesis.Fault {
	return sequence{
		name:  "voter-restart",
		doc:   "a node is killed after its vote and comes back at once, alone with another that may stand for election in the same term",
		nodes: 5,
		begin: func(ctx context.Context, s *steps) error {
			s.touch("the voter in the election after "+s.leader, s.others...)
			defer s.tell()
			vote, err := s.expect("vote-granted", nil)
			if err != nil {
				return err
			}
			ignorant := s.others[0]
			if err := s.cutNow(ctx, groups([]string{s.leader}, s.others), nil); err != nil {
				vote.Drop()
				return err
			}
			if err := s.kill(ctx, ignorant); err != nil {
				vote.Drop()
				return err
			}
			s.did("%s is cut off, and %s killed", s.leader, ignorant)
			seen, ok := s.await(ctx, vote, electionWithin)
			if !ok || seen.Node == ignorant {
				s.skipped("a vote of the others")
				return nil
			}
			if err := s.kill(ctx, seen.Node); err != nil {
				return err
			}
			s.did("%s killed, after its vote for %s in term %d", seen.Node, seen.Peer, seen.Term)
			return s.secondVote(ctx, seen, ignorant)
		},
		goOn: func(ctx context.Context, s *steps) error {
			if !sleep(ctx, 100*time.Millisecond) {
				return nil
			}
			if err := s.cut(ctx, cutLinks{}); err != nil {
				return err
			}
			s.did("all hear each other again")
			return nil
		},
	}.fault()
}

// secondVote starts the voter and a node of an older term, alone with each other, and
// waits for the latter to stand for election in the term of the vote.
func (s *steps) secondVote(ctx context.Context, vote nemesis.Sighting, ignorant string) error {
	pair := []string{vote.Node, ignorant}
	if err := s.cutNow(ctx, groups(pair, minus(s.Names(), pair...)), nil); err != nil {
		return err
	}
	again, err := s.expect("election-begun", func(x nemesis.Sighting) bool { return x.Node == ignorant && x.Term == vote.Term })
	if err != nil {
		return err
	}
	if err := s.start(ctx, pair...); err != nil {
		again.Drop()
		return err
	}
	s.did("%s is back, alone with %s", vote.Node, ignorant)
	if _, ok := s.await(ctx, again, time.Second); ok {
		s.did("%s stands for election in term %d, too", ignorant, vote.Term)
	} else {
		s.skipped("%s standing for election in term %d", ignorant, vote.Term)
	}
	return nil
}
