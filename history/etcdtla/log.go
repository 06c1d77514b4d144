package etcdtla

import "squall/history/trace"

// termLog is which term the entry at each index is of. The zero termLog is empty.
type termLog struct {
	base  trace.Mark // the last entry before terms
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

// mark is the entry at index, of term 0 where the log does not hold it.
func (l *termLog) mark(index uint64) trace.Mark {
	term, _ := l.term(index)
	return trace.Mark{Index: index, Term: term}
}

func (l *termLog) end() trace.Mark { return l.mark(l.last()) }

func (l *termLog) holds(m trace.Mark) bool {
	term, ok := l.term(m.Index)
	return ok && term == m.Term
}

// truncate keeps what is up to index, but not less than base.
func (l *termLog) truncate(index uint64) {
	l.terms = l.terms[:max(index, l.base.Index)-l.base.Index]
}

// append puts entries of a term behind the last one.
func (l *termLog) append(count, term uint64) {
	for range count {
		l.terms = append(l.terms, term)
	}
}

// runs are the entries from first to last; not ok where the log does not hold them all.
func (l *termLog) runs(first, last uint64) (runs []trace.Run, ok bool) {
	if first > last {
		return nil, true
	}
	if first <= l.base.Index || last > l.last() {
		return nil, false
	}
	for i := first; i <= last; i++ {
		term := l.terms[i-l.base.Index-1]
		if n := len(runs); n > 0 && runs[n-1].Term == term {
			runs[n-1].Count++
		} else {
			runs = append(runs, trace.Run{First: i, Count: 1, Term: term})
		}
	}
	return runs, len(runs) <= trace.MaxRuns
}
