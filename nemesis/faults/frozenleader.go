package faults

import (
	"context"

	"squall/internal/declare"
	"squall/nemesis"
)

// frozenLeader cuts the leader off with so many others that they are half of the nodes, and
// stops its clock: it does not notice that nobody else has answered for long, and does not
// step down. Clients of both sides go on. Whatever it still acknowledges or answers, by a
// lease or by fewer than a majority, the leader of the others may have made untrue.
func frozenLeader() nemesis.Fault {
	return sequence{
		name: "frozen-leader",
		doc:  "the leader's clock stands still, and it is cut off with others, half of all nodes, from the rest, while those elect another; then they are reunited, and last its clock goes on",
		params: []declare.Param{{Name: "beside", Kind: declare.Duration, Default: "1s", Draw: []string{"500ms", "1s"}, Min: "0s", Max: "1m",
			Doc: "how long both go on when another one leads"}},
		nodes: 3,
		needs: []nemesis.Need{nemesis.NeedClock},
		holds: []nemesis.Resource{nemesis.HoldClocks},
		begin: func(ctx context.Context, s *steps) error {
			s.touch(s.leader+" is cut off, and its clock stands still", s.others...)
			side := s.half(s.leader)
			// The cut comes first: were the clock to stop before, another might be
			// elected while the old leader is still told of it.
			if err := s.cutNow(ctx, groups(side, minus(s.Names(), side...)), nil); err != nil {
				return err
			}
			if err := bendEach(ctx, s.Hit, []string{s.leader}, nemesis.Bend{Frozen: true}, standing); err != nil {
				return err
			}
			return s.prove(ctx)
		},
		goOn: func(ctx context.Context, s *steps) error {
			next, ok := s.otherLeader(ctx, s.leader)
			if !ok {
				s.skipped("another leader than %s", s.leader)
				return nil
			}
			s.did("%s leads, and the clock of %s stands still", next, s.leader)
			if !sleep(ctx, s.Args.Duration("beside")) {
				return nil
			}
			if err := s.cut(ctx, cutLinks{}); err != nil {
				return err
			}
			s.did("%s is reunited", s.leader)
			return nil
		},
		undo: clockGoesOn,
	}.fault()
}

// clockGoesOn gives the leader true time again. A server that has ended by itself shows no
// time, and begins with the true one when it is started.
func clockGoesOn(ctx context.Context, s *steps) error {
	node := s.Node(s.leader)
	p, err := node.Process(ctx)
	if err != nil {
		return err
	}
	if p.Running {
		return bendEach(ctx, s.Hit, []string{s.leader}, nemesis.Bend{}, clockClaim{rate: 1})
	}
	s.Say("%s: no process shows its clock", s.leader)
	return node.BendClock(ctx, nemesis.Bend{})
}
