// Package transactions has the checks of transactions: "append", of lists, "mini" and
// "rw", of registers, and "bank", of accounts. One order of all of them must explain all that was
// answered: see docs/adr/0037.
package transactions

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// Append returns the checker "append": transactions read lists and append to them (see
// AppendFunctions), and each list must have one order of its elements that explains all
// that was answered. No two appends to a list may have the same element.
//
// The longest read of a list gives its order, and what was read of it must then be the
// beginning of that. Every element was appended, and not by a transaction that failed. The elements of one
// transaction stand together, right behind what it read, and nobody sees a part of a
// transaction, on whatever lists. What took effect before a read was called is in
// it; what was called only after a read had returned is not.
//
// For one list that is all of strict serializability. Where nothing is wrong with any list
// by itself, one order of all transactions is looked for, as for registers; without one,
// the shortest cycle is told.
func Append() check.Checker { return appendCheck{} }

type appendCheck struct{}

var _ check.Checker = appendCheck{}

// Name is "append".
func (appendCheck) Name() string { return "append" }

// Check implements Checker.
func (appendCheck) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	if len(in.Ops) == 0 {
		return check.Result{Verdict: check.Unknown, Summary: "the history holds no operations"}
	}
	c := &appendLists{in: in, budget: b, byKey: map[history.Data]*appendList{}}
	if err := c.gather(); err != nil {
		return check.Result{Verdict: check.Unknown, Summary: err.Error()}
	}
	c.judge()
	var between *finding
	if c.worst == nil && c.stop == "" {
		between = c.across()
	}
	res := check.Result{Stats: map[string]float64{"lists": float64(len(c.all)), "operations": float64(len(in.Ops)), "elements": float64(c.elements)}}
	bad := 0
	for _, l := range c.all {
		if l.bad {
			bad++
		}
	}
	res.Stats["violating"] = float64(bad)
	switch {
	case c.worst != nil:
		c.show(bad, &res)
	case between != nil:
		between.show(in, &res)
	case c.stop != "":
		res.Verdict, res.Summary = check.Unknown, c.stop
	default:
		res.Verdict = check.Pass
		res.Summary = fmt.Sprintf("one order of all transactions on %s explains %s, with %s appended",
			check.Counted(len(c.all), "list", "lists"), check.Counted(len(in.Ops), "operation", "operations"), check.Counted(c.elements, "element", "elements"))
	}
	return res
}

// appendLists are all lists of a history, and what was found wrong with them.
type appendLists struct {
	in       *check.Input
	budget   *check.Budget
	stop     string // the limit that was reached
	byKey    map[history.Data]*appendList
	all      []*appendList
	txns     []*appendTxn
	elements int
	worst    *appendFinding // the one that was certain first
}

// appendList is one list.
type appendList struct {
	key      history.Data
	writers  map[history.Data]*listElement // by what they append
	accesses []*listAccess                 // but for those of transactions that failed
	reads    []*listAccess                 // that were answered, by their return
	order    []*listElement                // as the longest of the reads up to the first contradiction has it
	longest  *listAccess
	whole    string // what that found
	ends     []int  // where the elements end in it
	bad      bool
	object   int32 // in the past
}

// appendTxn is one transaction.
type appendTxn struct {
	op       *history.Op
	accesses []listAccess
	// known is when it was first known that it took effect, and by which answer: its own,
	// or that of a read that has an element of it.
	known int64
	by    *history.Op
}

// listAccess is what a transaction did with one list.
type listAccess struct {
	txn  *appendTxn
	list *appendList
	// reads says that it read the list and was answered; found is what the list held
	// before the transaction, as text.
	reads   bool
	found   string
	n       int // how many elements that are; of a read that was placed
	placed  bool
	appends []listElement
	version int32 // of the list, in the past, that they made
}

// listElement is what was appended.
type listElement struct {
	access *listAccess
	value  history.Data
	at     int         // its place in the list, from 1; 0: no read has it
	first  *listAccess // the first read, by its return, that has it
}

// over reports whether a limit was reached, now and then.
func (c *appendLists) over() bool {
	if c.stop == "" {
		c.stop = c.budget.Spent()
	}
	return c.stop != ""
}

// gather reads all operations. An error says which of them is none of this check's.
func (c *appendLists) gather() error {
	var ops []objects.TxnOp
	var found []string
	var err error
	for i := range c.in.Ops {
		if c.over() {
			return nil
		}
		op := &c.in.Ops[i]
		if ops, err = objects.ParseTxn(op, ops[:0]); err != nil {
			return err
		}
		found = found[:0]
		if op.Outcome == history.OK {
			if found, err = objects.ParseTxnAnswer(op, ops, found); err != nil {
				return err
			}
		}
		if err = c.add(op, ops, found); err != nil {
			return err
		}
	}
	return nil
}

// add takes one operation. found is empty where it was not answered.
func (c *appendLists) add(op *history.Op, ops []objects.TxnOp, found []string) error {
	t := &appendTxn{op: op, known: math.MaxInt64, accesses: make([]listAccess, 0, len(ops))}
	if op.Outcome == history.OK {
		t.known, t.by = op.Return, op
	}
	c.txns = append(c.txns, t)
	for i, o := range ops {
		a := t.access(c.list(o.Key))
		if o.Element != "" {
			a.appends = append(a.appends, listElement{value: o.Element})
			continue
		}
		if len(found) == 0 {
			continue
		}
		own := a.own()
		switch before, fits := cutSuffix(found[i], own); {
		case !fits:
			c.note(lacksItsOwn(a, found[i]))
		case !a.reads:
			a.reads, a.found = true, before
		case a.found != before:
			c.note(readsTwo(a, a.found, before))
		}
	}
	for i := range t.accesses {
		if err := c.enter(&t.accesses[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *appendLists) list(key history.Data) *appendList {
	l := c.byKey[key]
	if l == nil {
		l = &appendList{key: key, writers: map[history.Data]*listElement{}}
		c.byKey[key] = l
		c.all = append(c.all, l)
	}
	return l
}

// access is the transaction's of a list, made when there is none.
func (t *appendTxn) access(l *appendList) *listAccess {
	for i := range t.accesses {
		if t.accesses[i].list == l {
			return &t.accesses[i]
		}
	}
	t.accesses = append(t.accesses, listAccess{txn: t, list: l})
	return &t.accesses[len(t.accesses)-1]
}

// own are the elements that the transaction appended so far, as text.
func (a *listAccess) own() string {
	var b strings.Builder
	for i := range a.appends {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(a.appends[i].value))
	}
	return b.String()
}

// enter puts a whole access into its list.
func (c *appendLists) enter(a *listAccess) error {
	l, failed := a.list, a.txn.op.Outcome == history.Fail
	for i := range a.appends {
		e := &a.appends[i]
		e.access = a
		// One that failed appended nothing, so another may have done it.
		switch before := l.writers[e.value]; {
		case before == nil || before.access.txn.op.Outcome == history.Fail:
			l.writers[e.value] = e
		case !failed:
			return fmt.Errorf("%s is appended to the list %s twice: this check needs elements that are unique in their list", e.value.Show(), l.key.Show())
		}
	}
	if failed {
		return nil
	}
	c.elements += len(a.appends)
	l.accesses = append(l.accesses, a)
	if a.reads {
		l.reads = append(l.reads, a)
	}
	return nil
}

// cutSuffix is a list, as text, without its last elements; false when they are not its
// last.
func cutSuffix(list, last string) (before string, fits bool) {
	switch {
	case last == "":
		return list, true
	case list == last:
		return "", true
	}
	before, fits = strings.CutSuffix(list, last)
	if fits = fits && strings.HasSuffix(before, ","); !fits {
		return "", false
	}
	return before[:len(before)-1], true
}

// begins reports whether a list, as text, begins with another. Text of data has one
// form, and a comma behind whole elements stands between two of them.
func begins(list, with string) bool {
	return with == "" || strings.HasPrefix(list, with) && (len(list) == len(with) || list[len(with)] == ',')
}

// judge looks at all lists, until a limit is reached.
func (c *appendLists) judge() {
	for _, l := range c.all {
		slices.SortStableFunc(l.reads, func(a, b *listAccess) int { return cmp.Compare(a.txn.op.Return, b.txn.op.Return) })
		for _, a := range l.reads {
			if c.over() {
				return
			}
			if f := l.place(a); f != nil { // what follows has no order to be held against
				c.note(f)
				break
			}
		}
	}
	for _, l := range c.all {
		for _, e := range l.order {
			if t, r := e.access.txn, e.first.txn.op; r.Return < t.known {
				t.known, t.by = r.Return, r
			}
		}
	}
	for _, l := range c.all {
		c.together(l)
		c.inTime(l)
		if c.stop != "" {
			return
		}
	}
	for _, t := range c.txns {
		c.fractured(t)
		if c.stop != "" {
			return
		}
	}
}

// place holds a read against the reads that returned before it, and takes from it how
// the list goes on. It returns what is wrong with the read.
func (l *appendList) place(a *listAccess) *appendFinding {
	switch {
	case begins(l.whole, a.found):
		a.placed = true
		if a.found != "" {
			at, _ := slices.BinarySearch(l.ends, len(a.found))
			a.n = at + 1
		}
		return nil
	case !begins(a.found, l.whole):
		return disagree(l, a)
	}
	rest, known := a.found, len(l.order)
	if l.whole != "" {
		rest = rest[len(l.whole)+1:]
	}
	end := len(a.found) - len(rest) - 1
	for value := range history.Data("[" + rest + "]").Elements() {
		e := l.writers[value]
		if f := l.strange(a, e, value); f != nil {
			for _, e := range l.order[known:] {
				e.at, e.first = 0, nil
			}
			l.order, l.ends = l.order[:known], l.ends[:known]
			return f
		}
		end += 1 + len(value)
		l.order, l.ends = append(l.order, e), append(l.ends, end)
		e.at, e.first = len(l.order), a
	}
	l.whole, l.longest = a.found, a
	a.placed, a.n = true, len(l.order)
	return nil
}

// strange tells what is wrong with an element that a read has, and that reads before it
// had not: e is where it was appended.
func (l *appendList) strange(a *listAccess, e *listElement, value history.Data) *appendFinding {
	switch {
	case e == nil:
		return fromNowhere(a, value)
	case e.access.txn.op.Outcome == history.Fail:
		return failedAppend(a, e)
	case e.at > 0:
		return foundTwice(a, e)
	case e.access == a:
		return itsOwnBefore(a, e)
	}
	return nil
}
