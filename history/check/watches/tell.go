package watches

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// watchFinding is one thing that is wrong with what watches told.
type watchFinding struct {
	kind    check.Kind
	at      int64                    // when it was certain
	write   *logWrite                // that it is about; nil for a value that nobody wrote
	key     string                   // where write is nil
	suspect *history.Op              // whose answer is told
	ops     []*history.Op            // that show it beside the suspect
	beside  []*history.Op            // that explain it
	what    string                   // for the summary: "is lost"
	event   string                   // that it is about, where write is nil
	wrong   func(l *eventLog) string // tells what is wrong with the answer
	more    func(l *eventLog) string // more sentences; nil for none
}

// note keeps the finding that was certain first. a is the answer that is wrong, if it is
// one: nothing more is learnt from it.
func (l *eventLog) note(a *logAnswer, f *watchFinding) {
	if a != nil {
		a.silent = true
	}
	if l.first == nil || f.at < l.first.at {
		l.first = f
	}
}

// findingOf is one of a write that an answer has, or lacks.
func findingOf(kind check.Kind, a *logAnswer, w *logWrite, what string) *watchFinding {
	return &watchFinding{kind: kind, at: a.op.Return, write: w, suspect: a.op, what: what}
}

func notWritten(a *logAnswer, e objects.Event) *watchFinding {
	return &watchFinding{kind: check.KindEventNowhere, at: a.op.Return, key: e.Key, event: eventName(e), suspect: a.op, what: "was never written",
		wrong: func(*eventLog) string {
			return fmt.Sprintf(", one of them %s, but nobody ever wrote that", eventName(e))
		}}
}

func fromTheFuture(a *logAnswer, e objects.Event, w *logWrite) *watchFinding {
	f := findingOf(check.KindEventEarly, a, w, "was told before it was written")
	f.beside = []*history.Op{w.op}
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf(", one of them %s, but nobody had written that yet: %s was called on %s at %.3f s", eventName(e), l.asked(w.op), history.Show(w.op.Node), l.in.Since(w.op.Call))
	}
	return f
}

func failedWrite(a *logAnswer, e objects.Event, w *logWrite) *watchFinding {
	f := findingOf(check.KindFailedEffect, a, w, "is of a write that failed")
	f.at, f.beside = max(f.at, w.op.Return), []*history.Op{w.op}
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf(", one of them %s, of a %s that %s answered \"failed\" at %.3f s, so that %[2]s took effect after all", eventName(e), w.op.Func, history.Show(w.op.Node), l.in.Since(w.op.Return))
	}
	return f
}

func otherKey(a *logAnswer, e objects.Event, p *logPair, w *logWrite) *watchFinding {
	f := findingOf(check.KindEventNowhere, a, w, "was told of another key")
	f.beside = []*history.Op{w.op}
	f.wrong = func(*eventLog) string {
		return fmt.Sprintf(", one of them %s, but that value was written to %s alone", eventName(e), history.Show(p.key))
	}
	return f
}

func notAskedFor(a *logAnswer, e objects.Event, w *logWrite) *watchFinding {
	f := findingOf(check.KindEventNowhere, a, w, "was told to a watch of other keys")
	f.beside = []*history.Op{w.op}
	f.wrong = func(*eventLog) string {
		return fmt.Sprintf(", one of them %s, which is not below %s", eventName(e), history.Show(a.op.Key))
	}
	return f
}

func otherRevision(a *logAnswer, e objects.Event, w *logWrite) *watchFinding {
	f := findingOf(check.KindRevision, a, w, "was told with two revisions")
	f.at, f.ops, f.beside = max(f.at, w.known), []*history.Op{w.by}, []*history.Op{w.op}
	by, known, revision := w.by, w.known, w.revision
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf(", one of them %s, but %s answered %s with revision %d for it at %.3f s", eventName(e), l.who(by), l.asked(by), revision, l.in.Since(known))
	}
	return f
}

func seenTwice(a *logAnswer, e objects.Event, w *logWrite) *watchFinding {
	f := findingOf(check.KindEventTwice, a, w, "was told twice")
	f.beside = []*history.Op{w.op}
	f.wrong = func(*eventLog) string { return fmt.Sprintf(", with %s twice", eventName(e)) }
	return f
}

func toldAgain(a *logAnswer, e objects.Event, w *logWrite) *watchFinding {
	f := findingOf(check.KindEventTwice, a, w, "is older than what was asked for")
	f.beside = []*history.Op{w.op}
	seen := w.seen
	if seen != nil {
		f.beside = append(f.beside, seen)
	}
	f.wrong = func(l *eventLog) string {
		text := fmt.Sprintf(", one of them %s, though it was asked only from revision %d on", eventName(e), a.from)
		if seen != nil {
			text += fmt.Sprintf("; %s had told of it at %.3f s", l.who(seen), l.in.Since(seen.Return))
		}
		return text
	}
	return f
}

func outOfOrder(a *logAnswer, before, e objects.Event) *watchFinding {
	return &watchFinding{kind: check.KindEventOrder, at: a.op.Return, key: e.Key, event: eventName(e), suspect: a.op, what: "was told behind a later one",
		wrong: func(*eventLog) string {
			return fmt.Sprintf(", where %s comes behind %s", eventName(e), eventName(before))
		}}
}

func lacking(a *logAnswer, w *logWrite) *watchFinding {
	f := findingOf(check.KindEventLost, a, w, "is lost")
	f.at, f.ops = max(f.at, w.known), []*history.Op{w.by}
	if w.by != w.op {
		f.beside = []*history.Op{w.op}
	}
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf(" without %s, but %s", l.name(w), l.had(reached{w.revision, w.known, w, w.by}, a.op.Call))
	}
	f.more = func(l *eventLog) string {
		switch {
		case w.seen == nil:
			return " No watch was ever told of it."
		case w.seen != w.by:
			return fmt.Sprintf(" Another watch was told of it, on %s at %.3f s.", history.Show(w.seen.Node), l.in.Since(w.seen.Return))
		}
		return ""
	}
	return f
}

// apart is an answer that has some keys of a txn and lacks others.
func (l *eventLog) apart(a *logAnswer, w *logWrite) *watchFinding {
	f := findingOf(check.KindEventApart, a, w, "was told in part")
	f.at, f.beside = max(f.at, w.known), []*history.Op{w.op}
	f.wrong = func(l *eventLog) string {
		lacks := ""
		has := string(a.op.Out)
		for _, p := range l.pairs[w.pairs[0]:w.pairs[1]] {
			if strings.HasPrefix(p.key, a.op.Key) && !strings.Contains(has, ","+string(p.value)+"]") {
				lacks = eventName(objects.Event{Revision: w.revision, Key: p.key, Value: p.value})
			}
		}
		return fmt.Sprintf(", which has a part of %s and lacks %s: all of it was written at once", l.asked(w.op), lacks)
	}
	return f
}

// sameRevision is of two writes with one revision.
func sameRevision(a, b *logWrite) *watchFinding {
	first, then := a, b
	if then.known < first.known {
		first, then = then, first
	}
	return &watchFinding{kind: check.KindRevision, at: then.known, write: then, suspect: then.by, ops: []*history.Op{first.by}, beside: []*history.Op{first.op, then.op},
		what: "has the revision of another write",
		wrong: func(l *eventLog) string {
			return fmt.Sprintf("%s, but %s, and a revision belongs to one write", l.with(then), l.had(reached{first.revision, first.known, first, first.by}, then.by.Call))
		}}
}

// againstTime is of a write that was called only when its revision had been passed.
func againstTime(w *logWrite, r reached) *watchFinding {
	f := &watchFinding{kind: check.KindAgainst, at: max(w.known, r.at), write: w, suspect: w.by, ops: []*history.Op{r.by}, beside: []*history.Op{w.op},
		what: "has a revision that was over when it was called"}
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf("%s, but that was called on %s only at %.3f s, and %s", l.with(w), history.Show(w.op.Node), l.in.Since(w.op.Call), l.had(r, w.op.Call))
	}
	return f
}

// eventName is the event for people: "w/3 ← 55 of revision 23".
func eventName(e objects.Event) string {
	return fmt.Sprintf("%s ← %s of revision %d", history.Show(e.Key), e.Value.Show(), e.Revision)
}

// eventName is the event of a write, of its first key.
func (l *eventLog) name(w *logWrite) string {
	p := &l.pairs[w.pairs[0]]
	return eventName(objects.Event{Revision: w.revision, Key: p.key, Value: p.value})
}

// who names a node as it stood when it answered.
func (l *eventLog) who(op *history.Op) string {
	return history.Show(op.Node) + check.Standing(l.in, op.Node, op.Return)
}

// with names the event of a write that the answer told of last shows, unless it is that of the
// write itself.
func (l *eventLog) with(w *logWrite) string {
	if w.by == w.op {
		return ""
	}
	return ", one of them " + l.name(w)
}

// had tells which answer shows that a revision had been reached, and whether before a call.
func (l *eventLog) had(r reached, call int64) string {
	had := "had already "
	if r.at > call {
		had = "also "
	}
	who := l.who(r.by)
	switch {
	case r.write == nil:
		return fmt.Sprintf("%s %stold a watch at %.3f s that all up to revision %d had happened", who, had, l.in.Since(r.at), r.revision)
	case r.by == r.write.op:
		return fmt.Sprintf("%s %sacknowledged %s at %.3f s", who, had, l.told(r.by), l.in.Since(r.at))
	}
	return fmt.Sprintf("%s %stold a watch of %s at %.3f s", who, had, l.name(r.write), l.in.Since(r.at))
}

// asked tells what an operation was to do.
func (l *eventLog) asked(op *history.Op) string {
	question := *op
	question.Out = ""
	return l.in.Functions.Tell(&question)
}

// told tells of an operation with its answer, but of the events of a watch only how many
// they are.
func (l *eventLog) told(op *history.Op) string {
	var answer objects.WatchAnswer
	if op.Func != objects.Watch || op.Outcome != history.OK || objects.ParseWatchAnswer(op.Out, &answer) != nil {
		return l.in.Functions.Tell(op)
	}
	text := fmt.Sprintf("%s with %s", l.asked(op), check.Counted(len(answer.Events), "event", "events"))
	return fmt.Sprintf("%s up to revision %d", text, answer.Next-1)
}

// show fills in the result of a history with a finding.
func (l *eventLog) show(res *check.Result) {
	f := l.first
	res.Verdict, res.Kind, res.FirstAt, res.Key = check.Violation, f.kind, l.in.FirstAt(f.at), f.key
	event := f.event
	if f.write != nil {
		res.Key, event = l.pairs[f.write.pairs[0]].key, l.name(f.write)
	}
	res.Summary = fmt.Sprintf("the event %s %s", event, f.what)
	more := ""
	if f.more != nil {
		more = f.more(l)
	}
	res.Explanation = fmt.Sprintf("At %.3f s %s answered %s%s.%s%s", l.in.Since(f.suspect.Return), l.who(f.suspect), l.told(f.suspect), f.wrong(l), more,
		check.Elsewhere(l.in, f.suspect.Node, f.suspect.Return))
	ops := check.Distinct(append([]*history.Op{f.suspect}, f.ops...), nil)
	for _, op := range ops {
		res.Witness = append(res.Witness, l.row(op))
	}
	for _, op := range check.Distinct(f.beside, ops) {
		row := l.row(op)
		row.Beside = true
		res.Witness = append(res.Witness, row)
	}
	slices.SortStableFunc(res.Witness, func(a, b check.WitnessOp) int { return cmp.Compare(a.Call, b.Call) })
	res.Stats["witness"] = float64(len(ops))
}

func (l *eventLog) row(op *history.Op) check.WitnessOp {
	row := check.AsWitness(op, l.in)
	if op.Func == objects.Watch && op.Outcome == history.OK {
		row.Text = l.told(op)
	}
	return row
}
