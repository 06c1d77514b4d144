package faults

import (
	"context"
	"time"

	"squall/history"
	"squall/nemesis"
)

// doubleRestart kills servers again while they recover from being killed: what the first
// recovery has begun to repair, the second must find in order.
func doubleRestart() nemesis.Fault {
	return sequence{
		name:  "double-restart",
		doc:   "a majority with the leader is killed, and again within 150 ms of its start, over and over",
		nodes: 3,
		begin: func(ctx context.Context, s *steps) error {
			s.touch("a majority is restarted twice", bareMajority(s)...)
			return onEach(ctx, s.Hit, s.Targets, nemesis.Node.Kill, dead)
		},
		goOn: func(ctx context.Context, s *steps) error {
			nodes := append([]string{s.leader}, bareMajority(s)...)
			defer func() { s.Prove(history.Measure{What: "restarted twice", Value: float64(s.taken), Unit: "times"}) }()
			for {
				if err := s.start(ctx, nodes...); err != nil {
					return err
				}
				if !sleep(ctx, time.Duration(s.Rand().IntN(150))*time.Millisecond) {
					return nil
				}
				if err := s.kill(ctx, nodes...); err != nil {
					return err
				}
				if err := s.start(ctx, nodes...); err != nil {
					return err
				}
				s.Forget() // of each step, that it was seen is enough
				s.taken++
				if !sleep(ctx, 800*time.Millisecond) { // to elect, and to write something
					return nil
				}
				if err := s.kill(ctx, nodes...); err != nil {
					return err
				}
			}
		},
	}.fault()
}

// bareMajority are so many of the others that they are a majority with the leader.
func bareMajority(s *steps) []string { return s.others[:(len(s.others)+1)/2] }
