package faults

import (
	"context"
	"time"

	"squall/internal/declare"
	"squall/nemesis"
)

// snapshotInterrupted keeps a follower away until the others' logs begin with a snapshot,
// and lets it come back. Then it kills the leader while that sends one: another one goes
// on. Or it kills the follower while that puts it in place of its log, and starts it again:
// it must go on from whatever it has stored by then.
func snapshotInterrupted() nemesis.Fault {
	return sequence{
		name: "snapshot-interrupted",
		doc:  "a follower is away until it needs a snapshot; then it comes back, and the leader is killed as it sends one, or the follower as it installs it",
		params: []declare.Param{
			{Name: "kill", Kind: declare.Word, Words: []string{"leader", "follower"}, Default: "leader", Draw: []string{"leader", "follower"},
				Doc: "leader: who sends the snapshot is killed; follower: who gets it is, when it tells that it was installed, and is started again"},
		},
		nodes: 3,
		begin: func(ctx context.Context, s *steps) error {
			s.touch(s.others[0]+" is away until it needs a snapshot", s.others...)
			return onEach(ctx, s.Hit, s.others[:1], nemesis.Node.Kill, dead)
		},
		goOn: func(ctx context.Context, s *steps) error {
			away := s.others[0]
			if err := s.awaitSnapshots(ctx); err != nil || ctx.Err() != nil {
				return err
			}
			sending, err := s.expect("snapshot-sending", func(x nemesis.Sighting) bool { return x.Peer == away })
			if err != nil {
				return err
			}
			installed, err := s.expect("snapshot-installed", func(x nemesis.Sighting) bool { return x.Node == away })
			if err != nil {
				return err
			}
			defer installed.Drop()
			if err := s.start(ctx, away); err != nil {
				sending.Drop()
				return err
			}
			s.did("%s is back", away)
			if s.Args["kill"] == "follower" {
				sending.Drop()
				return s.killReceiver(ctx, away, installed)
			}
			// Without a full trace nobody tells of the sending; it begins with the first
			// heartbeat after the node's start.
			at, seen := s.await(ctx, sending, time.Duration(20+s.Rand().IntN(100))*time.Millisecond)
			leader := s.Cluster.Roles().Leader
			if seen {
				leader = at.Node
				s.did("%s sends a snapshot", leader)
			}
			if leader == "" || leader == away || ctx.Err() != nil {
				s.skipped("a leader")
				return nil
			}
			return s.killSender(ctx, leader, installed)
		},
	}.fault()
}

// awaitSnapshots waits until the leader has taken two: of what came before the first,
// some entries are kept. After half of the time it goes on without.
func (s *steps) awaitSnapshots(ctx context.Context) error {
	leader := s.Cluster.Roles().Leader
	for i := range 2 {
		e, err := s.expect("snapshot-taken", func(x nemesis.Sighting) bool { return leader == "" || x.Node == leader })
		if err != nil {
			return err
		}
		if _, ok := s.await(ctx, e, s.Hold()/4); ok {
			s.did("%s has taken snapshot %d", leader, i+1)
		} else {
			s.skipped("snapshot %d of %s", i+1, leader)
		}
	}
	return nil
}

// killSender kills the leader, and says whether the snapshot was there by then.
func (s *steps) killSender(ctx context.Context, leader string, installed *nemesis.Expected) error {
	if err := s.kill(ctx, leader); err != nil {
		return err
	}
	select {
	case <-installed.Seen():
		s.did("%s killed; the snapshot was installed before", leader)
		return nil
	default:
		s.did("%s killed", leader)
	}
	if seen, ok := s.await(ctx, installed, s.Hold()); ok {
		s.did("%s has installed a snapshot", seen.Node)
	} else {
		s.skipped("a snapshot installed afterwards")
	}
	return nil
}

// killReceiver kills the node that gets a snapshot as it tells that it has installed it,
// which it does before its log is cut on the disk, and starts it again.
func (s *steps) killReceiver(ctx context.Context, node string, installed *nemesis.Expected) error {
	if _, ok := s.await(ctx, installed, s.Hold()); !ok {
		s.skipped("a snapshot installed by %s", node)
		return nil
	}
	if err := s.kill(ctx, node); err != nil {
		return err
	}
	s.did("%s killed as it installed the snapshot", node)
	if err := s.start(ctx, node); err != nil {
		return err
	}
	s.did("%s is started again", node)
	return nil
}
