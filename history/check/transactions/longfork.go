package transactions

import (
	"context"
	"errors"
	"fmt"
	"math/bits"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// LongFork returns the checker "long-fork", as Jepsen has it: the registers of a group (a key)
// are written once each, and read several at a time (see objects.RegistersFunctions). No two
// reads may see two writes in opposite orders: one the first and not the second, the other the
// second and not the first.
//
// That is what parallel snapshot isolation allows and snapshot isolation does not. The check
// says nothing of how new reads are: for that there is "rw". It compares the kinds of reads of
// each group with each other, so groups are to be replaced now and then.
func LongFork() check.Checker { return longFork{} }

type longFork struct{}

// Name is "long-fork".
func (longFork) Name() string { return "long-fork" }

// forkGroup is a group of registers.
type forkGroup struct {
	places  map[history.Data]int // of a register: its bit
	writers map[history.Data]*history.Op
	kinds   map[glance]*history.Op // of each kind of read, the one that returned first
}

// glance is what a read looked at, and in which of that it found something.
type glance struct{ asked, seen uint64 }

// fork is two reads that contradict each other.
type fork struct {
	a, b        *history.Op // a returned first
	first, then history.Data
}

func (f *fork) at() int64 { return f.b.Return }

// Check implements Checker.
func (longFork) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	groups := make(map[string]*forkGroup)
	reads := 0
	for i := range in.Ops {
		if stop := b.Spent(); stop != "" {
			return check.Result{Verdict: check.Unknown, Summary: stop}
		}
		op := &in.Ops[i]
		g := groups[op.Key]
		if g == nil {
			g = &forkGroup{map[history.Data]int{}, map[history.Data]*history.Op{}, map[glance]*history.Op{}}
			groups[op.Key] = g
		}
		read, err := g.take(op)
		if err != nil {
			return check.Result{Verdict: check.Unknown, Summary: fmt.Sprintf("process %d has, of the group %s, %v", op.Process, history.Show(op.Key), err)}
		}
		if read {
			reads++
		}
	}
	var worst *fork
	wrong, stop := 0, ""
	for _, g := range groups {
		var f *fork
		if f, stop = g.judge(b); f != nil {
			if wrong++; worst == nil || f.at() < worst.at() {
				worst = f
			}
		}
		if stop != "" {
			break
		}
	}
	res := check.Result{Stats: map[string]float64{"groups": float64(len(groups)), "reads": float64(reads), "violating": float64(wrong)}}
	switch {
	case worst != nil:
		worst.tell(in, groups[worst.a.Key], &res, wrong)
	case stop != "":
		res.Verdict, res.Summary = check.Unknown, stop
	case reads == 0:
		res.Verdict, res.Summary = check.Unknown, "no read of several registers was answered, so nothing was observed"
	default:
		res.Verdict = check.Pass
		res.Summary = fmt.Sprintf("%s of %s, and no two see writes in opposite orders", check.Counted(reads, "read", "reads"), check.Counted(len(groups), "group", "groups"))
	}
	return res
}

// take takes an operation in; read says that it was a read that was answered.
func (g *forkGroup) take(op *history.Op) (read bool, err error) {
	ops, err := objects.ParseRegisters(op)
	if err != nil {
		return false, err
	}
	var k glance
	for _, o := range ops {
		bit, known := g.places[o.Key]
		if !known {
			if bit = len(g.places); bit == 64 {
				return false, errors.New("more than 64 registers, which this check does not take")
			}
			g.places[o.Key] = bit
		}
		switch {
		case o.Writes && g.writers[o.Key] != nil:
			return false, fmt.Errorf("a second write of the register %s: this check can tell only of such that are written once", o.Key.Show())
		case o.Writes:
			g.writers[o.Key] = op
		default:
			k.asked |= 1 << bit
			if o.Value != history.Null {
				k.seen |= 1 << bit
			}
		}
	}
	if op.Outcome != history.OK || op.Func != history.Read {
		return false, nil
	}
	if old := g.kinds[k]; old == nil || op.Return < old.Return {
		g.kinds[k] = op
	}
	return true, nil
}

// judge finds the two reads that contradict each other first, of those that it has looked
// at when the limits are reached.
func (g *forkGroup) judge(b *check.Budget) (worst *fork, stop string) {
	for p, a := range g.kinds {
		for q, other := range g.kinds {
			if stop = b.Spent(); stop != "" {
				return worst, stop
			}
			onlyA, onlyB := p.seen&q.asked&^q.seen, q.seen&p.asked&^p.seen
			if onlyA == 0 || onlyB == 0 || a.Return > other.Return || a.Return == other.Return && a.Call > other.Call {
				continue
			}
			f := &fork{a: a, b: other, first: g.named(onlyA), then: g.named(onlyB)}
			if worst == nil || f.at() < worst.at() || f.at() == worst.at() && f.a.Return < worst.a.Return {
				worst = f
			}
		}
	}
	return worst, ""
}

// named is the register of the lowest bit.
func (g *forkGroup) named(set uint64) (name history.Data) {
	for key, bit := range g.places {
		if bit == bits.TrailingZeros64(set) {
			name = key
		}
	}
	return name
}

// tell fills in the result of a violation, of one of that many groups.
func (f *fork) tell(in *check.Input, g *forkGroup, res *check.Result, groups int) {
	first, then := f.first.Show(), f.then.Show()
	res.Verdict, res.Kind, res.Key, res.FirstAt = check.Violation, check.KindLongFork, f.a.Key, in.FirstAt(f.at())
	named := anomaly{name: "G-nonadjacent", weakest: repeatableRead} // as "rw" calls it
	res.Anomaly, res.RuledOut = named.name, named.ruledOut()
	res.Summary = fmt.Sprintf("group %s: two reads see the writes of %s and %s in opposite orders", history.Show(f.a.Key), first, then)
	if groups > 1 {
		res.Summary += fmt.Sprintf("; %d groups have such reads", groups)
	}
	res.Explanation = fmt.Sprintf("At %.3f s %s%s answered %s, so %s was written before %s; at %.3f s %s%s answered %s, so %s was written before %s.%s",
		in.Since(f.a.Return), history.Show(f.a.Node), check.Standing(in, f.a.Node, f.a.Return), check.Briefly(in.Functions, f.a), first, then,
		in.Since(f.b.Return), history.Show(f.b.Node), check.Standing(in, f.b.Node, f.b.Return), check.Briefly(in.Functions, f.b), then, first,
		check.Elsewhere(in, f.b.Node, f.b.Return))
	var beside []*history.Op
	for _, key := range []history.Data{f.first, f.then} {
		if w := g.writers[key]; w != nil {
			beside = append(beside, check.Distinct([]*history.Op{w}, beside)...)
		}
	}
	res.Witness = check.WitnessOps([]*history.Op{f.a, f.b}, beside, in)
	res.Stats["witness"] = 2
}
