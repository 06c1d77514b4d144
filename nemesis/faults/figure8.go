package faults

import (
	"context"
	"fmt"
	"time"

	"squall/history"
	"squall/nemesis"
)

// figure8 is the sequence of Figure 8 of the Raft paper, by its steps (a) to (e), each
// driven by what is seen of roles and terms. S1 is the leader that it begins with, S2 the
// node that has its last entries, S5 whoever of the others is elected next.
//
// A leader that begins its term with an entry of its own, and sends it along with the older
// ones, commits both at once in step (c): then S5 is not elected in (d), and nothing is
// overwritten. That is what the rule of section 5.4.2 is for, and the proof says which it was.
func figure8() nemesis.Fault {
	return sequence{
		name:  "figure-8",
		doc:   "Figure 8 of the Raft paper: a leader brings an entry of an older term to a majority, and a node with another entry, of a later term, comes back",
		nodes: 5,
		needs: []nemesis.Need{nemesis.NeedShape},
		holds: []nemesis.Resource{nemesis.HoldPackets},
		begin: func(ctx context.Context, s *steps) error {
			s.touch("Figure 8, S1 is "+s.leader, s.others...)
			f := eight(s)
			if err := s.cutNow(ctx, groups(f.first, f.rest), slowly(f.rest)); err != nil {
				return err
			}
			return s.prove(ctx)
		},
		goOn: func(ctx context.Context, s *steps) error {
			f := eight(s)
			for _, step := range []func(context.Context, *steps) (bool, error){f.electS5, f.electS1, f.backS5} {
				if more, err := step(ctx, s); err != nil || !more || ctx.Err() != nil {
					return err
				}
			}
			return nil
		},
	}.fault()
}

// figureEight is who plays whom.
type figureEight struct {
	first []string // S1 and S2
	rest  []string // S3, S4, and S5, which is seen later
	s5    string
	term5 uint64
}

func eight(s *steps) *figureEight {
	return &figureEight{first: []string{s.leader, s.others[0]}, rest: s.others[1:]}
}

// How the steps follow each other. Messages of S3, S4 and S5 are late by late, so that what
// S5 sends as a new leader can be stopped on its way: that takes a few milliseconds.
const (
	late       = 60 * time.Millisecond
	writeFor   = 250 * time.Millisecond // how long clients write to S5 alone
	commitWait = 700 * time.Millisecond // for S1 to commit what it may
)

// slowly delays what these nodes send to each other.
func slowly(nodes []string) map[history.Link]nemesis.Shaping {
	shape := map[history.Link]nemesis.Shaping{}
	for _, from := range nodes {
		for _, to := range without(nodes, from) {
			shape[history.Link{From: from, To: to}] = nemesis.Shaping{Delay: late}
		}
	}
	return shape
}

// electS5 is (a) and (b): S1 goes on writing to S2 until S5 leads; then S1 crashes, and S5
// has entries that nobody else has.
func (f *figureEight) electS5(ctx context.Context, s *steps) (more bool, err error) {
	e, err := s.expect("leader-elected", elected(f.rest))
	if err != nil {
		return false, err
	}
	seen, ok := s.await(ctx, e, s.Hold())
	if !ok {
		s.skipped("(b) S5, a leader of %s", list(f.rest))
		return false, nil
	}
	f.s5, f.term5 = seen.Node, seen.Term
	alone := groups(f.first, without(f.rest, f.s5), []string{f.s5})
	if err := s.cutNow(ctx, alone, slowly(f.rest)); err != nil {
		return false, err
	}
	s.did("(b) %s, which is S5, leads term %d and is cut off before what it sends has come", f.s5, f.term5)
	if err := s.kill(ctx, s.leader); err != nil {
		return false, err
	}
	return sleep(ctx, writeFor), nil
}

// electS1 is (c): S5 crashes, S1 comes back, and it or S2 leads and brings the old entries
// to a majority. No client may write: entries of the new term would be sent along.
func (f *figureEight) electS1(ctx context.Context, s *steps) (more bool, err error) {
	if err := s.kill(ctx, f.s5); err != nil {
		return false, err
	}
	e, err := s.expect("leader-elected", func(x nemesis.Sighting) bool { return x.Node != f.s5 && x.Term > f.term5 })
	if err != nil {
		return false, err
	}
	without5 := groups([]string{f.s5}, without(s.Names(), f.s5))
	for _, node := range s.Names() {
		without5[history.Link{From: nemesis.Clients, To: node}] = true
	}
	if err := s.cutNow(ctx, without5, nil); err != nil {
		return false, err
	}
	if err := s.start(ctx, s.leader); err != nil {
		return false, err
	}
	commits, err := s.expect("commit-advanced", nil)
	if err != nil {
		return false, err
	}
	seen, ok := s.await(ctx, e, s.Hold())
	if !ok {
		commits.Drop()
		s.skipped("(c) a leader without S5")
		return false, nil
	}
	s.did("(c) %s leads term %d; %s", seen.Node, seen.Term, s.uncommitted(seen.Node))
	if commit, ok := s.await(ctx, commits, commitWait); ok {
		s.did("(c) %s commits", commit.Node)
	}
	if ctx.Err() != nil {
		return false, nil
	}
	if err := s.kill(ctx, seen.Node); err != nil {
		return false, err
	}
	s.did("(d) %s crashes", seen.Node)
	return true, nil
}

// uncommitted says how far the log of a node that was elected goes beyond what anybody has
// said to be committed.
func (s *steps) uncommitted(node string) string {
	last, committed := s.Watch().Standpoint(node).Last, s.Watch().Committed()
	if last <= committed {
		return "nothing in its log is known to be uncommitted"
	}
	return fmt.Sprintf("its last %d entries are not committed", last-committed)
}

// backS5 is (d) or (e): S5 comes back, and is elected, if what it lacks was not committed.
func (f *figureEight) backS5(ctx context.Context, s *steps) (more bool, err error) {
	e, err := s.expect("leader-elected", nil)
	if err != nil {
		return false, err
	}
	if err := s.start(ctx, f.s5); err != nil {
		return false, err
	}
	if err := s.cut(ctx, cutLinks{}); err != nil {
		return false, err
	}
	seen, ok := s.await(ctx, e, s.Hold())
	switch {
	case !ok:
		s.skipped("(d) a leader")
	case seen.Node == f.s5:
		s.did("(d) S5, %s, leads term %d and overwrites what %s brought to a majority", seen.Node, seen.Term, s.leader)
	default:
		s.did("(e) %s leads term %d: S5 is not elected, for its log is older than a majority's", seen.Node, seen.Term)
	}
	return true, nil
}
