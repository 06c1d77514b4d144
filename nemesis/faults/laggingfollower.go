package faults

import (
	"context"

	"squall/internal/declare"
	"squall/nemesis"
)

// laggingFollower leaves the cluster to a bare majority of which one lags: the leader has
// moved on without it, and is killed. Without that node nobody is elected, and it must not
// be the one, nor keep what it has beside the others' log.
func laggingFollower() nemesis.Fault {
	return sequence{
		name: "lagging-follower",
		doc:  "a follower falls behind; then the leader is killed, with so many others that the follower is needed for a majority",
		params: []declare.Param{
			{Name: "lag", Kind: declare.Duration, Default: "800ms", Draw: []string{"300ms", "800ms", "1.5s"}, Min: "50ms", Max: "1m",
				Doc: "how long the follower falls behind"},
			{Name: "by", Kind: declare.Word, Default: "cut", Draw: []string{"cut", "pause"}, Words: []string{"cut", "pause"},
				Doc: "cut: it is cut off and asks for votes in vain; pause: its server stands still"},
		},
		nodes: 3,
		begin: func(ctx context.Context, s *steps) error {
			behind := s.others[0]
			s.touch(behind+" falls behind "+s.leader, append([]string{behind}, needless(s)...)...)
			if s.Args["by"] == "pause" {
				return onEach(ctx, s.Hit, []string{behind}, nemesis.Node.Pause, paused)
			}
			return s.cut(ctx, groups([]string{behind}, without(s.Names(), behind)))
		},
		goOn: func(ctx context.Context, s *steps) error {
			behind, die := s.others[0], append([]string{s.leader}, needless(s)...)
			if !sleep(ctx, s.Args.Duration("lag")) {
				return nil
			}
			who, err := s.expect("leader-elected", nil)
			if err != nil {
				return err
			}
			if err := s.kill(ctx, die...); err != nil {
				return err
			}
			s.did("%s killed", list(die))
			if err := s.rejoin(ctx, behind); err != nil {
				return err
			}
			s.did("%s is back", behind)
			if seen, ok := s.await(ctx, who, s.Hold()); ok {
				s.did("%s leads term %d", seen.Node, seen.Term)
			} else {
				s.skipped("a leader of those that are left")
			}
			return nil
		},
	}.fault()
}

// needless are those who die with the leader, so that a bare majority is left.
func needless(s *steps) []string { return s.others[1:minority(len(s.others)+1)] }

// rejoin lets a node that fell behind go on.
func (s *steps) rejoin(ctx context.Context, node string) error {
	if s.Args["by"] == "pause" {
		return unbroken(ctx, func(ctx context.Context) error {
			return onEach(ctx, s.Hit, []string{node}, nemesis.Node.Resume, resumed)
		})
	}
	return s.cut(ctx, cutLinks{})
}
