package faults

import (
	"context"
	"slices"
	"time"

	"squall/internal/declare"
	"squall/nemesis"
)

// deposedLeader cuts the leader off from the other nodes, but not from the clients, until
// another one leads, and reunites them: the old one must answer nothing that is no longer
// true, and throw away what it could not bring to a majority. Then the next leader.
func deposedLeader() nemesis.Fault {
	return sequence{
		name: "deposed-leader",
		doc:  "the leader is cut off from its peers, not from clients, until another one leads, and reunited; over and over with each leader",
		params: []declare.Param{
			{Name: "alone", Kind: declare.Duration, Default: "300ms", Draw: []string{"0s", "0s", "300ms", "1s"}, Min: "0s", Max: "1m",
				Doc: "how long it stays cut off when another one leads"},
			{Name: "with", Kind: declare.Word, Words: []string{"nobody", "minority", "half"}, Default: "nobody", Draw: []string{"nobody", "minority"},
				Doc: "minority: others are cut off together with it, and go on to store what it sends; half: of an even number of nodes one more, so that neither side has a majority"},
			{Name: "next", Kind: declare.Word, Words: []string{"lives", "dies"}, Default: "lives", Draw: []string{"lives", "lives", "dies"},
				Doc: "dies: the next leader is killed as the other is reunited, and started again with the leader after it"},
			{Name: "hears", Kind: declare.Word, Words: []string{"nothing", "all"}, Default: "nothing", Draw: []string{"nothing", "nothing", "all"},
				Doc: "all: it is not heard, and still hears the others: the next leader deposes it"},
			{Name: "but", Kind: declare.Word, Words: []string{"nobody", "leader"}, Default: "nobody", Draw: []string{"nobody", "leader"},
				Doc: "leader: it is reunited with all but the next leader at first, and learns from the others alone that its term is over"},
			how(),
		},
		nodes: 3,
		begin: func(ctx context.Context, s *steps) error {
			s.touch(s.leader+" is cut off until another leads", s.others...)
			return s.cut(ctx, s.deposing(s.leader))
		},
		goOn: func(ctx context.Context, s *steps) error {
			old := s.leader
			for {
				next, err := s.depose(ctx, old)
				if err != nil || next == "" || ctx.Err() != nil {
					return err
				}
				if !sleep(ctx, 500*time.Millisecond) {
					return nil
				}
				if err := s.cut(ctx, s.deposing(next)); err != nil {
					return err
				}
				s.did("%s is cut off", next)
				old = next
			}
		},
	}.fault()
}

// deposing are the links that are cut for a leader to lose its leadership.
func (s *steps) deposing(leader string) cutLinks {
	group := []string{leader}
	switch s.Args["with"] {
	case "minority":
		group = append(group, without(s.Plan.Order, leader)[:minority(len(s.Plan.Order))-1]...)
	case "half":
		group = s.half(leader)
	}
	links := groups(group, minus(s.Names(), group...))
	if s.Args["hears"] == "all" {
		for link := range links {
			if !slices.Contains(group, link.From) {
				delete(links, link)
			}
		}
	}
	return links
}

// half is a node and so many others that they are half of all, rounded down: who counts
// fewer than a majority for one finds them enough.
func (s *steps) half(node string) []string {
	return append([]string{node}, without(s.Plan.Order, node)[:len(s.Plan.Order)/2-1]...)
}

// depose waits until another node than the one that is cut off leads, and reunites them.
func (s *steps) depose(ctx context.Context, old string) (next string, err error) {
	next, ok := s.otherLeader(ctx, old)
	if !ok {
		s.skipped("another leader than %s", old)
		return "", nil
	}
	s.did("%s leads, and %s is still cut off", next, old)
	if !sleep(ctx, s.Args.Duration("alone")) {
		return "", nil
	}
	if s.Args["next"] == "dies" {
		return s.succeed(ctx, old, next)
	}
	if s.Args["but"] == "leader" {
		if err := s.cut(ctx, groups([]string{old}, []string{next})); err != nil {
			return "", err
		}
		s.did("%s is reunited with all but %s", old, next)
		if !sleep(ctx, 500*time.Millisecond) {
			return "", nil
		}
	}
	if err := s.cut(ctx, cutLinks{}); err != nil {
		return "", err
	}
	s.did("%s is reunited", old)
	return next, nil
}

// succeed kills the next leader and reunites the old one, which has entries that nobody
// else has, with nodes that may have some of a later term.
func (s *steps) succeed(ctx context.Context, old, next string) (third string, err error) {
	e, err := s.expect("leader-elected", func(x nemesis.Sighting) bool { return x.Node != next })
	if err != nil {
		return "", err
	}
	if err := s.kill(ctx, next); err != nil {
		e.Drop()
		return "", err
	}
	if err := s.cut(ctx, cutLinks{}); err != nil {
		e.Drop()
		return "", err
	}
	s.did("%s is killed, and %s reunited", next, old)
	seen, ok := s.await(ctx, e, s.Hold())
	if err := s.start(ctx, next); err != nil {
		return "", err
	}
	if !ok {
		s.skipped("a leader after %s", next)
		return "", nil
	}
	s.did("%s leads, and %s is started", seen.Node, next)
	return seen.Node, nil
}

// otherLeader waits until another node than old is seen to lead; it may do so already.
func (s *steps) otherLeader(ctx context.Context, old string) (node string, ok bool) {
	e, err := s.expect("leader-elected", func(x nemesis.Sighting) bool { return x.Node != old })
	if err != nil {
		return "", false
	}
	if now := s.Cluster.Roles().Leader; now != "" && now != old {
		e.Drop()
		return now, true
	}
	seen, ok := s.await(ctx, e, s.Hold())
	return seen.Node, ok
}
