// Package watches has the check "watch": each watch is told every event, once and in order.
package watches

import (
	"context"
	"fmt"
	"strings"

	"squall/history"
	"squall/history/check"
)

// Checker returns the checker "watch": clients write keys below a prefix, each write at a
// revision of its own, while watches observe them (see objects.WatchFunctions). Every answer of a
// watch says that from the revision that was asked for to before the one at which the next
// request goes on, its events are all that was written. So:
//
//   - unique and in order: events stand by revision, none is told twice, and none is older
//     than what was asked for;
//   - reliable and resumable: no write is missing, whether it was acknowledged or another
//     watch has it, wherever and however often a watcher began anew. That holds also of an
//     answer without events that says how far it reaches;
//   - atomic: all events of one revision are in one answer;
//   - true: each event was written, with this key and value, by a write that was called
//     before it was seen, did not fail, and was acknowledged with this revision; no two
//     writes have one revision;
//   - in time: a write that was acknowledged, or seen, before another was called has the
//     lower revision;
//   - live: after the storm, every node tells of all that was acknowledged.
//
// All values must be unique. A history of which most acknowledged writes, or most of those
// under faults, were in no answer is Unknown. The check takes time that grows with the
// events in all answers.
func Checker() check.Checker { return watchCheck{} }

type watchCheck struct{}

var _ check.Checker = watchCheck{}

// Name is "watch".
func (watchCheck) Name() string { return "watch" }

// Check implements Checker.
func (watchCheck) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	l := &eventLog{in: in, budget: b, byValue: map[history.Data]int32{}, below: map[string][]logGroup{}}
	for _, step := range []func() error{l.readWrites, l.readAnswers, l.order, l.compare, l.inTime, l.arrive} {
		if err := step(); err != nil {
			return l.unfinished(err)
		}
	}
	res := check.Result{Stats: l.stats()}
	if l.first != nil {
		l.show(&res)
		return res
	}
	if why := l.tooLittle(); why != "" {
		res.Verdict, res.Summary = check.Unknown, why
		return res
	}
	res.Verdict, res.Summary = check.Pass, l.text()
	return res
}

// unfinished is the result when a limit was reached, or the history is not one of watches:
// a violation that was found already is one all the same.
func (l *eventLog) unfinished(err error) check.Result {
	res := check.Result{Stats: l.stats()}
	if l.first == nil {
		res.Verdict, res.Summary = check.Unknown, err.Error()
		return res
	}
	l.show(&res)
	res.Summary += "; not everything was looked at: " + err.Error()
	return res
}

// eventLog is what was written, by revision, and what watches told of it.
type eventLog struct {
	in     *check.Input
	budget *check.Budget

	writes  []logWrite
	pairs   []logPair
	byValue map[history.Data]int32 // of a value: its pair
	byRev   []int32                // the writes whose revision is known, by revision
	below   map[string][]logGroup  // by prefix: see writesBelow
	answers []logAnswer            // by return
	counts  logCounts
	first   *watchFinding // the one that was certain first
	open    string        // what was not told after the storm, and is nobody's fault
}

// logWrite is a write or a txn.
type logWrite struct {
	op       *history.Op
	pairs    [2]int32 // its first, and the one behind its last
	revision int64    // 0 while it is not known
	// known is when it was first known that it took effect, and by which answer: its
	// own or that of a watch. forever and nil while nothing shows it.
	known int64
	by    *history.Op
	seen  *history.Op // the first answer of a watch that has it
	// watchable says that it has a key below a prefix that was watched.
	watchable bool
}

// logPair is a key and the value that was stored.
type logPair struct {
	key   string
	value history.Data
	write int32
	in    int32 // the answer that was looked at last and has it, from 1
}

// logAnswer is an answer of a watch.
type logAnswer struct {
	op         *history.Op
	from, next int64
	n          int        // how many events it has
	groups     []logGroup // in their order
	// silent says that nothing can be learnt of what it does not have: what was asked
	// for was compacted, or something else is wrong with it, of which that is told.
	silent bool
}

// logGroup are the events of one write in one answer.
type logGroup struct{ write, n int32 }

// logCounts are figures of a history of watches.
type logCounts struct {
	acknowledged, watched           int // writes of the load below a prefix that is watched, and those of them that were seen
	inFaults, watchedInFaults       int // the same of those acknowledged while a fault was in force
	unknownSeen                     int // writes of unknown outcome that were seen
	answers, events                 int
	resumed, compacted, withoutNews int // answers: of a watch that went on, of one that had to skip, without events
}

func (l *eventLog) stats() map[string]float64 {
	c := &l.counts
	return map[string]float64{
		"writes": float64(len(l.writes)), "acknowledged": float64(c.acknowledged), "watched": float64(c.watched), "unknownSeen": float64(c.unknownSeen),
		"acknowledgedInFaults": float64(c.inFaults), "watchedInFaults": float64(c.watchedInFaults),
		"answers": float64(c.answers), "events": float64(c.events), "resumed": float64(c.resumed), "compacted": float64(c.compacted), "withoutEvents": float64(c.withoutNews),
	}
}

// text tells how much was compared.
func (l *eventLog) text() string {
	c := &l.counts
	parts := []string{fmt.Sprintf("%s of watches have %s of %s, each where it must be",
		check.Counted(c.answers, "answer", "answers"), check.Counted(c.events, "event", "events"), check.Counted(len(l.byRev), "write", "writes"))}
	if c.inFaults > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d writes acknowledged under faults were watched", c.watchedInFaults, c.inFaults))
	}
	if c.compacted > 0 {
		parts = append(parts, fmt.Sprintf("%s told that what was asked for had been compacted", check.Counted(c.compacted, "answer", "answers")))
	}
	return strings.Join(parts, "; ")
}

// watchedShare is how many of the acknowledged writes must have been watched for the
// verdict to mean anything, and fewUnderFaults of how many under faults that is asked.
const (
	watchedShare   = 0.5
	fewUnderFaults = 10
)

// tooLittle says why nothing can be said; "" when enough was observed.
func (l *eventLog) tooLittle() string {
	c := &l.counts
	switch {
	case c.answers == 0:
		return "no watch was answered, so nothing was observed"
	case c.events == 0:
		return "no answer of a watch has an event, so nothing was observed"
	case float64(c.watched) < watchedShare*float64(c.acknowledged):
		return fmt.Sprintf("only %d of %d acknowledged writes were in the answer of a watch: of the others nothing shows whether they were told of", c.watched, c.acknowledged)
	case c.inFaults >= fewUnderFaults && float64(c.watchedInFaults) < watchedShare*float64(c.inFaults):
		return fmt.Sprintf("only %d of %d writes that were acknowledged under faults were in the answer of a watch: of the others nothing shows whether they were told of",
			c.watchedInFaults, c.inFaults)
	}
	return l.open
}
