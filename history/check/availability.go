package check

import (
	"context"
	"fmt"
	"slices"
	"time"

	"squall/history"
)

// Availability returns the checker "availability": while no fault is in force, operations
// succeed, through any node and through each. within is the longest time for which none
// may, counted from settle after the last heal, or the beginning of the load, on.
//
// Only what was tried counts: a stretch with fewer than triedWithin operations that failed,
// or were not answered, says nothing. What is not the cluster's doing makes it Unknown: an
// overloaded host, infrastructure that failed, a history that was cut. A server that ended
// by itself is told of by "no-crash" alone.
func Availability(within, settle time.Duration) Checker { return availability{within, settle} }

type availability struct{ within, settle time.Duration }

var _ Checker = availability{}

// triedWithin is how many operations must have come to nothing in a stretch.
const triedWithin = 3

// Name is "availability".
func (availability) Name() string { return "availability" }

// Check implements Checker.
func (c availability) Check(ctx context.Context, in *Input) Result {
	b := newBudget(ctx, in.Limits)
	defer b.cancel()
	var calm []span
	for _, p := range phases(in, loadSpan(in)) {
		if s := (span{p.from + int64(c.settle), p.to}); p.calm && s.length() > 0 {
			calm = append(calm, s)
		}
	}
	gone := crashedNodes(in)
	for node := range endedByOthers(in) {
		gone[node] = true
	}
	var worst, longest outage
	var whole int64
	for _, s := range calm {
		whole += s.length()
		for _, node := range append([]string{""}, in.Header.Nodes...) {
			if gone[node] || node == "" && len(gone) > (len(in.Header.Nodes)-1)/2 {
				continue
			}
			o, stop := longestOutage(in, node, s, b)
			if stop != "" {
				return Result{Verdict: Unknown, Summary: stop}
			}
			if o.length() > longest.length() {
				longest = o
			}
			if o.length() > int64(c.within) && o.tried >= triedWithin && (worst.tried == 0 || o.from < worst.from) {
				worst = o
			}
		}
	}
	res := Result{Verdict: Pass, Stats: map[string]float64{"calmSeconds": float64(whole) / 1e9, "longestSeconds": float64(longest.length()) / 1e9}}
	switch {
	case worst.tried > 0:
		c.show(in, worst, &res)
	case whole <= int64(c.within):
		res.Summary = fmt.Sprintf("no more than %s of the load were without faults, too little to hold the system to anything", took(whole))
	default:
		res.Summary = fmt.Sprintf("in %s of the load without faults, operations succeeded through every node at least every %s; %s is promised", took(whole), took(longest.length()), took(int64(c.within)))
	}
	return res
}

// outage is a stretch in which no operation succeeded, through a node or any.
type outage struct {
	span
	node  string // "": through any
	tried int    // operations called in it that did not succeed in it
}

// show gives the verdict on an outage that is too long.
func (c availability) show(in *Input, o outage, res *Result) {
	through := ""
	if o.node != "" {
		through = " through " + show(o.node)
	}
	text := fmt.Sprintf("from %s to %s no fault was in force, and none of %s%s succeeded for %s; %s is promised",
		in.clock(o.from), in.clock(o.to), counted(o.tried, "operation", "operations"), through, took(o.length()), took(int64(c.within)))
	why := ""
	if wrong := infrastructure(in); len(wrong) > 0 {
		why = "the infrastructure failed: " + wrong[0]
	} else if busy := overload(in, nil); len(busy) > 0 {
		why = busy[0]
	} else if in.Info.Truncated != "" {
		why = "the history is cut short"
	}
	if why != "" {
		res.Verdict, res.Summary = Unknown, fmt.Sprintf("the cluster may not be at fault, because %s: %s", why, text)
		return
	}
	res.Verdict, res.Kind, res.Summary = Violation, KindUnavailable, text
	res.FirstAt = in.firstAt(o.from + int64(c.within))
}

// longestOutage is the longest stretch within s in which no operation of the load
// succeeded through a node; "" for any.
func longestOutage(in *Input, node string, s span, b *budget) (longest outage, stop string) {
	ok := []int64{s.from}
	for i := range in.Ops {
		if stop = b.spent(); stop != "" {
			return longest, stop
		}
		if op := &in.Ops[i]; !op.Final && op.Outcome == history.OK && op.Return > s.from && op.Return < s.to && (node == "" || op.Node == node) {
			ok = append(ok, op.Return)
		}
	}
	longest = outage{span: longestGap(append(ok, s.to)), node: node}
	for i := range in.Ops {
		op := &in.Ops[i]
		if !op.Final && op.Call >= longest.from && op.Call < longest.to && (op.Outcome != history.OK || op.Return >= longest.to) && (node == "" || op.Node == node) {
			longest.tried++
		}
	}
	return longest, ""
}

// longestGap is the longest stretch between two moments that follow each other.
func longestGap(moments []int64) (longest span) {
	slices.Sort(moments)
	for i := 1; i < len(moments); i++ {
		if s := (span{moments[i-1], moments[i]}); s.length() > longest.length() {
			longest = s
		}
	}
	return longest
}
