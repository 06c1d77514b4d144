package raft

import (
	"slices"
	"sync/atomic"
)

// proposal is a proposed command whose caller waits for the outcome.
type proposal struct {
	index, term uint64
	done        func(result any, err error)
	orphan      bool // no longer counted as pending
}

// proposals are the proposals that are in the log and not yet decided.
type proposals struct {
	// mine are those of the current leadership, by index.
	mine []proposal
	// orphans are those of earlier leaderships, by index. Their entries may
	// still be committed by another leader, so they wait until something is
	// committed at their index.
	orphans []proposal
}

// propose puts a command into the log.
func (l *leader) propose(t *propose) {
	c := l.c
	if c.log.uncommitted > maxUncommittedBatches*c.cfg.MaxBatchBytes {
		c.refuse(t, ErrBusy)
		return
	}
	index := c.log.append(Entry{Term: c.term, Kind: EntryCommand, Command: t.command})
	c.countProposals++
	c.proposals.mine = append(c.proposals.mine, proposal{index: index, term: c.term, done: t.done})
}

// refuse answers a proposal that did not get into the log.
func (c *core) refuse(t *propose, err error) {
	c.pending.Add(-1)
	t.done(nil, err)
}

// finish answers a proposal.
func (p *proposal) finish(pending *atomic.Int64, result any, err error) {
	if !p.orphan {
		pending.Add(-1)
	}
	p.done(result, err)
}

// take removes the proposals that the commit of entries decides. It returns
// those whose entry it is, by index, and those in whose place another is.
func (ps *proposals) take(entries []Entry) (committed, superseded []proposal) {
	first, last := entries[0].Index, entries[len(entries)-1].Index
	decide := func(list []proposal) []proposal {
		n := 0
		for ; n < len(list) && list[n].index <= last; n++ {
			p := list[n]
			if p.index >= first && entries[p.index-first].Term == p.term {
				committed = append(committed, p)
			} else {
				superseded = append(superseded, p)
			}
		}
		return list[n:]
	}
	ps.mine = decide(ps.mine)
	if len(ps.orphans) > 0 {
		ps.orphans = decide(ps.orphans)
		slices.SortFunc(committed, byIndex)
	}
	return committed, superseded
}

// orphan keeps the proposals of a leadership that has ended. They no longer
// count against the limit of pending ones, or they could keep a later
// leadership of this node from ever committing anything; so their own number
// is limited, and the oldest go first.
func (ps *proposals) orphan(c *core) {
	for i := range ps.mine {
		ps.mine[i].orphan = true
	}
	c.pending.Add(-int64(len(ps.mine)))
	ps.orphans = append(ps.orphans, ps.mine...)
	ps.mine = nil
	slices.SortStableFunc(ps.orphans, byIndex)
	if over := len(ps.orphans) - c.cfg.MaxPending; over > 0 {
		for _, p := range ps.orphans[:over] {
			p.done(nil, ErrUnknown)
		}
		ps.orphans = slices.Clone(ps.orphans[over:])
	}
}

// covered removes the proposals up to index, which a snapshot has decided
// without saying how.
func (ps *proposals) covered(index uint64) (unknown []proposal) {
	cut := func(list []proposal) []proposal {
		n := 0
		for n < len(list) && list[n].index <= index {
			n++
		}
		unknown = append(unknown, list[:n]...)
		return list[n:]
	}
	ps.mine, ps.orphans = cut(ps.mine), cut(ps.orphans)
	return unknown
}

func (ps *proposals) all() []proposal { return ps.covered(^uint64(0)) }

func byIndex(a, b proposal) int {
	if a.index < b.index {
		return -1
	}
	if a.index > b.index {
		return 1
	}
	return 0
}
