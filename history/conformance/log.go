package conformance

import (
	"slices"
	"sort"

	"squall/history/trace"
)

// termLog is a log without its commands: which term the entry at each index is of. It
// takes memory by changes of the term. The zero termLog is the empty log.
type termLog struct {
	base trace.Mark // the last entry that was compacted away
	runs []termRun  // behind base, without gaps
	last uint64
}

// termRun is consecutive entries of one term, up to the next run or the log's last.
type termRun struct{ first, term uint64 }

// end is the last entry.
func (l *termLog) end() trace.Mark {
	if n := len(l.runs); n > 0 {
		return trace.Mark{Index: l.last, Term: l.runs[n-1].term}
	}
	return l.base
}

// term is the term of the entry at index; not ok where the log does not hold it.
func (l *termLog) term(index uint64) (term uint64, ok bool) {
	switch {
	case index == l.base.Index:
		return l.base.Term, true
	case index < l.base.Index || index > l.last:
		return 0, false
	}
	return l.runs[l.runOf(index)].term, true
}

// runOf is the place of the run that holds index, which is behind base.
func (l *termLog) runOf(index uint64) int {
	n := len(l.runs)
	if l.runs[n-1].first <= index { // mostly
		return n - 1
	}
	return sort.Search(n, func(i int) bool { return l.runs[i].first > index }) - 1
}

func (l *termLog) holds(m trace.Mark) bool {
	term, ok := l.term(m.Index)
	return ok && term == m.Term
}

// append puts count entries behind the last one.
func (l *termLog) append(count, term uint64) {
	if n := len(l.runs); n == 0 || l.runs[n-1].term != term {
		l.runs = append(l.runs, termRun{l.last + 1, term})
	}
	l.last += count
}

// truncate removes the entries after index, which is not before base.
func (l *termLog) truncate(index uint64) {
	n := len(l.runs)
	for n > 0 && l.runs[n-1].first > index {
		n--
	}
	l.runs, l.last = l.runs[:n], index
}

// compact forgets the entries up to m, which the log holds.
func (l *termLog) compact(m trace.Mark) {
	n := 0
	for n+1 < len(l.runs) && l.runs[n+1].first <= m.Index+1 {
		n++
	}
	if m.Index == l.last {
		n = len(l.runs)
	}
	l.runs = append(l.runs[:0], l.runs[n:]...)
	if len(l.runs) > 0 {
		l.runs[0].first = m.Index + 1
	}
	l.base = m
}

// reset makes it the empty log after m.
func (l *termLog) reset(m trace.Mark) { l.base, l.runs, l.last = m, l.runs[:0], m.Index }

// clone is a copy without what is before the entry at from.
func (l *termLog) clone() termLog {
	c := *l
	c.runs = slices.Clone(l.runs)
	return c
}

// extend appends what other holds behind l's last entry, up to index.
func (l *termLog) extend(other *termLog, index uint64) {
	for l.last < index {
		i := other.runOf(l.last + 1)
		end := index
		if i+1 < len(other.runs) {
			end = min(end, other.runs[i+1].first-1)
		}
		l.append(end-l.last, other.runs[i].term)
	}
}

// upToDate says whether a log that ends in a is at least as up to date as one that
// ends in b (§5.4.1).
func upToDate(a, b trace.Mark) bool {
	return a.Term > b.Term || a.Term == b.Term && a.Index >= b.Index
}
