package linearizable

import (
	"math"
	"slices"

	"github.com/anishathalye/porcupine"

	"squall/history"
)

// RegisterModel is a register with read, write, compare-and-set and delete, absent at
// first. One whose values are unique is decided in O(n log n); any other one is reduced,
// swept over, and at last searched with porcupine.
func RegisterModel() Model {
	return Model{
		Name:      "register",
		Doc:       "read, write, compare-and-set and delete of one value",
		Functions: history.RegisterFunctions(),
		prepare: func(ops []*history.Op, g *guard) (object, error) {
			r, err := newRegister(ops, g)
			if r == nil {
				return nil, err
			}
			return r, nil
		},
		explain: (*finder).explain,
	}
}

// kind is what a step does to a register, as far as its answer tells.
type kind uint8

const (
	observe kind = iota // found seen: a read, or a CAS that failed
	store               // wrote arg, whatever was there: a write or a delete
	swap                // found expect and wrote arg: a CAS that took effect, or a write that told what it replaced
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
	// soft: it may also have taken effect before everything else, where the steps
	// begin in the middle of a history (see cutLeft). Only of mutators that return.
	soft bool
}

// looksFor is the value that a step must find, when it must find one.
func (s *step) looksFor() (value int32, must bool) {
	switch {
	case s.kind == observe:
		return s.seen, true
	case s.kind == swap && !s.soft:
		return s.expect, true
	}
	return 0, false
}

// bytesPerStep is about what a step, what is kept of its value, and the sweep's notes
// of it take, each.
const bytesPerStep = 64

func (s *step) mutates() bool { return s.kind == store || s.kind == swap || s.kind == maybe }

// register is the operations of one key, ready to be checked.
type register struct {
	steps  []step
	values []history.Data // by number; [absent] is unused
	start  start          // what it holds before the steps
}

// with is the register with other steps.
func (r *register) with(steps []step) *register {
	return &register{steps: steps, values: r.values, start: r.start}
}

// compact is the register with the values that occur in it alone, so that what is
// done with a few steps of very many does not take long.
func (r *register) compact() *register {
	out := &register{steps: slices.Clone(r.steps), values: []history.Data{""}, start: r.start}
	numbers := map[int32]int32{absent: absent}
	number := func(v *int32) {
		n, ok := numbers[*v]
		if !ok {
			n = int32(len(out.values))
			numbers[*v] = n
			out.values = append(out.values, r.values[*v])
		}
		*v = n
	}
	for i := range out.steps {
		number(&out.steps[i].arg)
		number(&out.steps[i].expect)
		number(&out.steps[i].seen)
	}
	out.start.values = slices.Clone(r.start.values)
	for i := range out.start.values {
		number(&out.start.values[i])
	}
	return out
}

// unsupportedError says why an operation is none of a register.
type unsupportedError struct{ why error }

func (e unsupportedError) Error() string { return "the history holds " + e.why.Error() }

// newRegister translates the operations of one key. Operations that certainly
// had no effect, and reads without an answer, say nothing and are left out.
//
// It returns neither a register nor an error when g was stopped.
func newRegister(ops []*history.Op, g *guard) (*register, error) {
	if !g.room(len(ops) * bytesPerStep) {
		return nil, nil
	}
	r := &register{values: []history.Data{""}, steps: make([]step, 0, len(ops))}
	numbers := make(map[history.Data]int32)
	number := func(v history.Data) int32 {
		if v == "" || v == history.Null {
			return absent
		}
		n, ok := numbers[v]
		if !ok {
			n = int32(len(r.values))
			numbers[v] = n
			r.values = append(r.values, v)
		}
		return n
	}
	var said history.RegisterData
	for i, op := range ops {
		if i%guardEvery == 0 && g.stopped() {
			return nil, nil
		}
		s := step{op: op, call: op.Call, ret: max(op.Call, op.Return)}
		if op.Outcome != history.OK {
			s.ret = forever
		}
		if err := op.AsRegister(&said); err != nil {
			return nil, unsupportedError{err}
		}
		switch op.Func {
		case history.Read:
			s.kind, s.seen = observe, number(said.Result)
		case history.Write:
			s.kind, s.arg = store, number(said.Value)
			if said.Replaced { // it found that: so it is like a CAS that took effect
				s.kind, s.expect = swap, number(said.Result)
			}
		case history.Delete:
			s.kind, s.arg = store, absent
		case history.CAS:
			s.expect, s.arg = number(said.Expect), number(said.Value)
			switch {
			case op.Outcome != history.OK:
				s.kind = maybe
			case said.Swapped:
				s.kind = swap
			default:
				s.kind, s.seen = observe, number(said.Result)
				if s.seen == s.expect {
					s.kind = broken // found what it expected, and failed
				}
			}
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
	states := make([]any, len(r.values)+1) // the last: a value that nobody looks for
	for i := range states {
		states[i] = int32(i)
	}
	equal := func(a, b any) bool { return a.(int32) == b.(int32) }
	hash := func(state any) uint64 { return (uint64(state.(int32)) + 1) * 0x9E3779B97F4A7C15 }
	if r.start.isAbsent() {
		return porcupine.Model{
			Init: func() any { return states[absent] },
			Step: func(state, input, _ any) (bool, any) {
				ok, next := input.(*step).apply(state.(int32))
				return ok, states[next]
			},
			Equal: equal,
			Hash:  hash,
		}
	}
	m := porcupine.NondeterministicModel{
		Init: func() []any {
			var out []any
			for v := range int32(len(states)) {
				if r.start.has(v) || ((r.start.other || r.start.anything) && v == int32(len(r.values))) {
					out = append(out, states[v])
				}
			}
			return out
		},
		Step: func(state, input, _ any) []any {
			s := input.(*step)
			var out []any
			if ok, next := s.apply(state.(int32)); ok {
				out = append(out, states[next])
			}
			if s.soft {
				out = append(out, state)
			}
			return out
		},
		Equal: equal,
		Hash:  hash,
	}
	return m.ToModel()
}

// porcupine implements part.
func (r *register) porcupine() (porcupine.Model, []porcupine.Operation) {
	return r.model(), operations(r.steps)
}

// begins implements part.
func (r *register) begins() (at int64, inTheMiddle bool) { return r.start.at, r.start.anything }

// operation implements shown.
func (s *step) operation() *history.Op { return s.op }

// operations are the steps as porcupine wants them.
func operations(steps []step) []porcupine.Operation {
	ops := make([]porcupine.Operation, len(steps))
	for i := range steps {
		s := &steps[i]
		ops[i] = porcupine.Operation{Input: s, Call: s.call, Return: s.ret}
	}
	return ops
}
