package linearizable

import (
	"time"

	"squall/history"
	"squall/history/check"
)

// explanation is what a witness shows, told from the history alone.
type explanation struct {
	kind     check.Kind
	sentence string
	beside   []*history.Op // operations that explain it and are not in the witness
}

// none reports whether nothing is explained.
func (e explanation) none() bool { return e.sentence == "" }

// suspect is the operation whose answer nothing explains, and what it found.
type suspect struct {
	op    *history.Op
	found history.Value
}

// explain names the kind of a violation and tells it in a sentence or two.
func (f *finder) explain(k *keyCase, witness minimal) explanation {
	a, ok := pickSuspect(witness.ops, k.at)
	if !ok || witness.large {
		return explanation{}
	}
	ws := writersOf(k.ops, a)
	ex := explanation{}
	against := (*history.Op)(nil) // what was answered before, and speaks against it
	said := a.op.Register()
	switch {
	case a.op.Func == history.CAS && !said.Swapped && said.Result == said.Expect:
		ex.sentence = f.tell(a, ": a compare-and-set that found what it expected, and yet failed", "")
		return ex
	case a.found.Present && ws.ok == nil && ws.unknown == nil && ws.failed == nil:
		ex.kind = check.KindPhantom
		ex.sentence = f.tell(a, f.nobodyWrote(a, ws), "")
		return ex
	case ws.failed != nil && f.wouldExplain(k, a):
		ex.kind = check.KindFailedWrite
		ex.beside = missing(witness.ops, ws.failed)
		ex.sentence = f.tell(a, f.tookEffect(ws.failed), "")
		return ex
	case said.Swapped || said.Replaced:
		ex.kind = check.KindStaleCAS
		if said.Replaced {
			ex.kind = check.KindStaleReplaced
		}
		for _, op := range witness.ops {
			if took, is := tookAway(op); is && op != a.op && took == a.found {
				ex.kind, against = check.KindDoubleGrant, op
				if said.Replaced || !op.Swapped() {
					ex.kind = check.KindReplacedTwice
				}
			}
		}
		if against == nil {
			against = newer(witness.ops, a)
		}
	case ws.ok == nil && ws.unknown != nil:
		ex.kind = check.KindUnknownWrite
		against = newer(witness.ops, a)
	default:
		against = newer(witness.ops, a)
		ex.kind = check.KindStaleRead
		if against != nil && lost(k.ops, a, against) {
			ex.kind = check.KindLostWrite
		}
	}
	if origin := ws.before(against); origin != nil && ex.kind != check.KindDoubleGrant && ex.kind != check.KindReplacedTwice {
		ex.beside = missing(witness.ops, origin)
	}
	wrong, more := ", but "+f.had(a, against), ""
	switch ex.kind {
	case check.KindDoubleGrant, check.KindReplacedTwice:
		wrong += f.notReturned(k.ops, a, against)
	case check.KindLostWrite:
		more = " No later operation saw that write."
	case check.KindUnknownWrite:
		more = f.noMomentFits(a, ws)
	}
	ex.sentence = f.tell(a, wrong, more)
	return ex
}

// explainLast tells which answer made it certain, where nothing better is known.
func (f *finder) explainLast(k *keyCase) explanation {
	var last *history.Op
	for _, op := range k.ops {
		if op.Outcome != history.OK || op.Return > k.at {
			continue
		}
		if last == nil || op.Return > last.Return || op.Return == last.Return && op.Tells() {
			last = op
		}
	}
	if last == nil {
		return explanation{}
	}
	return explanation{kind: check.KindNoOrder, sentence: f.tell(suspect{op: last}, ", which no order of the operations on this key explains", "")}
}

// pickSuspect picks the operation whose answer made the violation certain: the observer
// that returned at that moment, or else the last to return.
func pickSuspect(ops []*history.Op, at int64) (suspect, bool) {
	var a suspect
	for _, op := range ops {
		if op.Outcome != history.OK {
			continue
		}
		found, looked := observed(op)
		if !looked {
			continue
		}
		if a.op == nil || a.op.Return != at && op.Return >= a.op.Return || op.Return == at {
			a = suspect{op, found}
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

func writersOf(ops []*history.Op, a suspect) writers {
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
		return op.Swapped() || op.Outcome != history.OK
	}
	return false
}

// written is what an operation that may write stores: nothing for a delete.
func written(op *history.Op) history.Value { return op.Register().Value }

// observed is what an operation that was answered found; false when it does not look.
func observed(op *history.Op) (found history.Value, looked bool) {
	if took, is := tookAway(op); is {
		return took, true
	}
	if op.Func != history.Read && op.Func != history.CAS {
		return history.None, false
	}
	return op.Register().Result, true
}

// tookAway is what an operation found and put another value in the place of.
func tookAway(op *history.Op) (found history.Value, is bool) {
	switch said := op.Register(); {
	case said.Swapped:
		return said.Expect, true
	case said.Replaced:
		return said.Result, true
	}
	return history.None, false
}

// newer is the last operation of the witness that was answered before the suspect
// was called, and shows that the register then held another value.
func newer(ops []*history.Op, a suspect) *history.Op {
	var best *history.Op
	for _, op := range ops {
		if op == a.op || op.Outcome != history.OK || op.Return >= a.op.Call {
			continue
		}
		shows, _ := observed(op)
		if mayWrite(op) {
			shows = written(op)
		}
		if shows != a.found && (best == nil || op.Return > best.Return) {
			best = op
		}
	}
	return best
}

// lost says whether what an operation wrote was never seen after the suspect had
// answered, while others looked and found what the suspect did: then it is gone,
// and not only unknown to one node. Where another write was under way meanwhile that
// may have replaced it before anybody looked, nobody can tell: a system that
// acknowledges writes before they take effect may have had it after all.
func lost(ops []*history.Op, a suspect, write *history.Op) bool {
	if !mayWrite(write) {
		return false
	}
	again := a.op.Final
	for _, op := range ops {
		if op == a.op || op.Outcome != history.OK || op.Return <= a.op.Call {
			continue
		}
		found, looked := observed(op)
		if !looked {
			continue
		}
		if found == written(write) {
			return false
		}
		again = again || found == a.found && op.Call > a.op.Return && !replaced(ops, write, op)
	}
	return again
}

// replaced says whether another write may have taken effect after a write, and before
// somebody looked.
func replaced(ops []*history.Op, write, look *history.Op) bool {
	for _, op := range ops {
		if op != write && mayWrite(op) && op.Outcome != history.Fail && op.Call < look.Return &&
			(op.Return > write.Call || op.Outcome == history.Info) && written(op) != written(write) {
			return true
		}
	}
	return false
}

// wouldExplain says whether the history up to the suspect would be linearizable if
// the failed writes of what it found might have taken effect.
func (f *finder) wouldExplain(k *keyCase, a suspect) bool {
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
