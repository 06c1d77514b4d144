package raft

import (
	"fmt"
	"sort"
)

// raftLog is the log in memory: what is behind base has been compacted away.
//
// Slices of its entries are read by other goroutines (the log writer, the
// transport, the applier), so an entry in the backing array is never
// overwritten: truncation makes the next append copy.
type raftLog struct {
	base    LogMark // the entry before entries[0]
	entries []Entry
	saved   uint64 // entries up to here were handed to the log writer

	commit     uint64
	commitHash uint64 // chain hash up to commit

	// uncommitted is the size of the entries above commit. It is kept here,
	// where entries come and go, so that it cannot leak.
	uncommitted int

	steps *stepper // nil: nobody wants them
}

// newLog rebuilds the log from what was stored. reset says that the stored
// entries do not join the snapshot: the storage must be told to drop them.
func newLog(st *State) (l *raftLog, reset bool, err error) {
	l = &raftLog{base: st.Base, entries: st.Entries}
	for i := range l.entries {
		if want := l.base.Index + 1 + uint64(i); l.entries[i].Index != want {
			return nil, false, fmt.Errorf("stored log has entry %d where %d belongs", l.entries[i].Index, want)
		}
	}
	l.saved = l.last()
	if st.Snapshot == nil {
		if st.Base.Index > 0 {
			return nil, false, fmt.Errorf("stored log begins after entry %d, and there is no snapshot", st.Base.Index)
		}
	} else {
		snap := LogMark{st.Snapshot.Index, st.Snapshot.Term}
		if st.Base.Index > snap.Index {
			return nil, false, fmt.Errorf("stored log begins after entry %d, but the snapshot ends at %d", st.Base.Index, snap.Index)
		}
		if reset = !l.holds(snap); reset {
			l.reset(snap)
		}
		l.commit, l.commitHash = snap.Index, st.Snapshot.Hash
	}
	l.uncommitted = l.sizeAbove(l.commit)
	return l, reset, nil
}

func (l *raftLog) last() uint64 { return l.base.Index + uint64(len(l.entries)) }

func (l *raftLog) lastMark() LogMark {
	if n := len(l.entries); n > 0 {
		return LogMark{l.entries[n-1].Index, l.entries[n-1].Term}
	}
	return l.base
}

// term is the term of the entry at index; not ok if the log does not hold it
// (any more). An unknown term never counts as a match.
func (l *raftLog) term(index uint64) (term uint64, ok bool) {
	switch {
	case index == l.base.Index:
		return l.base.Term, true
	case index < l.base.Index || index > l.last():
		return 0, false
	}
	return l.entries[index-l.base.Index-1].Term, true
}

// holds says whether the log holds that very entry.
func (l *raftLog) holds(m LogMark) bool {
	term, ok := l.term(m.Index)
	return ok && term == m.Term
}

// upToDate says whether a log that ends in m is at least as up to date as
// this one: the later term wins, then the longer log.
func (l *raftLog) upToDate(m LogMark) bool {
	mine := l.lastMark()
	return m.Term > mine.Term || m.Term == mine.Term && m.Index >= mine.Index
}

// slice is the entries from lo to hi, both included and both in the log.
func (l *raftLog) slice(lo, hi uint64) []Entry {
	first := l.base.Index + 1
	return l.entries[lo-first : hi-first+1 : hi-first+1]
}

// batch is the entries from lo on, as many as fit in maxBytes but at least one
// (none if lo is beyond the end).
func (l *raftLog) batch(lo uint64, maxBytes int) []Entry {
	if lo > l.last() {
		return nil
	}
	all := l.slice(lo, l.last())
	size := 0
	for i := range all {
		if size += all[i].size(); size > maxBytes && i > 0 {
			return all[:i:i]
		}
	}
	return all
}

// append adds an entry at the end and returns its index.
func (l *raftLog) append(e Entry) uint64 {
	e.Index = l.last() + 1
	l.entries = append(l.entries, e)
	l.uncommitted += e.size()
	return e.Index
}

// merge makes the log hold entries, which follow an entry that matches. What
// is there already stays: only an entry of another term cuts the log, never a
// message that merely ends earlier. It fails if a committed entry would go.
func (l *raftLog) merge(entries []Entry) error {
	for i := range entries {
		e := &entries[i]
		if e.Index > l.last() {
			l.add(entries[i:])
			return nil
		}
		if e.Index <= l.base.Index || l.holds(LogMark{e.Index, e.Term}) {
			continue
		}
		if e.Index <= l.commit {
			term, _ := l.term(e.Index)
			return fmt.Errorf("raft: safety broken: entry %d of term %d is committed, but the leader has term %d there",
				e.Index, term, e.Term)
		}
		l.truncate(e.Index)
		l.add(entries[i:])
		return nil
	}
	return nil
}

func (l *raftLog) add(entries []Entry) {
	for i := range entries {
		l.uncommitted += entries[i].size()
	}
	l.entries = append(l.entries, entries...)
}

// truncate drops the entries from index on.
func (l *raftLog) truncate(index uint64) {
	keep := index - l.base.Index - 1
	term, _ := l.term(index - 1)
	l.steps.truncates(LogMark{index - 1, term})
	for i := range l.entries[keep:] {
		l.uncommitted -= l.entries[keep+uint64(i)].size()
	}
	l.entries = l.entries[:keep:keep]
	l.saved = min(l.saved, index-1)
}

// conflictHint is the last place at or below index where a log whose entry at
// index has that term may agree with this one: the last entry of at most that
// term. Below the base it is a guess that must be tried out.
func (l *raftLog) conflictHint(index, term uint64) LogMark {
	index = min(index, l.last())
	if index < l.base.Index {
		return LogMark{index, term}
	}
	// Terms never decrease along a log, so the place can be searched for.
	held := l.entries[:index-l.base.Index]
	n := sort.Search(len(held), func(i int) bool { return held[i].Term > term })
	switch {
	case n > 0:
		return LogMark{held[n-1].Index, held[n-1].Term}
	case l.base.Term > term && l.base.Index > 0:
		return LogMark{l.base.Index - 1, term}
	}
	return l.base
}

// compact forgets the entries up to index, which must be committed.
func (l *raftLog) compact(index uint64) {
	if index <= l.base.Index {
		return
	}
	term, _ := l.term(index)
	l.steps.compacts(LogMark{index, term}, false)
	rest := l.entries[index-l.base.Index:]
	l.base = LogMark{index, term}
	// A copy lets go of the old array and of the commands in it.
	l.entries = append(make([]Entry, 0, len(rest)+len(rest)/4), rest...)
}

// reset empties the log and lets it begin after m.
func (l *raftLog) reset(m LogMark) {
	l.steps.compacts(m, true)
	l.base, l.entries, l.saved = m, nil, m.Index
	l.commit, l.uncommitted = m.Index, 0
}

func (l *raftLog) sizeAbove(index uint64) (size int) {
	for i := range l.entries {
		if l.entries[i].Index > index {
			size += l.entries[i].size()
		}
	}
	return size
}
