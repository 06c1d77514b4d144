package check

import (
	"fmt"
	"strings"
	"time"

	"squall/history"
)

// explanation is what a witness shows, told from the history alone.
type explanation struct {
	kind     Kind
	sentence string
	beside   []*history.Op // operations that explain it and are not in the witness
}

// accused is the operation whose answer nothing explains, and what it found.
type accused struct {
	op    *history.Op
	found history.Value
}

// explain names the kind of a violation and tells it in a sentence or two.
func (f *finder) explain(k *keyCase, witness minimal) explanation {
	a, ok := accuse(witness.ops, k.at)
	if !ok {
		return explanation{}
	}
	ws := writersOf(k.ops, a)
	ex := explanation{}
	against := (*history.Op)(nil) // what was answered before, and speaks against it
	swapped := a.op.Func == history.CAS && a.op.Swapped
	switch {
	case a.op.Func == history.CAS && !a.op.Swapped && a.op.Result == a.op.Expect:
		ex.sentence = f.tell(a, "A compare-and-set found what it expected, and yet failed", "")
		return ex
	case a.found.Present && ws.ok == nil && ws.unknown == nil && ws.failed == nil:
		ex.kind = KindPhantom
		ex.sentence = f.tell(a, "", f.nobodyWrote(ws))
		return ex
	case ws.failed != nil && f.wouldExplain(k, a):
		ex.kind = KindFailedWrite
		ex.beside = missing(witness.ops, ws.failed)
		ex.sentence = f.tell(a, "", fmt.Sprintf("%s, called at %.3f s, was answered \"failed\", and yet it took effect", f.acted(ws.failed), f.seconds(ws.failed.Call)))
		return ex
	case swapped:
		ex.kind = KindStaleCAS
		for _, op := range witness.ops {
			if op != a.op && op.Func == history.CAS && op.Swapped && op.Expect == a.op.Expect {
				ex.kind, against = KindDoubleGrant, op
			}
		}
		if against == nil {
			against = newer(witness.ops, a)
		}
	case ws.ok == nil && ws.unknown != nil:
		ex.kind = KindUnknownWrite
		against = newer(witness.ops, a)
	default:
		against = newer(witness.ops, a)
		ex.kind = KindStaleRead
		if against != nil && lost(k.ops, a, against) {
			ex.kind = KindLostWrite
		}
	}
	if origin := ws.before(against); origin != nil && ex.kind != KindDoubleGrant {
		ex.beside = missing(witness.ops, origin)
	}
	ex.sentence = f.tell(a, "", f.although(a, against, ws, ex.kind))
	return ex
}

// accuse picks the operation whose answer made the violation certain: the observer
// that returned at that moment, or else the last to return.
func accuse(ops []*history.Op, at int64) (accused, bool) {
	var a accused
	for _, op := range ops {
		if op.Outcome != history.OK {
			continue
		}
		found := op.Result
		switch {
		case op.Func == history.Read:
		case op.Func == history.CAS && op.Swapped:
			found = op.Expect
		case op.Func == history.CAS:
		default:
			continue
		}
		if a.op == nil || a.op.Return != at && op.Return >= a.op.Return || op.Return == at {
			a = accused{op, found}
		}
	}
	return a, a.op != nil
}

// writers are the last writes of a value called before it was found, by outcome,
// and the first one called after that.
type writers struct {
	ok, unknown, failed, later *history.Op
	all                        []*history.Op // ok and unknown ones
}

func writersOf(ops []*history.Op, a accused) writers {
	var ws writers
	for _, op := range ops {
		if op == a.op || !mayWrite(op) || written(op) != a.found {
			continue
		}
		if op.Call > a.op.Return {
			if op.Outcome != history.Fail && (ws.later == nil || op.Call < ws.later.Call) {
				ws.later = op
			}
			continue
		}
		last := &ws.ok
		switch op.Outcome {
		case history.Info:
			last = &ws.unknown
		case history.Fail:
			last = &ws.failed
		}
		if *last == nil || op.Call > (*last).Call {
			*last = op
		}
		if op.Outcome != history.Fail {
			ws.all = append(ws.all, op)
		}
	}
	return ws
}

// before is the last write that was called before an operation, or else any.
func (ws writers) before(op *history.Op) *history.Op {
	var best *history.Op
	for _, w := range ws.all {
		if (op == nil || w.Call < op.Call) && (best == nil || w.Call > best.Call) {
			best = w
		}
	}
	return best
}

// mayWrite says whether an operation wrote, or may have: a CAS that was answered
// and did not take effect has not.
func mayWrite(op *history.Op) bool {
	switch op.Func {
	case history.Write, history.Delete:
		return true
	case history.CAS:
		return op.Swapped || op.Outcome != history.OK
	}
	return false
}

func written(op *history.Op) history.Value {
	if op.Func == history.Delete {
		return history.None
	}
	return op.Value
}

// newer is the last operation of the witness that was answered before the accused
// was called, and shows that the register then held another value.
func newer(ops []*history.Op, a accused) *history.Op {
	var best *history.Op
	for _, op := range ops {
		if op == a.op || op.Outcome != history.OK || op.Return >= a.op.Call {
			continue
		}
		shows := op.Result
		if mayWrite(op) {
			shows = written(op)
		}
		if shows != a.found && (best == nil || op.Return > best.Return) {
			best = op
		}
	}
	return best
}

// lost says whether what an operation wrote was never seen after the accused had
// answered, while others looked and found what the accused did: then it is gone,
// and not only unknown to one node.
func lost(ops []*history.Op, a accused, write *history.Op) bool {
	if !mayWrite(write) {
		return false
	}
	again := a.op.Final
	for _, op := range ops {
		if op == a.op || op.Outcome != history.OK || op.Return <= a.op.Call {
			continue
		}
		found, looked := op.Result, op.Func == history.Read || op.Func == history.CAS && !op.Swapped
		if op.Func == history.CAS && op.Swapped {
			found, looked = op.Expect, true
		}
		if !looked {
			continue
		}
		if found == written(write) {
			return false
		}
		again = again || found == a.found && op.Call > a.op.Return
	}
	return again
}

// wouldExplain says whether the history up to the accused would be linearizable if
// the failed writes of what it found might have taken effect.
func (f *finder) wouldExplain(k *keyCase, a accused) bool {
	ops := make([]*history.Op, len(k.ops))
	for i, op := range k.ops {
		if op.Outcome == history.Fail && mayWrite(op) && written(op) == a.found {
			changed := *op
			changed.Outcome = history.Info
			op = &changed
		}
		ops[i] = op
	}
	deadline := time.Now().Add(time.Until(f.end) / 3)
	g, release := f.judge.watch.guard(deadline)
	defer release()
	reg, err := newRegister(ops, g)
	if err != nil || reg == nil {
		return false
	}
	return f.judge.decide(reg.with(prefix(reg.steps, k.at)), deadline).answer == legal
}

// missing is the operation in a list, unless the witness has it.
func missing(witness []*history.Op, op *history.Op) []*history.Op {
	for _, w := range witness {
		if w == op {
			return nil
		}
	}
	return []*history.Op{op}
}

// tell makes the sentence: "At 7.703 s n3, cut off by fault 4 and still leader of
// term 4, answered read(r3) → 16, although …".
func (f *finder) tell(a accused, what, although string) string {
	at := a.op.Return
	out := fmt.Sprintf("At %.3f s %s%s answered %s", f.seconds(at), show(a.op.Node), standing(f.in, a.op.Node, at), describe(a.op))
	if what != "" {
		out = what + ": " + strings.ToLower(out[:1]) + out[1:]
	}
	if although != "" {
		out += ", although " + although
	}
	return out + "." + elsewhere(f.in, a.op.Node, at)
}

// acted is an operation and who was asked: "write(r3) ← 17 on n1".
func (f *finder) acted(op *history.Op) string {
	text := describe(op)
	for _, end := range []string{": failed", ": outcome unknown"} {
		text = strings.TrimSuffix(text, end)
	}
	return text + " on " + show(op.Node)
}

// nobodyWrote tells that a value was never written, or only later.
func (f *finder) nobodyWrote(ws writers) string {
	if ws.later != nil {
		return fmt.Sprintf("nobody had written that: the first to do so, %s, was called at %.3f s", f.acted(ws.later), f.seconds(ws.later.Call))
	}
	return "nobody ever wrote that"
}

// although tells what speaks against an answer.
func (f *finder) although(a accused, against *history.Op, ws writers, kind Kind) string {
	var parts []string
	if kind == KindUnknownWrite {
		parts = append(parts, fmt.Sprintf("its only write, %s, has an unknown outcome, and no moment for it fits", f.acted(ws.unknown)))
	}
	switch {
	case against == nil && kind == KindUnknownWrite:
	case against == nil:
		parts = append(parts, "the other operations shown leave no moment at which it held that")
	case kind == KindDoubleGrant:
		parts = append(parts, fmt.Sprintf("%s%s had taken that away: it was answered at %.3f s", f.acted(against), standing(f.in, against.Node, against.Return), f.seconds(against.Return)))
	case mayWrite(against):
		parts = append(parts, fmt.Sprintf("%s%s had been acknowledged at %.3f s", f.acted(against), standing(f.in, against.Node, against.Return), f.seconds(against.Return)))
	default:
		parts = append(parts, fmt.Sprintf("%s%s had been answered at %.3f s", f.acted(against), standing(f.in, against.Node, against.Return), f.seconds(against.Return)))
	}
	if kind == KindLostWrite {
		parts = append(parts, "nobody saw that again")
	}
	return strings.Join(parts, "; ")
}
