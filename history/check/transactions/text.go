package transactions

import (
	"fmt"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

const (
	// toldOps is how many operations of a transaction are told, and toldElements how
	// many elements of a list: what matters is at its end, or where two part.
	toldOps      = 8
	toldElements = 4
)

// told is a transaction for people: "txn [[append l0 5] [r l1 [… 3 4]]]".
func (c *appendLists) told(op *history.Op, f *appendFinding) string {
	said := op.In
	if op.Outcome == history.OK {
		said = op.Out
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s [", op.Func)
	n := 0
	for d := range said.Elements() {
		if n > 0 {
			b.WriteByte(' ')
		}
		if n++; n > toldOps {
			b.WriteString("…")
			break
		}
		o, found, _ := objects.ParseTxnOp(d)
		switch {
		case o.Element != "":
			fmt.Fprintf(&b, "[append %s %s]", o.Key.Show(), o.Element.Show())
		case !objects.IsList(found):
			fmt.Fprintf(&b, "[r %s %s]", o.Key.Show(), found.Show())
		default:
			fmt.Fprintf(&b, "[r %s %s]", o.Key.Show(), excerpt(string(found[1:len(found)-1]), f.shownUpTo(op, o.Key)))
		}
	}
	b.WriteByte(']')
	return b.String()
}

// shownUpTo is how many elements of a list that a transaction read are shown; 0: all.
func (f *appendFinding) shownUpTo(op *history.Op, key history.Data) int {
	for a, n := range f.upTo {
		if a.txn.op == op && a.list.key == key {
			return n
		}
	}
	return 0
}

// tail is a list, as text, for people: its last elements.
func tail(list string) string { return excerpt(list, 0) }

// excerpt is a list, as text, for people: the last of its first so many elements; of all
// of them for 0.
func excerpt(list string, upTo int) string {
	var last []string
	n := 0
	more := ""
	for e := range history.Data("[" + list + "]").Elements() {
		if n == upTo && n > 0 {
			more = " …"
			break
		}
		n++
		if len(last) == toldElements {
			copy(last, last[1:])
			last = last[:toldElements-1]
		}
		last = append(last, e.Show())
	}
	before := ""
	if n > len(last) {
		before = "… "
	}
	return "[" + before + strings.Join(last, " ") + more + "]"
}

// elementNames are elements for people.
func elementNames(elements []listElement) string {
	var names []string
	for i := range elements {
		names = append(names, elements[i].value.Show())
	}
	return check.Listed(names)
}

// ordinal is "1st", "2nd", "3rd", "11th".
func ordinal(n int) string {
	end := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return fmt.Sprint(n, end)
}
