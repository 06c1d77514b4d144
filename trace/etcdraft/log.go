package etcdraft

import "squall/trace/steps"

// termLog is which term the entry at each index is of.
type termLog struct {
	base  steps.Mark // the last entry before terms
	terms []uint64
}

func (l *termLog) last() uint64 { return l.base.Index + uint64(len(l.terms)) }

func (l *termLog) term(index uint64) (uint64, bool) {
	switch {
	case index == l.base.Index:
		return l.base.Term, true
	case index < l.base.Index || index > l.last():
		return 0, false
	}
	return l.terms[index-l.base.Index-1], true
}

func (l *termLog) mark(index uint64) steps.Mark {
	term, _ := l.term(index)
	return steps.Mark{Index: index, Term: term}
}

func (l *termLog) end() steps.Mark { return l.mark(l.last()) }

// forget drops the terms of entries that are applied and of no interest any more, but
// for some that a slow member may be sent yet.
func (l *termLog) forget(applied uint64) {
	const kept = 1 << 14
	if applied < l.base.Index+2*kept {
		return
	}
	at := l.mark(applied - kept)
	l.terms = append([]uint64(nil), l.terms[at.Index-l.base.Index:]...)
	l.base = at
}

// runsOf are consecutive entries of the same term, from first on.
func runsOf(first uint64, terms []uint64) (runs []steps.Run) {
	for i, term := range terms {
		if n := len(runs); n > 0 && runs[n-1].Term == term {
			runs[n-1].Count++
		} else {
			runs = append(runs, steps.Run{First: first + uint64(i), Count: 1, Term: term})
		}
	}
	return runs
}
