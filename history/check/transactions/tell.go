package transactions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
)

// appendFinding is one thing that is wrong with a list.
type appendFinding struct {
	kind    check.Kind
	at      int64       // when it was certain
	suspect *listAccess // whose answer is told first
	ops     []*history.Op
	beside  []*history.Op               // that explain it
	wrong   func(c *appendLists) string // tells what is wrong with the answer
	gone    *listElement                // what the answer lacks, if it may be lost
	// twoLists says that what belongs together is in two lists, torn that others replaced
	// what a transaction appended before it was done.
	twoLists, torn bool
	upTo           map[*listAccess]int // how much of what these read is shown: so many elements; else all
}

// note keeps the finding that was certain first.
func (c *appendLists) note(f *appendFinding) {
	f.suspect.list.bad = true
	if c.worst == nil || f.at < c.worst.at {
		c.worst = f
	}
}

func lacksItsOwn(a *listAccess, found string) *appendFinding {
	own := append([]listElement(nil), a.appends...)
	return &appendFinding{kind: check.KindInternal, at: a.txn.op.Return, suspect: a, ops: a.ops(), wrong: func(*appendLists) string {
		return fmt.Sprintf(", whose read of %s does not end with what it had appended itself, %s: it found %s", a.name(), elementNames(own), tail(found))
	}}
}

func readsTwo(a *listAccess, first, then string) *appendFinding {
	return &appendFinding{kind: check.KindInternal, at: a.txn.op.Return, suspect: a, ops: a.ops(), wrong: func(*appendLists) string {
		return fmt.Sprintf(", whose reads of %s differ by more than its own appends: without those it found %s and then %s", a.name(), tail(first), tail(then))
	}}
}

func fromNowhere(a *listAccess, value history.Data) *appendFinding {
	return &appendFinding{kind: check.KindNowhere, at: a.txn.op.Return, suspect: a, ops: a.ops(), wrong: func(*appendLists) string {
		return fmt.Sprintf(", but nobody ever appended %s to %s", value.Show(), a.name())
	}}
}

func failedAppend(a *listAccess, e *listElement) *appendFinding {
	return &appendFinding{kind: check.KindFailedEffect, at: a.txn.op.Return, suspect: a, ops: a.ops(), beside: e.access.ops(), wrong: func(c *appendLists) string {
		op := e.access.txn.op
		return fmt.Sprintf(", but %s had answered the append of %s with \"failed\" at %.3f s, so it took effect after all", history.Show(op.Node), e.name(), c.in.Since(op.Return))
	}}
}

func foundTwice(a *listAccess, e *listElement) *appendFinding {
	return &appendFinding{kind: check.KindElementTwice, at: a.txn.op.Return, suspect: a, ops: a.ops(), beside: e.access.ops(), wrong: func(*appendLists) string {
		return fmt.Sprintf(", which has %s twice, and it was appended once", e.name())
	}}
}

func itsOwnBefore(a *listAccess, e *listElement) *appendFinding {
	return &appendFinding{kind: check.KindInternal, at: a.txn.op.Return, suspect: a, ops: a.ops(), wrong: func(*appendLists) string {
		return fmt.Sprintf(", which read %s before it appended it", e.name())
	}}
}

// disagree is a read that neither is the beginning of one before it nor begins with it.
func disagree(l *appendList, a *listAccess) *appendFinding {
	before := l.longest
	ours, theirs := slices.Collect(history.Data("["+a.found+"]").Elements()), slices.Collect(history.Data("["+l.whole+"]").Elements())
	at := 0
	for ours[at] == theirs[at] {
		at++
	}
	f := &appendFinding{kind: check.KindOrder, at: a.txn.op.Return, suspect: a, ops: []*history.Op{before.txn.op, a.txn.op}, upTo: map[*listAccess]int{a: at + 1, before: at + 1}}
	gone := l.writers[theirs[at]]
	for _, e := range []*listElement{gone, l.writers[ours[at]]} {
		if e != nil {
			f.beside = append(f.beside, e.access.txn.op)
		}
	}
	f.gone = gone
	f.wrong = func(c *appendLists) string {
		return fmt.Sprintf(", but %s: the %s element of %s is %s in one and %s in the other", c.had(a, before, f), ordinal(at+1), l.key.Show(), ours[at].Show(), theirs[at].Show())
	}
	return f
}

// seesAPart is a read that has one element of a transaction and lacks another.
func seesAPart(a *listAccess, has, lacks *listElement) *appendFinding {
	w := has.access.txn.op
	return &appendFinding{twoLists: has.access.list != lacks.access.list, kind: check.KindFractured, at: a.txn.op.Return, suspect: a, ops: []*history.Op{w, a.txn.op}, wrong: func(c *appendLists) string {
		return fmt.Sprintf(", which has %s and lacks %s, and one transaction appended both, called on %s at %.3f s", has.name(), lacks.name(), history.Show(w.Node), c.in.Since(w.Call))
	}}
}

// notInARow are two elements that one transaction appended one after the other and that
// do not stand so in the list.
func notInARow(e, next *listElement) *appendFinding {
	a := e.first
	if next.first.txn.op.Return > a.txn.op.Return {
		a = next.first
	}
	return &appendFinding{torn: true, kind: check.KindTorn, at: a.txn.op.Return, suspect: a, ops: []*history.Op{e.access.txn.op, a.txn.op}, upTo: map[*listAccess]int{a: max(e.at, next.at)}, wrong: func(c *appendLists) string {
		return fmt.Sprintf(", where %s and %s do not follow one another, and one transaction appended them so, called on %s at %.3f s",
			e.name(), next.name(), history.Show(e.access.txn.op.Node), c.in.Since(e.access.txn.op.Call))
	}}
}

// tornApart is a transaction that read a list and appended to it, with another's element
// between.
func tornApart(a *listAccess, between, own *listElement) *appendFinding {
	r := between.first
	f := &appendFinding{kind: check.KindTorn, at: max(a.txn.op.Return, r.txn.op.Return), suspect: a, ops: []*history.Op{a.txn.op, r.txn.op},
		beside: between.access.ops(), upTo: map[*listAccess]int{r: a.n + 1}}
	f.wrong = func(c *appendLists) string {
		return fmt.Sprintf(", so %s comes right after what it read of %s, but %s, where %s comes next", own.value.Show(), a.name(), c.had(a, r, f), between.value.Show())
	}
	return f
}

// bothNext are two transactions that both read the same of a list and appended to it.
func bothNext(a, b *listAccess) *appendFinding {
	f := &appendFinding{kind: check.KindTorn, at: b.txn.op.Return, suspect: b, ops: []*history.Op{a.txn.op, b.txn.op}}
	f.wrong = func(c *appendLists) string {
		return fmt.Sprintf(", but %s: both read the same of %s, and only one of %s and %s can come next", c.had(b, a, f), a.name(), a.appends[0].value.Show(), b.appends[0].value.Show())
	}
	return f
}

// stale is a read that lacks what was known to have taken effect before it was called.
func stale(a *listAccess, e *listElement) *appendFinding {
	w := e.access.txn
	f := &appendFinding{kind: check.KindStaleRead, at: a.txn.op.Return, suspect: a}
	if op := w.op; op.Outcome == history.OK && op.Return < a.txn.op.Call {
		f.ops = []*history.Op{op, a.txn.op}
		f.gone = e
		f.wrong = func(c *appendLists) string {
			return fmt.Sprintf(", which lacks %s, but %s%s had already acknowledged its append at %.3f s", e.name(), history.Show(op.Node), check.Standing(c.in, op.Node, op.Return), c.in.Since(op.Return))
		}
	} else {
		f.ops, f.beside = []*history.Op{w.by, a.txn.op}, []*history.Op{w.op}
		f.wrong = func(c *appendLists) string {
			return fmt.Sprintf(", which lacks %s, but %s%s had already answered a read that shows that it was appended, at %.3f s", e.name(), history.Show(w.by.Node), check.Standing(c.in, w.by.Node, w.by.Return), c.in.Since(w.by.Return))
		}
	}
	return f
}

// tooEarly is a read that has what was appended only later.
func tooEarly(a *listAccess, e *listElement) *appendFinding {
	w := e.access.txn.op
	return &appendFinding{kind: check.KindEarly, at: a.txn.op.Return, suspect: a, ops: []*history.Op{a.txn.op, w}, upTo: map[*listAccess]int{a: e.at}, wrong: func(c *appendLists) string {
		return fmt.Sprintf(", but nobody had appended %s yet: its transaction was called on %s at %.3f s", e.name(), history.Show(w.Node), c.in.Since(w.Call))
	}}
}

// wrongWayRound is an element that stands before one that had taken effect before it was
// called.
func wrongWayRound(e, earlier *listElement) *appendFinding {
	a, w, by := e.first, e.access.txn.op, earlier.access.txn
	f := &appendFinding{kind: check.KindAgainst, at: max(a.txn.op.Return, w.Call), suspect: a, ops: []*history.Op{by.op, w, a.txn.op}, upTo: map[*listAccess]int{a: e.at}}
	if by.by != by.op {
		f.ops = append(f.ops, by.by)
	}
	f.wrong = func(c *appendLists) string {
		return fmt.Sprintf(", where %s does not come behind %s, but that one was appended by %.3f s, and %s was appended by a transaction called on %s at %.3f s",
			e.name(), earlier.value.Show(), c.in.Since(by.known), e.value.Show(), history.Show(w.Node), c.in.Since(w.Call))
	}
	return f
}

// lost says whether no read that returned after a given one has an element that was
// acknowledged, though others looked.
func (l *appendList) lost(e *listElement, a *listAccess) bool {
	again := a.txn.op.Final
	if e.access.txn.op.Outcome != history.OK {
		return false
	}
	for _, r := range l.reads {
		if r == a || r.txn.op.Return < a.txn.op.Return {
			continue
		}
		if strings.Contains(r.found, string(e.value)) {
			return false
		}
		again = again || r.txn.op.Call > a.txn.op.Return
	}
	return again
}

func (a *listAccess) ops() []*history.Op { return []*history.Op{a.txn.op} }

// name is the list's for people.
func (a *listAccess) name() string { return a.list.key.Show() }

// name is "5 of l3".
func (e *listElement) name() string { return e.value.Show() + " of " + e.access.name() }

// had tells what another answer than the suspect's was.
func (c *appendLists) had(a, other *listAccess, f *appendFinding) string {
	op := other.txn.op
	had := "had already"
	if op.Return > a.txn.op.Call {
		had = "also"
	}
	return fmt.Sprintf("%s%s %s answered %s at %.3f s", history.Show(op.Node), check.Standing(c.in, op.Node, op.Return), had, c.told(op, f), c.in.Since(op.Return))
}

// show fills in the result of a history with a finding.
func (c *appendLists) show(bad int, res *check.Result) {
	f := c.worst
	res.Verdict, res.Kind, res.FirstAt = check.Violation, f.kind, c.in.FirstAt(f.at)
	called := f.named()
	res.Anomaly, res.RuledOut = called.name, called.ruledOut()
	more := ""
	if f.gone != nil && f.suspect.list.lost(f.gone, f.suspect) {
		res.Kind, more = check.KindLostElement, fmt.Sprintf(" No later read found %s, whose append was acknowledged.", f.gone.value.Show())
	}
	res.Key, _ = f.suspect.list.key.Text()
	ops := check.Distinct(f.ops, nil)
	if len(ops) == 1 {
		res.Summary = fmt.Sprintf("%s: no order of list %s explains the answer of this operation", called.name, f.suspect.name())
	} else {
		res.Summary = fmt.Sprintf("%s: no order of list %s explains the answers of these %d operations", called.name, f.suspect.name(), len(ops))
	}
	if n := len(c.all); n > 1 {
		res.Summary += fmt.Sprintf("; %d of %d lists have such a violation", bad, n)
	}
	if c.stop != "" {
		res.Summary += "; there was no time to look at everything: " + c.stop
	}
	op := f.suspect.txn.op
	res.Explanation = fmt.Sprintf("At %.3f s %s%s answered %s%s.%s%s", c.in.Since(op.Return), history.Show(op.Node), check.Standing(c.in, op.Node, op.Return),
		c.told(op, f), f.wrong(c), more, check.Elsewhere(c.in, op.Node, op.Return))
	for _, op := range ops {
		res.Witness = append(res.Witness, c.row(op, f))
	}
	for _, op := range check.Distinct(f.beside, ops) {
		row := c.row(op, f)
		row.Beside = true
		res.Witness = append(res.Witness, row)
	}
	slices.SortStableFunc(res.Witness, func(a, b check.WitnessOp) int { return cmp.Compare(a.Call, b.Call) })
	res.Stats["witness"] = float64(len(ops))
}

func (c *appendLists) row(op *history.Op, f *appendFinding) check.WitnessOp {
	row := check.AsWitness(op, c.in)
	row.Text = c.told(op, f)
	switch op.Outcome {
	case history.Fail:
		row.Text += ": failed"
	case history.Info:
		row.Text += ": outcome unknown"
	}
	return row
}
