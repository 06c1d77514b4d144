package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"squall/history"
)

// watchFinding is one thing that is wrong with what watches told.
type watchFinding struct {
	kind    Kind
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
func findingOf(kind Kind, a *logAnswer, w *logWrite, what string) *watchFinding {
	return &watchFinding{kind: kind, at: a.op.Return, write: w, suspect: a.op, what: what}
}

func notWritten(a *logAnswer, e Event) *watchFinding {
	return &watchFinding{kind: KindEventNowhere, at: a.op.Return, key: e.Key, event: e.name(), suspect: a.op, what: "was never written",
		wrong: func(*eventLog) string { return fmt.Sprintf(", one of them %s, but nobody ever wrote that", e.name()) }}
}

func fromTheFuture(a *logAnswer, e Event, w *logWrite) *watchFinding {
	f := findingOf(KindEventEarly, a, w, "was told before it was written")
	f.beside = []*history.Op{w.op}
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf(", one of them %s, but nobody had written that yet: %s was called on %s at %.3f s", e.name(), l.asked(w.op), show(w.op.Node), l.in.since(w.op.Call))
	}
	return f
}

func failedWrite(a *logAnswer, e Event, w *logWrite) *watchFinding {
	f := findingOf(KindFailedEffect, a, w, "is of a write that failed")
	f.at, f.beside = max(f.at, w.op.Return), []*history.Op{w.op}
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf(", one of them %s, of a %s that %s answered \"failed\" at %.3f s, so that %[2]s took effect after all", e.name(), w.op.Func, show(w.op.Node), l.in.since(w.op.Return))
	}
	return f
}

func otherKey(a *logAnswer, e Event, p *logPair, w *logWrite) *watchFinding {
	f := findingOf(KindEventNowhere, a, w, "was told of another key")
	f.beside = []*history.Op{w.op}
	f.wrong = func(*eventLog) string {
		return fmt.Sprintf(", one of them %s, but that value was written to %s alone", e.name(), show(p.key))
	}
	return f
}

func notAskedFor(a *logAnswer, e Event, w *logWrite) *watchFinding {
	f := findingOf(KindEventNowhere, a, w, "was told to a watch of other keys")
	f.beside = []*history.Op{w.op}
	f.wrong = func(*eventLog) string {
		return fmt.Sprintf(", one of them %s, which is not below %s", e.name(), show(a.op.Key))
	}
	return f
}

func otherRevision(a *logAnswer, e Event, w *logWrite) *watchFinding {
	f := findingOf(KindRevision, a, w, "was told with two revisions")
	f.at, f.ops, f.beside = max(f.at, w.known), []*history.Op{w.by}, []*history.Op{w.op}
	by, known, revision := w.by, w.known, w.revision
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf(", one of them %s, but %s answered %s with revision %d for it at %.3f s", e.name(), l.who(by), l.asked(by), revision, l.in.since(known))
	}
	return f
}

func seenTwice(a *logAnswer, e Event, w *logWrite) *watchFinding {
	f := findingOf(KindEventTwice, a, w, "was told twice")
	f.beside = []*history.Op{w.op}
	f.wrong = func(*eventLog) string { return fmt.Sprintf(", with %s twice", e.name()) }
	return f
}

func toldAgain(a *logAnswer, e Event, w *logWrite) *watchFinding {
	f := findingOf(KindEventTwice, a, w, "is older than what was asked for")
	f.beside = []*history.Op{w.op}
	seen := w.seen
	if seen != nil {
		f.beside = append(f.beside, seen)
	}
	f.wrong = func(l *eventLog) string {
		text := fmt.Sprintf(", one of them %s, though it was asked only from revision %d on", e.name(), a.from)
		if seen != nil {
			text += fmt.Sprintf("; %s had told of it at %.3f s", l.who(seen), l.in.since(seen.Return))
		}
		return text
	}
	return f
}

func outOfOrder(a *logAnswer, before, e Event) *watchFinding {
	return &watchFinding{kind: KindEventOrder, at: a.op.Return, key: e.Key, event: e.name(), suspect: a.op, what: "was told behind a later one",
		wrong: func(*eventLog) string { return fmt.Sprintf(", where %s comes behind %s", e.name(), before.name()) }}
}

func lacking(a *logAnswer, w *logWrite) *watchFinding {
	f := findingOf(KindEventLost, a, w, "is lost")
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
			return fmt.Sprintf(" Another watch was told of it, on %s at %.3f s.", show(w.seen.Node), l.in.since(w.seen.Return))
		}
		return ""
	}
	return f
}

// apart is an answer that has some keys of a txn and lacks others.
func (l *eventLog) apart(a *logAnswer, w *logWrite) *watchFinding {
	f := findingOf(KindEventApart, a, w, "was told in part")
	f.at, f.beside = max(f.at, w.known), []*history.Op{w.op}
	f.wrong = func(l *eventLog) string {
		lacks := ""
		has := string(a.op.Out)
		for _, p := range l.pairs[w.pairs[0]:w.pairs[1]] {
			if strings.HasPrefix(p.key, a.op.Key) && !strings.Contains(has, ","+string(p.value)+"]") {
				lacks = Event{w.revision, p.key, p.value}.name()
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
	return &watchFinding{kind: KindRevision, at: then.known, write: then, suspect: then.by, ops: []*history.Op{first.by}, beside: []*history.Op{first.op, then.op},
		what: "has the revision of another write",
		wrong: func(l *eventLog) string {
			return fmt.Sprintf("%s, but %s, and a revision belongs to one write", l.with(then), l.had(reached{first.revision, first.known, first, first.by}, then.by.Call))
		}}
}

// againstTime is of a write that was called only when its revision had been passed.
func againstTime(w *logWrite, r reached) *watchFinding {
	f := &watchFinding{kind: KindAgainst, at: max(w.known, r.at), write: w, suspect: w.by, ops: []*history.Op{r.by}, beside: []*history.Op{w.op},
		what: "has a revision that was over when it was called"}
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf("%s, but that was called on %s only at %.3f s, and %s", l.with(w), show(w.op.Node), l.in.since(w.op.Call), l.had(r, w.op.Call))
	}
	return f
}

// name is the event for people: "w/3 ← 55 of revision 23".
func (e Event) name() string {
	return fmt.Sprintf("%s ← %s of revision %d", show(e.Key), e.Value.Show(), e.Revision)
}

// name is the event of a write, of its first key.
func (l *eventLog) name(w *logWrite) string {
	p := &l.pairs[w.pairs[0]]
	return Event{w.revision, p.key, p.value}.name()
}

// who names a node as it stood when it answered.
func (l *eventLog) who(op *history.Op) string {
	return show(op.Node) + standing(l.in, op.Node, op.Return)
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
		return fmt.Sprintf("%s %stold a watch at %.3f s that all up to revision %d had happened", who, had, l.in.since(r.at), r.revision)
	case r.by == r.write.op:
		return fmt.Sprintf("%s %sacknowledged %s at %.3f s", who, had, l.told(r.by), l.in.since(r.at))
	}
	return fmt.Sprintf("%s %stold a watch of %s at %.3f s", who, had, l.name(r.write), l.in.since(r.at))
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
	var answer WatchAnswer
	if op.Func != Watch || op.Outcome != history.OK || ParseWatchAnswer(op.Out, &answer) != nil {
		return l.in.Functions.Tell(op)
	}
	text := fmt.Sprintf("%s with %s", l.asked(op), counted(len(answer.Events), "event", "events"))
	return fmt.Sprintf("%s up to revision %d", text, answer.Next-1)
}

// show fills in the result of a history with a finding.
func (l *eventLog) show(res *Result) {
	f := l.first
	res.Verdict, res.Kind, res.FirstAt, res.Key = Violation, f.kind, l.in.firstAt(f.at), f.key
	event := f.event
	if f.write != nil {
		res.Key, event = l.pairs[f.write.pairs[0]].key, l.name(f.write)
	}
	res.Summary = fmt.Sprintf("the event %s %s", event, f.what)
	more := ""
	if f.more != nil {
		more = f.more(l)
	}
	res.Explanation = fmt.Sprintf("At %.3f s %s answered %s%s.%s%s", l.in.since(f.suspect.Return), l.who(f.suspect), l.told(f.suspect), f.wrong(l), more,
		elsewhere(l.in, f.suspect.Node, f.suspect.Return))
	ops := distinct(append([]*history.Op{f.suspect}, f.ops...), nil)
	for _, op := range ops {
		res.Witness = append(res.Witness, l.row(op))
	}
	for _, op := range distinct(f.beside, ops) {
		row := l.row(op)
		row.Beside = true
		res.Witness = append(res.Witness, row)
	}
	slices.SortStableFunc(res.Witness, func(a, b WitnessOp) int { return cmp.Compare(a.Call, b.Call) })
	res.Stats["witness"] = float64(len(ops))
}

func (l *eventLog) row(op *history.Op) WitnessOp {
	row := witnessOp(op, l.in)
	if op.Func == Watch && op.Outcome == history.OK {
		row.Text = l.told(op)
	}
	return row
}
