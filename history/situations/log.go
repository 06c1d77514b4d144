package situations

import (
	"slices"

	"squall/history/trace"
)

// maxRuns bounds how many runs of a log are remembered. Only a log of as many terms is
// longer; its beginning is then forgotten.
const maxRuns = 1 << 12

// terms is which term each entry of a log has: runs that follow one another.
type terms struct {
	base trace.Mark // the entry before the first run
	runs []trace.Run
}

func end(r trace.Run) uint64 { return r.First + r.Count - 1 }

// last is the last entry; the base of an empty log.
func (l *terms) last() trace.Mark {
	if len(l.runs) == 0 {
		return l.base
	}
	r := l.runs[len(l.runs)-1]
	return trace.Mark{Index: end(r), Term: r.Term}
}

// term is that of the entry index; ok is false where there is none, or none is known.
func (l *terms) term(index uint64) (term uint64, ok bool) {
	for i := len(l.runs) - 1; i >= 0; i-- {
		if r := l.runs[i]; r.First <= index {
			return r.Term, index <= end(r)
		}
	}
	return l.base.Term, index == l.base.Index && l.base.Term > 0
}

// holds says whether the entry m is in the log.
func (l *terms) holds(m trace.Mark) bool {
	term, ok := l.term(m.Index)
	return ok && term == m.Term
}

// put appends a run. One that does not follow the last entry begins the log anew: what
// is before it is unknown.
func (l *terms) put(r trace.Run) {
	if r.Count == 0 || end(r) < r.First {
		return
	}
	last := l.last()
	switch {
	case r.First != last.Index+1:
		l.base, l.runs = trace.Mark{Index: r.First - 1}, append(l.runs[:0], r)
	case len(l.runs) > 0 && r.Term == last.Term:
		l.runs[len(l.runs)-1].Count += r.Count
	default:
		l.runs = append(l.runs, r)
	}
	if len(l.runs) > maxRuns {
		l.compact(end(l.runs[maxRuns/2]))
	}
}

// truncate removes what is after index.
func (l *terms) truncate(index uint64) {
	for n := len(l.runs); n > 0; n-- {
		r := &l.runs[n-1]
		if r.First <= index {
			r.Count = min(r.Count, index-r.First+1)
			return
		}
		l.runs = l.runs[:n-1]
	}
}

// compact forgets what is up to index.
func (l *terms) compact(index uint64) {
	if term, ok := l.term(index); ok {
		l.base = trace.Mark{Index: index, Term: term}
	}
	n := 0
	for n < len(l.runs) && end(l.runs[n]) <= index {
		n++
	}
	l.runs = slices.Delete(l.runs, 0, n)
	if len(l.runs) > 0 && l.runs[0].First <= index {
		r := &l.runs[0]
		r.Count -= index + 1 - r.First
		r.First = index + 1
	}
}

// reset makes an empty log that begins after base.
func (l *terms) reset(base trace.Mark) { l.base, l.runs = base, l.runs[:0] }

// extend takes over the entries of from that are after l's last and not after index.
func (l *terms) extend(from *terms, index uint64) {
	next := l.last().Index + 1
	i := len(from.runs)
	for i > 0 && end(from.runs[i-1]) >= next {
		i--
	}
	for _, r := range from.runs[i:] {
		first, last := max(r.First, next), min(end(r), index)
		if first <= last {
			l.put(trace.Run{First: first, Count: last - first + 1, Term: r.Term})
		}
	}
}

// before says whether a log that ends in a is less up to date than one that ends in b
// (section 5.4.1 of the paper).
func before(a, b trace.Mark) bool {
	return a.Term < b.Term || a.Term == b.Term && a.Index < b.Index
}

// knows says whether the term of an entry is known.
func (l *terms) knows(index uint64) bool {
	_, ok := l.term(index)
	return ok
}
