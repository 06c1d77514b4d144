package history

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// The keys of an operation's line, as bits.
const (
	hasOutcome = 1 << iota
	hasProcess
	hasNode
	hasFunc
	hasKey
	hasValue
	hasExpect
	hasResult
	hasError
	hasCall
	hasLength
	hasFinal
)

// opDraft gathers an operation from the fields of its line, in any order.
type opDraft struct {
	op      Op
	outcome string
	length  int64 // Return − Call
	has     uint16
}

// once notes that a key has come; false when it had come before.
func (d *opDraft) once(key uint16) bool {
	first := d.has&key == 0
	d.has |= key
	return first
}

// finish makes the operation whole, or says what is wrong with it.
func (d *opDraft) finish() (op Op, open bool, err error) {
	if err := d.complete(); err != nil {
		return Op{}, false, err
	}
	op = d.op
	if d.outcome == openOutcome {
		return op, true, nil
	}
	op.Outcome = Outcome(d.outcome)
	op.Return = op.Call + d.length
	op.Swapped = op.Outcome == OK && op.Func == CAS && d.has&hasResult == 0
	return op, false, nil
}

// complete sees that the line holds what such an operation has, and nothing that
// it cannot have.
func (d *opDraft) complete() error {
	const always = hasProcess | hasNode | hasFunc | hasKey | hasCall
	open := d.outcome == openOutcome
	switch {
	case d.has&always != always:
		return d.lacks()
	case !open && d.outcome != string(OK) && d.outcome != string(Fail) && d.outcome != string(Info):
		return fmt.Errorf(`unknown outcome %s; want "ok", "fail", "info" or "invoke"`, excerpt([]byte(d.outcome)))
	case open && d.has&(hasResult|hasError|hasLength) != 0:
		return errors.New(`an operation still under way ("invoke") with an answer`)
	case !open && d.has&hasLength == 0:
		return errors.New(`completed operation without a duration "d"`)
	case !open && d.length < 0:
		return fmt.Errorf("the operation returned %v before its call (d = %d)", time.Duration(d.length).Abs(), d.length)
	case !open && d.op.Call > math.MaxInt64-d.length:
		return errors.New(`the operation returned at a time that no clock shows: "t" and "d" are too large`)
	}
	return d.fields()
}

// lacks names the first key that an operation needs and this one has not.
func (d *opDraft) lacks() error {
	for _, k := range [...]struct {
		bit        uint16
		name, what string
	}{
		{hasProcess, "p", "process"}, {hasNode, "n", "node"}, {hasFunc, "f", "function"}, {hasKey, "k", "key"}, {hasCall, "t", "call time"},
	} {
		if d.has&k.bit == 0 {
			return fmt.Errorf("operation without a %s %q", k.what, k.name)
		}
	}
	return nil
}

// fields checks value, expectation and result by the function. A write whose
// value is missing would make every read of that value a violation.
func (d *opDraft) fields() error {
	var must, may uint16
	ok := d.outcome == string(OK)
	switch d.op.Func {
	case Read:
		if ok {
			must = hasResult
		}
	case Write:
		must = hasValue
	case CAS:
		must = hasValue | hasExpect
		if ok {
			may = hasResult
		}
	case Delete:
	default:
		return fmt.Errorf("unknown function %s; want %q, %q, %q or %q", excerpt([]byte(d.op.Func)), Read, Write, CAS, Delete)
	}
	for _, k := range [...]struct {
		bit        uint16
		name, what string
	}{
		{hasValue, "v", "value to store"}, {hasExpect, "x", "value to expect"}, {hasResult, "r", "result"},
	} {
		has := d.has&k.bit != 0
		switch {
		case has && (must|may)&k.bit == 0:
			return fmt.Errorf("a %s with outcome %q has a %s %q, and cannot have one", d.op.Func, d.outcome, k.what, k.name)
		case !has && must&k.bit != 0:
			return fmt.Errorf("a %s with outcome %q without its %s %q", d.op.Func, d.outcome, k.what, k.name)
		}
	}
	if must&hasValue != 0 && !d.op.Value.Present {
		return fmt.Errorf("a %s stores nothing: its %q is null", d.op.Func, "v")
	}
	return nil
}
