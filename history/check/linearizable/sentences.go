package linearizable

import (
	"fmt"

	"squall/history"
	"squall/history/check"
)

// tell makes the sentence of a violation: "At 7.703 s n3, cut off by fault 4
// (partition) and still leader of term 4, answered read(r3) → 16", what is wrong with
// that, which begins with its comma or colon, and more sentences.
func (f *finder) tell(a suspect, wrong, more string) string {
	at := a.op.Return
	return fmt.Sprintf("At %.3f s %s%s answered %s%s.%s%s", f.seconds(at), history.Show(a.op.Node), check.Standing(f.in, a.op.Node, at), check.Briefly(f.in.Functions, a.op), wrong, more,
		check.Elsewhere(f.in, a.op.Node, at))
}

// noun is what an operation is called.
func noun(op *history.Op) string {
	switch op.Func {
	case history.CAS:
		return "compare-and-set"
	default:
		return string(op.Func)
	}
}

// nobodyWrote tells that a value was never written, or only later.
func (f *finder) nobodyWrote(a suspect, ws writers) string {
	value := showValue(a.found)
	if ws.later != nil {
		return fmt.Sprintf(", but nobody had written %s yet: the first to do so was %s on %s, called at %.3f s",
			value, f.in.Functions.Tell(ws.later), history.Show(ws.later.Node), f.seconds(ws.later.Call))
	}
	return fmt.Sprintf(", but nobody ever wrote %s", value)
}

// tookEffect tells that a write that was answered "failed" took effect.
func (f *finder) tookEffect(failed *history.Op) string {
	return fmt.Sprintf(": the value of a %s that %s had answered \"failed\" at %.3f s, so that %[1]s took effect after all",
		noun(failed), history.Show(failed.Node), f.seconds(failed.Return))
}

// had tells which answer speaks against the suspect's: "n1, leader of term 5, had
// already acknowledged write(r3) ← 17 at 7.500 s".
func (f *finder) had(a suspect, against *history.Op) string {
	if against == nil {
		return "the other operations shown leave no moment at which the register held " + orNothing(a.found)
	}
	had, did := "had already ", "answered"
	if against.Return > a.op.Return {
		had = "also "
	}
	if _, looked := observed(against); !looked {
		did = "acknowledged"
	}
	return fmt.Sprintf("%s%s %s%s %s at %.3f s", history.Show(against.Node), check.Standing(f.in, against.Node, against.Return), had, did,
		check.Briefly(f.in.Functions, against), f.seconds(against.Return))
}

func orNothing(v history.Value) string {
	if !v.Present {
		return "no value"
	}
	return showValue(v)
}

// notReturned tells, of two operations that took one value away, that nobody can
// have written it again in between.
func (f *finder) notReturned(ops []*history.Op, a suspect, against *history.Op) string {
	for _, op := range ops {
		if op != a.op && op != against && mayWrite(op) && written(op) == a.found && op.Call <= a.op.Return &&
			(op.Outcome != history.OK || op.Return >= against.Call) {
			return ""
		}
	}
	return fmt.Sprintf(", and nobody wrote %s in between", showValue(a.found))
}

// noMomentFits tells of the writes of unknown outcome of what was found.
func (f *finder) noMomentFits(a suspect, ws writers) string {
	value := showValue(a.found)
	if len(ws.all) > 1 {
		return fmt.Sprintf(" All %d writes of %s have unknown outcomes, and no moments at which they may have taken effect fit the answers shown.", len(ws.all), value)
	}
	return fmt.Sprintf(" The only write of %s, called on %s at %.3f s, has an unknown outcome, and no moment at which it may have taken effect fits the answers shown.",
		value, history.Show(ws.unknown.Node), f.seconds(ws.unknown.Call))
}

// showValue gives a register's value for people.
func showValue(v history.Value) string { return v.AsData().Show() }
