package transactions

import (
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
)

// finding is one thing that is wrong.
type finding struct {
	anomaly
	at     int64 // when it was certain, ns
	key    history.Data
	ops    []*history.Op // that show it; the first one's answer is told first, if there is only one
	beside []*history.Op // that explain it
	// tells says what is wrong, in whole sentences.
	tells func() string
	cycle []drawnEdge // of which it consists; nil: it is no cycle
}

// drawnEdge is an edge between two operations.
type drawnEdge struct {
	from, to *history.Op
	kind     string // as check.CycleEdge has it
	on       history.Data
}

// note keeps the finding that was certain first.
func (r *registers) note(f *finding) {
	if r.worst == nil || f.at < r.worst.at {
		r.worst = f
	}
}

// show fills in the result of a history with a finding.
func (f *finding) show(in *check.Input, res *check.Result) {
	res.Verdict, res.Kind, res.FirstAt = check.Violation, f.kind, in.FirstAt(f.at)
	res.Anomaly, res.RuledOut = f.name, f.ruledOut()
	res.Key, _ = f.key.Text()
	ops := check.Distinct(f.ops, nil)
	if len(ops) == 1 {
		res.Summary = fmt.Sprintf("%s: no order of all transactions explains the answer of this one", f.name)
	} else {
		res.Summary = fmt.Sprintf("%s: no order of all transactions explains the answers of these %d", f.name, len(ops))
	}
	last := f.ops[0]
	for _, op := range f.ops {
		if op.Return == f.at && op.Outcome == history.OK {
			last = op
		}
	}
	res.Explanation = f.tells() + " This rules out " + check.Listed(res.RuledOut) + "." + check.Elsewhere(in, last.Node, f.at)
	res.Witness = check.WitnessOps(ops, check.Distinct(f.beside, ops), in)
	if len(res.Witness) > check.WitnessMost {
		res.Witness = res.Witness[:check.WitnessMost]
	}
	res.Cycle = f.drawn(in, res.Witness)
	if res.Stats != nil {
		res.Stats["witness"] = float64(len(ops))
	}
}

// drawn is the cycle by the places of its operations in the witness; nil: not all are there.
func (f *finding) drawn(in *check.Input, witness []check.WitnessOp) (edges []check.CycleEdge) {
	place := func(op *history.Op) int {
		return slices.IndexFunc(witness, func(w check.WitnessOp) bool { return w.Process == op.Process && w.Call == op.Call-in.Mono })
	}
	for _, e := range f.cycle {
		on, _ := e.on.Text()
		edge := check.CycleEdge{From: place(e.from), To: place(e.to), Kind: e.kind, On: on}
		if edge.From < 0 || edge.To < 0 {
			return nil
		}
		edges = append(edges, edge)
	}
	return edges
}

// atItem is a finding of one transaction, with what it read of a register.
func (r *registers) atItem(a anomaly, at int32, wrong string, beside ...*history.Op) *finding {
	op := r.op(at)
	return &finding{anomaly: a, at: op.Return, key: r.keys[r.items[at].object], ops: []*history.Op{op}, beside: beside, tells: func() string {
		return r.answered(op) + ", " + wrong + "."
	}}
}

// answered begins a sentence about an answer.
func (r *registers) answered(op *history.Op) string {
	return fmt.Sprintf("At %.3f s %s%s answered %s", r.in.Since(op.Return), history.Show(op.Node), check.Standing(r.in, op.Node, op.Return), check.Briefly(r.in.Functions, op))
}

// name is a value of a register: "5 of r3".
func (r *registers) name(at int32, value history.Data) string {
	return value.Show() + " of " + r.keys[r.items[at].object].Show()
}

func (r *registers) notItsOwn(at int32, found history.Data) *finding {
	return r.atItem(internal(), at, fmt.Sprintf("which read %s after it had written %s itself", r.name(at, found), r.items[at].wrote.Show()))
}

func (r *registers) readsTwo(at int32, found history.Data) *finding {
	return r.atItem(internal(), at, fmt.Sprintf("which read %s and then %s, and wrote neither", r.name(at, r.items[at].found), found.Show()))
}

func (r *registers) itsOwnBefore(at int32) *finding {
	return r.atItem(internal(), at, fmt.Sprintf("which read %s before it wrote that itself", r.name(at, r.items[at].found)))
}

func (r *registers) nowhere(at int32) *finding {
	return r.atItem(garbageRead(), at, fmt.Sprintf("but nobody ever wrote %s", r.name(at, r.items[at].found)))
}

func (r *registers) aborted(at, by int32) *finding {
	op := r.op(by)
	return r.atItem(abortedRead(), at, fmt.Sprintf("but %s had answered the transaction that wrote %s with \"failed\" at %.3f s, so it took effect after all",
		history.Show(op.Node), r.name(at, r.items[at].found), r.in.Since(op.Return)), op)
}

func (r *registers) intermediate(at, by int32) *finding {
	op := r.op(by)
	f := r.atItem(intermediateRead(), at, fmt.Sprintf("which read %s, but the transaction that wrote that, called on %s at %.3f s, went on to write %s: nobody else may see what was between",
		r.name(at, r.items[at].found), history.Show(op.Node), r.in.Since(op.Call), r.items[by].wrote.Show()))
	f.ops = append(f.ops, op)
	return f
}

// lostUpdate is that two transactions replaced the same value, each as if the other had not.
func (r *registers) lostUpdate(at int32, other *history.Op) *finding {
	op, found := r.op(at), r.items[at].found
	first, second := other, op
	if first.Return > second.Return {
		first, second = second, first
	}
	key := r.keys[r.items[at].object]
	each := []drawnEdge{{first, second, "rw", key}, {second, first, "rw", key}} // neither saw the other's
	return &finding{anomaly: lostUpdate(), at: second.Return, key: key, ops: []*history.Op{first, second}, cycle: each, tells: func() string {
		what := r.name(at, found)
		if found == history.Null {
			what = r.keys[r.items[at].object].Show() + " without a value"
		}
		return fmt.Sprintf("%s, and %s: both read %s and replaced it, so one did not see what the other wrote.", r.answered(second), lower(r.answered(first)), what)
	}}
}

func lower(s string) string { return strings.Replace(s, "At ", "at ", 1) }
