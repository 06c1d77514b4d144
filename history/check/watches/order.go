package watches

import (
	"cmp"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
)

// order puts the writes in the order of their revisions, of which each belongs to one.
func (l *eventLog) order() error {
	for i := range l.writes {
		if err := l.over(); err != nil {
			return err
		}
		if l.writes[i].revision != 0 {
			l.byRev = append(l.byRev, int32(i))
		}
	}
	slices.SortStableFunc(l.byRev, func(a, b int32) int { return cmp.Compare(l.writes[a].revision, l.writes[b].revision) })
	for i := range l.byRev[min(1, len(l.byRev)):] {
		a, b := &l.writes[l.byRev[i]], &l.writes[l.byRev[i+1]]
		if a.revision == b.revision {
			l.note(nil, sameRevision(a, b))
		}
	}
	return nil
}

// count counts the writes that watches should have told of.
func (l *eventLog) count() {
	faults := check.FaultTimes(l.in.Faults)
	for _, i := range l.byRev {
		w := &l.writes[i]
		if w.op.Outcome == history.Info {
			l.counts.unknownSeen++
		}
		if w.op.Final || w.op.Outcome != history.OK || !w.watchable {
			continue
		}
		seen := 0
		if w.seen != nil {
			seen = 1
		}
		l.counts.acknowledged++
		l.counts.watched += seen
		k, _ := slices.BinarySearchFunc(faults, w.op.Return, func(s check.Span, t int64) int { return cmp.Compare(s.To, t) })
		if k < len(faults) && faults[k].From <= w.op.Return {
			l.counts.inFaults++
			l.counts.watchedInFaults += seen
		}
	}
}

// compare holds each answer against what was written from where it begins to where it
// ends.
func (l *eventLog) compare() error {
	for i := range l.answers {
		a := &l.answers[i]
		list, err := l.writesBelow(a.op.Key)
		if err != nil {
			return err
		}
		if a.silent {
			continue
		}
		at, _ := slices.BinarySearchFunc(list, a.from, func(g logGroup, revision int64) int { return cmp.Compare(l.writes[g.write].revision, revision) })
		has := a.groups
		for ; at < len(list) && l.writes[list[at].write].revision < a.next; at++ {
			if err := l.over(); err != nil {
				return err
			}
			want, w := list[at], &l.writes[list[at].write]
			switch {
			case len(has) > 0 && has[0] == want:
				has = has[1:]
			case len(has) > 0 && has[0].write == want.write:
				l.note(a, l.apart(a, w))
				has = has[1:]
			default:
				l.note(a, lacking(a, w))
			}
		}
	}
	l.count()
	return nil
}

// writesBelow are the writes with keys that have a prefix, by revision, each with how many
// such keys it has.
func (l *eventLog) writesBelow(prefix string) ([]logGroup, error) {
	if list, known := l.below[prefix]; known {
		return list, nil
	}
	var list []logGroup
	for _, i := range l.byRev {
		if err := l.over(); err != nil {
			return nil, err
		}
		w, n := &l.writes[i], int32(0)
		for _, p := range l.pairs[w.pairs[0]:w.pairs[1]] {
			if strings.HasPrefix(p.key, prefix) {
				n++
			}
		}
		if n > 0 {
			w.watchable = true
			list = append(list, logGroup{i, n})
		}
	}
	l.below[prefix] = list
	return list, nil
}

// reached is a revision that had been reached at a moment, as an answer shows.
type reached struct {
	revision, at int64
	write        *logWrite   // that has this revision; nil where a watch told that it had come so far
	by           *history.Op // the answer
}

// inTime sees to it that revisions go with time. They do unless a write was called only
// after a revision above its own had been reached: then there is a moment for each, in the
// order of their revisions.
func (l *eventLog) inTime() error {
	var all []reached
	for _, i := range l.byRev {
		w := &l.writes[i]
		all = append(all, reached{w.revision, w.known, w, w.by})
	}
	for i := range l.answers {
		if a := &l.answers[i]; !a.silent && a.next > a.from {
			all = append(all, reached{a.next - 1, a.op.Return, nil, a.op})
		}
		if err := l.over(); err != nil {
			return err
		}
	}
	slices.SortStableFunc(all, func(a, b reached) int { return cmp.Compare(a.revision, b.revision) })
	var soonest *reached // of those of higher revisions
	for i := range slices.Backward(all) {
		if err := l.over(); err != nil {
			return err
		}
		r := &all[i]
		if r.write != nil && soonest != nil && soonest.at < r.write.op.Call && (soonest.write == nil || soonest.revision > r.revision) {
			l.note(nil, againstTime(r.write, *soonest))
		}
		if soonest == nil || r.at < soonest.at {
			soonest = r
		}
	}
	return nil
}
