package check

import (
	"fmt"
	"math"

	"github.com/anishathalye/porcupine"

	"squall/history"
)

// kind is what a step does to a register, as far as its answer tells.
type kind uint8

const (
	observe kind = iota // found seen: a read, or a CAS that failed
	store               // wrote arg, whatever was there: a write or a delete
	swap                // found expect and wrote arg: a CAS that took effect
	maybe               // a CAS with unknown outcome: writes arg if it finds expect
	broken              // answered what no register ever could
)

// absent is the number of the value of a key that does not exist.
const absent = 0

// forever is the return of an operation that may take effect at any time.
const forever = math.MaxInt64

// step is one operation of one key. Values are numbered, so that comparing
// them is cheap; number 0 is absence.
type step struct {
	kind              kind
	arg, expect, seen int32
	call, ret         int64
	op                *history.Op
}

func (s *step) mutates() bool { return s.kind == store || s.kind == swap || s.kind == maybe }

// register is the operations of one key, ready to be checked.
type register struct {
	steps  []step
	values []string // by number; [absent] is unused
}

// unsupportedError names a function that is no operation of a register.
type unsupportedError struct{ fn history.Func }

func (e unsupportedError) Error() string {
	return fmt.Sprintf("the history holds the operation %q, which is none of a register", e.fn)
}

// newRegister translates the operations of one key. Operations that certainly
// had no effect, and reads without an answer, say nothing and are left out.
func newRegister(ops []*history.Op) (*register, error) {
	r := &register{values: []string{""}, steps: make([]step, 0, len(ops))}
	numbers := make(map[string]int32)
	number := func(v history.Value) int32 {
		if !v.Present {
			return absent
		}
		n, ok := numbers[v.Data]
		if !ok {
			n = int32(len(r.values))
			numbers[v.Data] = n
			r.values = append(r.values, v.Data)
		}
		return n
	}
	for _, op := range ops {
		s := step{op: op, call: op.Call, ret: max(op.Call, op.Return)}
		if op.Outcome != history.OK {
			s.ret = forever
		}
		switch op.Func {
		case history.Read:
			s.kind, s.seen = observe, number(op.Result)
		case history.Write:
			s.kind, s.arg = store, number(op.Value)
		case history.Delete:
			s.kind, s.arg = store, absent
		case history.CAS:
			s.expect, s.arg = number(op.Expect), number(op.Value)
			switch {
			case op.Outcome != history.OK:
				s.kind = maybe
			case op.Swapped:
				s.kind = swap
			default:
				s.kind, s.seen = observe, number(op.Result)
				if s.seen == s.expect {
					s.kind = broken // found what it expected, and failed
				}
			}
		default:
			return nil, unsupportedError{op.Func}
		}
		if op.Outcome == history.Fail || (op.Outcome == history.Info && op.Func == history.Read) {
			continue
		}
		r.steps = append(r.steps, s)
	}
	return r, nil
}

// apply gives the state after a step, and whether the step is possible.
func (s *step) apply(state int32) (bool, int32) {
	switch s.kind {
	case observe:
		return state == s.seen, state
	case store:
		return true, s.arg
	case swap:
		return state == s.expect, s.arg
	case maybe:
		// It may also never take effect. That is the same as taking effect
		// after everything else, where nobody sees it; so it never blocks.
		if state == s.expect {
			return true, s.arg
		}
		return true, state
	}
	return false, state
}

// model is the register as porcupine wants it. States are made once, because
// putting a number into an interface allocates.
func (r *register) model() porcupine.Model {
	states := make([]any, len(r.values))
	for i := range states {
		states[i] = int32(i)
	}
	return porcupine.Model{
		Init: func() any { return states[absent] },
		Step: func(state, input, _ any) (bool, any) {
			ok, next := input.(*step).apply(state.(int32))
			return ok, states[next]
		},
		Equal: func(a, b any) bool { return a.(int32) == b.(int32) },
		Hash:  func(state any) uint64 { return (uint64(state.(int32)) + 1) * 0x9E3779B97F4A7C15 },
	}
}

// operations are the steps as porcupine wants them.
func operations(steps []step) []porcupine.Operation {
	ops := make([]porcupine.Operation, len(steps))
	for i := range steps {
		s := &steps[i]
		ops[i] = porcupine.Operation{Input: s, Call: s.call, Return: s.ret}
	}
	return ops
}
