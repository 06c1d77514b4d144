package linearizable

import (
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/objects"
)

// SetModel is a set, empty at first, to which elements are added. A read answers with all
// elements, in any order. One to which each element is added once is decided in the time
// that reading its reads takes.
func SetModel() Model {
	return Spec[string, setOp]{
		Name: "set",
		Doc:  "add elements, and read all of them",
		Functions: history.Functions{
			{Name: objects.Add, Text: "add({key}) ← {in}"},
			{Name: history.Read, Reads: true, Text: "read({key})", Answer: " → {out}"},
		},
		Parse: parseSet,
		Step:  stepSet,
		Text:  func(s string) string { return history.Data("[" + s + "]").Show() },
		fast:  decideSet,
		unnoticed: func(list []entry[setOp]) func(setOp) bool {
			seen := make(map[string]bool)
			for i := range list {
				if o := &list[i].said; !o.adds {
					for _, e := range o.elements {
						seen[e] = true
					}
				}
			}
			return func(o setOp) bool { return !seen[o.elements[0]] }
		},
		parts:   func(o setOp) []string { return o.elements },
		without: setOp.without,
		explain: explainSet,
	}.Model()
}

// setOp is an operation of a set: the element that it adds, or those that it found,
// sorted. A state of a set is such elements with commas between them.
type setOp struct {
	adds     bool
	elements []string
	all      string // what it found, as a state
}

func parseSet(op *history.Op) (o setOp, err error) {
	switch {
	case op.Func == objects.Add:
		if !objects.IsElement(op.In) {
			return o, fmt.Errorf(`an add without its element "i", a string or a number: it is %s`, objects.Brief(op.In))
		}
		o.adds, o.elements = true, []string{string(op.In)}
		return o, objects.NoData(op, true, false)
	case op.Outcome == history.OK:
		if op.Out == "" || op.Out[0] != '[' {
			return o, fmt.Errorf(`a read that was answered without its result "o", a list: it is %s`, objects.Brief(op.Out))
		}
		for e := range op.Out.Elements() {
			if !objects.IsElement(e) {
				return o, fmt.Errorf(`a read whose result "o" has an element that is neither a string nor a number: %s`, objects.Brief(e))
			}
			o.elements = append(o.elements, string(e))
		}
		slices.Sort(o.elements)
		o.all = strings.Join(o.elements, ",")
	}
	return o, objects.NoData(op, false, true)
}

func stepSet(s string, o setOp) []string {
	if !o.adds {
		if s == o.all {
			return []string{s}
		}
		return nil
	}
	var elements []string
	for e := range history.Data("[" + s + "]").Elements() {
		elements = append(elements, string(e))
	}
	at, is := slices.BinarySearch(elements, o.elements[0])
	if is {
		return []string{s}
	}
	return []string{strings.Join(slices.Insert(elements, at, o.elements[0]), ",")}
}

// without implements Spec.without.
func (o setOp) without(gone map[string]bool) (setOp, bool) {
	if o.adds {
		return o, !gone[o.elements[0]]
	}
	left := make([]string, 0, len(o.elements))
	for _, e := range o.elements {
		if !gone[e] {
			left = append(left, e)
		}
	}
	return setOp{elements: left, all: strings.Join(left, ",")}, true
}

// decideSet decides about a set to which each element is added once; else it says
// undecided.
//
// Reads then fix nearly all of the order. Each finds what those before it found and more,
// so they stand by how much they found, those that found the same beside each other. An
// add stands behind the last read that lacks its element and before the first that has
// it; one that was answered and that no read saw stands behind all. So there is one row of
// groups, and within a group nothing but time counts. It is an order unless an operation
// returned before one of an earlier group was called.
func decideSet(list []entry[setOp], g *guard) answer {
	adds := make(map[string]int, len(list))
	var reads []int
	for i := range list {
		n := &list[i]
		if !n.said.adds {
			reads = append(reads, i)
			continue
		}
		if _, twice := adds[n.said.elements[0]]; twice {
			return undecided
		}
		adds[n.said.elements[0]] = i
	}
	slices.SortStableFunc(reads, func(a, b int) int { return len(list[a].said.elements) - len(list[b].said.elements) })
	group := make(map[string]int) // of an element: how many the first read that has it found
	rows := make(map[int][]int)   // the adds of such a group
	size := 0
	for _, i := range reads {
		if g.stopped() {
			return undecided
		}
		found := list[i].said.elements
		old := 0 // of those found, how many the reads before had found
		for at, e := range found {
			if at > 0 && e == found[at-1] {
				return illegal // twice
			}
			add, added := adds[e]
			if !added {
				return illegal // from nowhere
			}
			if _, known := group[e]; known {
				old++
				continue
			}
			group[e] = len(found)
			rows[len(found)] = append(rows[len(found)], add)
		}
		if old != size {
			return illegal // one that was there before is missing
		}
		size = len(found)
	}
	return rowOfGroups(list, reads, rows, group)
}

// rowOfGroups says whether the groups of adds and reads can stand in a row.
func rowOfGroups(list []entry[setOp], reads []int, rows map[int][]int, group map[string]int) answer {
	earlier := int64(-1 << 63) // the latest call in earlier groups
	fits := func(places []int) bool {
		latest := earlier
		for _, i := range places {
			if list[i].ret < earlier {
				return false
			}
			latest = max(latest, list[i].call)
		}
		earlier = latest
		return true
	}
	for len(reads) > 0 {
		size := len(list[reads[0]].said.elements)
		n := 1
		for n < len(reads) && len(list[reads[n]].said.elements) == size {
			n++
		}
		if !fits(rows[size]) || !fits(reads[:n]) {
			return illegal
		}
		reads = reads[n:]
	}
	var unseen []int
	for i := range list {
		if n := &list[i]; n.said.adds && n.ret != forever {
			if _, seen := group[n.said.elements[0]]; !seen {
				unseen = append(unseen, i)
			}
		}
	}
	if !fits(unseen) {
		return illegal
	}
	return legal
}
