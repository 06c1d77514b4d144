package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"squall/history"
)

// Linearizable returns the checker "linearizable": each key is a register with
// read, write, compare-and-set and delete, absent at first, and its operations
// must be linearizable (Herlihy and Wing, 1990). Keys are independent of each
// other, so each is checked by itself.
//
// A key whose values are unique is decided in O(n log n); any other one is
// reduced and then searched with porcupine. Operations of unknown outcome may
// take effect at any time after their call, or never.
func Linearizable() Checker { return linearizable{} }

type linearizable struct {
	searchOnly bool // leave out the fast method; for tests
}

var _ Checker = linearizable{}

func (linearizable) Name() string { return "linearizable" }

// Check implements Checker.
func (c linearizable) Check(ctx context.Context, in *Input) Result {
	limits := in.Limits.withDefaults()
	keys := groupByKey(in.Ops)
	if len(keys) == 0 {
		return Result{Verdict: Unknown, Summary: "the history holds no operations"}
	}
	w := startWatch(ctx, limits.Memory)
	defer w.close()
	j := &judge{watch: w, searchOnly: c.searchOnly}
	if err := j.judgeAll(ctx, keys, limits); err != nil {
		return Result{Verdict: Unknown, Summary: err.Error()}
	}
	res := Result{Stats: map[string]float64{"keys": float64(len(keys)), "operations": float64(len(in.Ops))}}
	var bad, open []*keyCase
	for _, k := range keys {
		switch k.ruling.answer {
		case illegal:
			bad = append(bad, k)
		case undecided:
			open = append(open, k)
		}
		if k.ruling.searched {
			res.Stats["searched"]++
		}
	}
	res.Stats["violating"], res.Stats["undecided"] = float64(len(bad)), float64(len(open))
	switch {
	case len(bad) > 0:
		j.violation(ctx, in, limits, bad, &res)
		res.Summary += fmt.Sprintf("; %d of %d keys are not linearizable", len(bad), len(keys))
	case len(open) > 0:
		res.Verdict, res.Summary = Unknown, openSummary(open, len(keys), limits)
	default:
		res.Verdict = Pass
		res.Summary = fmt.Sprintf("%d operations on %d keys are linearizable", len(in.Ops), len(keys))
	}
	return res
}

// keyCase is one key and what was found of it.
type keyCase struct {
	key    string
	ops    []*history.Op
	ruling ruling
	err    error
}

// groupByKey returns the keys with their operations, those with most first:
// they take longest, and must not be what the last worker begins with.
func groupByKey(ops []history.Op) []*keyCase {
	byKey := make(map[string]*keyCase)
	var keys []*keyCase
	for i := range ops {
		k := byKey[ops[i].Key]
		if k == nil {
			k = &keyCase{key: ops[i].Key}
			byKey[k.key] = k
			keys = append(keys, k)
		}
		k.ops = append(k.ops, &ops[i])
	}
	slices.SortStableFunc(keys, func(a, b *keyCase) int { return cmp.Compare(len(b.ops), len(a.ops)) })
	return keys
}

// judge decides about registers.
type judge struct {
	watch      *watch
	searchOnly bool
}

// ruling is what was decided, and how.
type ruling struct {
	answer   answer
	why      stopReason // when undecided
	searched bool       // by porcupine
}

// decide says whether a register is linearizable, by the deadline.
func (j *judge) decide(r *register, deadline time.Time) ruling {
	steps := reduce(r)
	if !j.searchOnly {
		if a := zones(steps, len(r.values)); a != undecided {
			return ruling{answer: a}
		}
	}
	f := j.watch.run(r.model(), operations(steps), deadline, false)
	switch f.result {
	case porcupine.Ok:
		return ruling{answer: legal, searched: true}
	case porcupine.Illegal:
		return ruling{answer: illegal, searched: true}
	}
	return ruling{why: f.why, searched: true}
}

// judgeAll decides about every key. It returns an error when a key holds
// something that is no register.
func (j *judge) judgeAll(ctx context.Context, keys []*keyCase, limits Limits) error {
	inRounds(len(keys), limits, func(i int, deadline time.Time) (again bool) {
		k := keys[i]
		if ctx.Err() != nil {
			k.ruling = ruling{why: stopCancelled}
			return false
		}
		var reg *register
		if reg, k.err = newRegister(k.ops); k.err != nil {
			return false
		}
		k.ruling = j.decide(reg, deadline)
		return k.ruling.answer == undecided && k.ruling.why == stopTime
	})
	for _, k := range keys {
		if k.err != nil {
			return k.err
		}
	}
	return nil
}

// openSummary names the keys that were not decided, and the limits.
func openSummary(open []*keyCase, total int, limits Limits) string {
	const most = 5
	var names, whys []string
	for i, k := range open {
		if i < most {
			names = append(names, show(k.key))
		}
		if why := k.ruling.why.describe(limits); !slices.Contains(whys, why) {
			whys = append(whys, why)
		}
	}
	if len(open) > most {
		names = append(names, "…")
	}
	return fmt.Sprintf("%d of %d keys could not be decided (%s): %s; check again with a higher limit",
		len(open), total, strings.Join(names, ", "), strings.Join(whys, ", "))
}

const (
	// minimiseMost is how many keys are minimised to find the smallest witness.
	minimiseMost = 16
	// minimiseTime bounds that for all of them together; the time limit of
	// the check may be used up already, and a violation must still be shown.
	minimiseTime = 10 * time.Second
)

// violation fills the result with the smallest witness over the bad keys.
func (j *judge) violation(ctx context.Context, in *Input, limits Limits, bad []*keyCase, res *Result) {
	res.Verdict = Violation
	slices.SortStableFunc(bad, func(a, b *keyCase) int { return cmp.Compare(len(a.ops), len(b.ops)) })
	some := bad[:min(len(bad), minimiseMost)]
	witnesses := make([][]*history.Op, len(some))
	end := time.Now().Add(minimiseTime)
	eachOf(limits.Workers, len(some), func(i int) {
		reg, err := newRegister(some[i].ops)
		if err == nil {
			m := minimiser{judge: j, end: end}
			witnesses[i] = m.minimise(ctx, reg)
		}
	})
	best := 0
	for i := range some {
		if len(witnesses[i]) < len(witnesses[best]) {
			best = i
		}
	}
	witness := witnesses[best]
	res.Key = some[best].key
	res.Stats["witness"] = float64(len(witness))
	if !j.confirmed(witness) {
		res.Verdict = Unknown
		res.Summary = fmt.Sprintf("two methods disagree about key %s: this is a fault of the checker; please report it with the history", show(res.Key))
		return
	}
	const most = 100 // more than that shows nobody anything
	for _, op := range witness[:min(len(witness), most)] {
		res.Witness = append(res.Witness, witnessOp(op, in.Mono))
	}
	res.Summary = fmt.Sprintf("no order of these %d operations on key %s explains their answers", len(witness), show(res.Key))
	if in.Dir == "" || len(witness) > most {
		return
	}
	name, err := picture(j.watch, in, res.Key, witness, time.Now().Add(minimiseTime))
	if err != nil {
		res.Summary += fmt.Sprintf(" (not drawn: %v)", err)
		return
	}
	res.Picture = name
}

// witnessOp is an operation for results.json; begin is the start of the test.
func witnessOp(op *history.Op, begin int64) WitnessOp {
	return WitnessOp{
		Process: op.Process,
		Node:    op.Node,
		Text:    describe(op),
		Outcome: string(op.Outcome),
		Call:    op.Call - begin,
		Return:  op.Return - begin,
		CallS:   float64(op.Call-begin) / 1e9,
	}
}

// confirmed has porcupine look at a witness, whatever method found it. Only
// its saying that the witness is linearizable counts against it.
func (j *judge) confirmed(witness []*history.Op) bool {
	reg, err := newRegister(witness)
	if err != nil {
		return false
	}
	deadline := time.Now().Add(minimiseTime)
	return j.watch.run(reg.model(), operations(reg.steps), deadline, false).result != porcupine.Ok
}
