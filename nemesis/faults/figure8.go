package faults

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"squall/history"
	"squall/nemesis"
)

// figure8 is the sequence of Figure 8 of the Raft paper, by its steps (a) to (e), each
// driven by what is seen of roles and terms. S1 is the leader that it begins with, S2 the
// node that has its last entries, S5 whoever of the others is elected next.
//
// In (b) S1 does not crash but stays cut off: so it still owes its clients the answers to
// what it wrote in (a), and gives them in (c) if it commits that. In (c) S1 alone has the
// old entries, so nobody else can be elected; in (d) S5 is needed for a majority.
//
// A leader that begins its term with an entry of its own, and commits no older one before
// it, has not committed anything when what it sends second is still under way: then
// nothing is overwritten that anybody was told of. That is what the rule of section 5.4.2
// is for, and the proof says which it was.
func figure8() nemesis.Fault {
	return sequence{
		name:  "figure-8",
		doc:   "Figure 8 of the Raft paper: a leader brings an entry of an older term to a majority, and a node with another entry, of a later term, comes back",
		nodes: 5,
		least: 3500 * time.Millisecond,
		needs: []nemesis.Need{nemesis.NeedShape},
		holds: []nemesis.Resource{nemesis.HoldPackets},
		begin: func(ctx context.Context, s *steps) error {
			s.touch("Figure 8, S1 is "+s.leader, s.others...)
			f := eight(s)
			// What S1 has before S5 leads it owes to its own clients: those of others could
			// not be answered later. S3 to S5 are silent for a moment only, or what their
			// clients send would come too late for (b), as TCP sends it again ever later.
			if err := s.cutNow(ctx, s.silence(s.others...), nil); err != nil {
				return err
			}
			sleep(ctx, oursOnly)
			apart := groups(f.first, f.rest)
			maps.Copy(apart, s.silence(f.first[1]))
			if err := s.cutNow(ctx, apart, slowly(f.rest)); err != nil {
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

// How the steps follow each other. Messages of S3, S4 and S5, and in (c) those of S1, are
// late by late, so that what they send as a new leader can be stopped on its way: that
// takes a few milliseconds.
const (
	late       = 60 * time.Millisecond
	oursOnly   = 80 * time.Millisecond  // until what the clients of others have sent is done
	writeFor   = 250 * time.Millisecond // how long clients write to S5 alone
	commitWait = 700 * time.Millisecond // for S1 to commit what it may
)

// slowly delays what these nodes send to each other.
func slowly(nodes []string) map[history.Link]nemesis.Shaping { return slowlyFrom(nodes, nodes) }

// slowlyFrom delays what some nodes send to others.
func slowlyFrom(some, others []string) map[history.Link]nemesis.Shaping {
	shape := map[history.Link]nemesis.Shaping{}
	for _, from := range some {
		for _, to := range without(others, from) {
			shape[history.Link{From: from, To: to}] = nemesis.Shaping{Delay: late}
		}
	}
	return shape
}

// electS5 is (a) and (b): S1 goes on writing to S2 until S5 leads, which then has entries
// that nobody else has.
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
	return sleep(ctx, writeFor), nil
}

// electS1 is (c): S5 crashes, S1 is back among the others, leads, and brings the old
// entries to a majority. Clients of others may not write: entries of the new term would be
// sent along. Those of S1, which it owes answers to writes, only read until it gives them;
// were they cut off one way, TCP would send no answer before the last is acknowledged.
func (f *figureEight) electS1(ctx context.Context, s *steps) (more bool, err error) {
	if err := s.kill(ctx, f.s5); err != nil {
		return false, err
	}
	e, err := s.expect("leader-elected", func(x nemesis.Sighting) bool { return x.Node != f.s5 && x.Term > f.term5 })
	if err != nil {
		return false, err
	}
	commits, err := s.expect("commit-advanced", nil)
	if err != nil {
		e.Drop()
		return false, err
	}
	defer commits.Drop()
	apart := f.apart(without(f.rest, f.s5), s.leader)
	maps.Copy(apart, s.silence(without(s.Names(), s.leader)...))
	if err := s.cutNow(ctx, apart, slowlyFrom([]string{s.leader}, f.rest)); err != nil {
		e.Drop()
		return false, err
	}
	seen, ok := s.await(ctx, e, s.Hold())
	if !ok {
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
	// At once, and before the kill, which takes longer: nothing more of it arrives.
	if err := s.cutNow(ctx, f.apart(without(f.rest, f.s5), f.s5), nil); err != nil {
		return false, err
	}
	if err := s.kill(ctx, seen.Node); err != nil {
		return false, err
	}
	s.did("(d) %s crashes", seen.Node)
	return true, nil
}

// apart are the cuts that leave some of S3 to S5 alone with one more node.
func (f *figureEight) apart(some []string, node string) cutLinks {
	group := append(slices.Clone(some), node)
	return groups(group, minus(slices.Concat(f.first, f.rest), group...))
}

// silence are the cuts that let nothing of the clients come to some nodes.
func (s *steps) silence(nodes ...string) cutLinks {
	links := cutLinks{}
	for _, node := range nodes {
		links[history.Link{From: nemesis.Clients, To: node}] = false
	}
	return links
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

// backS5 is (d) or (e): S5 comes back to those who were there in (c), of whom none can be
// elected without it, and is elected, if what it lacks was not committed.
func (f *figureEight) backS5(ctx context.Context, s *steps) (more bool, err error) {
	e, err := s.expect("leader-elected", nil)
	if err != nil {
		return false, err
	}
	if err := s.start(ctx, f.s5); err != nil {
		e.Drop()
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
