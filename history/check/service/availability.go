package service

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/validity"
)

// Availability returns the checker "availability": while no fault is in force, operations
// succeed, through any node and through each, and so do those that change something. within is the longest time for which none
// may, counted from settle after the last heal, or the beginning of the load, on.
//
// Only what was tried counts: a stretch with fewer than triedWithin operations that failed,
// or were not answered, says nothing, and nor does a pause of the load. What is not the cluster's doing makes it Unknown: an
// overloaded host, infrastructure that failed, a history that was cut. A server that ended
// by itself is told of by "no-crash" alone.
func Availability(within, settle time.Duration) check.Checker { return availability{within, settle} }

type availability struct{ within, settle time.Duration }

var _ check.Checker = availability{}

// triedWithin is how many operations must have come to nothing in a stretch.
const triedWithin = 3

// Name is "availability".
func (availability) Name() string { return "availability" }

// Check implements Checker.
func (c availability) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	var calm []check.Span
	for _, p := range validity.Phases(in, validity.LoadSpan(in)) {
		if s := (check.Span{From: p.From + int64(c.settle), To: p.To}); p.Calm && s.Length() > 0 {
			calm = append(calm, s)
		}
	}
	gone := validity.CrashedNodes(in)
	for node := range validity.EndedByOthers(in) {
		gone[node] = true
	}
	var worst outage
	var longest check.Span
	var whole int64
	for _, s := range calm {
		if s.Length() <= int64(c.within) {
			continue // too short for an outage
		}
		whole += s.Length()
		for _, node := range append([]string{""}, in.Header.Nodes...) {
			if gone[node] || node == "" && len(gone) > (len(in.Header.Nodes)-1)/2 {
				continue
			}
			for _, what := range []outage{{node: node}, {node: node, changes: true}} {
				most, outages, stop := what.outages(in, s, int64(c.within), b)
				if stop != "" {
					return check.Result{Verdict: check.Unknown, Summary: stop}
				}
				if most.Length() > longest.Length() && !what.changes {
					longest = most
				}
				if i := slices.IndexFunc(outages, func(o outage) bool { return o.tried >= triedWithin }); i >= 0 &&
					(worst.tried == 0 || outages[i].From < worst.From) {
					worst = outages[i]
				}
			}
		}
	}
	res := check.Result{Verdict: check.Pass, Stats: map[string]float64{"calmSeconds": float64(whole) / 1e9, "longestSeconds": float64(longest.Length()) / 1e9}}
	switch {
	case worst.tried > 0:
		c.show(in, worst, &res)
	case whole == 0:
		res.Summary = fmt.Sprintf("no stretch of the load was without faults for longer than %s, too little to hold the system to anything", check.Took(int64(c.within)))
	default:
		res.Summary = fmt.Sprintf("in %s of the load without faults, operations succeeded through every node at least every %s; %s is promised", check.Took(whole), check.Took(longest.Length()), check.Took(int64(c.within)))
	}
	return res
}

// outage is a stretch in which no operation succeeded, through a node or any.
type outage struct {
	check.Span
	node    string // "": through any
	changes bool   // of those operations that do more than read
	tried   int    // operations called in it that did not succeed in it
}

// holds reports whether an operation is one of those that the outage is about.
func (o *outage) holds(in *check.Input, op *history.Op) bool {
	return !op.Final && (o.node == "" || op.Node == o.node) && !(o.changes && in.Functions.Reads(op.Func))
}

// show gives the verdict on an outage that is too long.
func (c availability) show(in *check.Input, o outage, res *check.Result) {
	through := ""
	if o.node != "" {
		through = " through " + history.Show(o.node)
	}
	what := check.Counted(o.tried, "operation", "operations")
	if o.changes {
		what += " that change something"
	}
	text := fmt.Sprintf("from %s to %s no fault was in force, and none of %s%s succeeded for %s; %s is promised",
		in.Clock(o.From), in.Clock(o.To), what, through, check.Took(o.Length()), check.Took(int64(c.within)))
	why := ""
	if wrong := validity.Infrastructure(in); len(wrong) > 0 {
		why = "the infrastructure failed: " + wrong[0]
	} else if busy := validity.Overload(in, nil); len(busy) > 0 {
		why = busy[0]
	} else if in.Info.Truncated != "" {
		why = "the history is cut short"
	}
	if why != "" {
		res.Verdict, res.Summary = check.Unknown, fmt.Sprintf("the cluster may not be at fault, because %s: %s", why, text)
		return
	}
	res.Verdict, res.Kind, res.Summary = check.Violation, check.KindUnavailable, text
	res.FirstAt = in.FirstAt(o.From + int64(c.within))
}

// outages are the stretches within s, longer than within, in which none of its operations
// of the load succeeded, in order, and the longest stretch of all in which clients wanted something.
func (o outage) outages(in *check.Input, s check.Span, within int64, b *check.Budget) (longest check.Span, all []outage, stop string) {
	ok := []int64{s.From}
	for i := range in.Ops {
		if stop = b.Spent(); stop != "" {
			return longest, nil, stop
		}
		if op := &in.Ops[i]; op.Outcome == history.OK && op.Return > s.From && op.Return < s.To && o.holds(in, op) {
			ok = append(ok, op.Return)
		}
	}
	slices.Sort(ok)
	for i, from := range ok {
		o.Span = check.Span{From: from, To: s.To}
		if i+1 < len(ok) {
			o.To = ok[i+1]
		}
		parts := []outage{o}
		if o.Length() > within {
			parts = o.whileTried(in, within/2)
		}
		for _, part := range parts {
			if part.Length() > longest.Length() {
				longest = part.Span
			}
			if part.Length() > within {
				all = append(all, part)
			}
		}
	}
	return longest, all, ""
}

// whileTried are the parts of it in which clients wanted something all the time, but for
// less than a pause: a load may have longer ones. Those before and after count for none of
// them.
func (o *outage) whileTried(in *check.Input, pause int64) (parts []outage) {
	var vain []*history.Op
	for i := range in.Ops {
		op := &in.Ops[i]
		if op.Call < o.To && op.Return > o.From && !(op.Outcome == history.OK && op.Return < o.To) && o.holds(in, op) {
			vain = append(vain, op)
		}
	}
	slices.SortFunc(vain, func(a, b *history.Op) int { return cmp.Compare(a.Call, b.Call) })
	for _, op := range vain {
		if len(parts) == 0 || op.Call > parts[len(parts)-1].To+pause {
			part := *o
			part.From = max(o.From, op.Call)
			part.To = part.From
			parts = append(parts, part)
		}
		part := &parts[len(parts)-1]
		part.To = max(part.To, min(op.Return, o.To))
		if op.Call >= o.From {
			part.tried++
		}
	}
	return parts
}
