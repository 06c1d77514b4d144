package history

import (
	"errors"
	"fmt"
	"math"
	"time"

	"squall/internal/plain"
)

// The keys of an operation's line, as bits.
const (
	hasOutcome = 1 << iota
	hasProcess
	hasNode
	hasFunc
	hasKey
	hasIn
	hasOut
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
	version int // of the format; 0: this one
	old     version1Fields
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
	if d.version == 1 {
		if err := d.translate(); err != nil {
			return Op{}, false, err
		}
	}
	op = d.op
	if d.outcome == openOutcome {
		return op, true, nil
	}
	op.Outcome = Outcome(d.outcome)
	op.Return = op.Call + d.length
	return op, false, nil
}

// complete sees that the line holds what such an operation has, and nothing that
// it cannot have.
func (d *opDraft) complete() error {
	always := uint16(hasProcess | hasNode | hasFunc | hasCall)
	if d.version == 1 {
		always |= hasKey
	}
	open := d.outcome == openOutcome
	switch {
	case d.has&always != always:
		return d.lacks()
	case !open && d.outcome != string(OK) && d.outcome != string(Fail) && d.outcome != string(Info):
		return fmt.Errorf(`unknown outcome %s; want "ok", "fail", "info" or "invoke"`, plain.Excerpt([]byte(d.outcome)))
	case open && d.has&(hasOut|hasResult|hasError|hasLength) != 0:
		return errors.New(`an operation still under way ("invoke") with an answer`)
	case d.has&hasOut != 0 && d.outcome != string(OK):
		return fmt.Errorf(`an operation with outcome %q has an answer "o", and cannot have one`, d.outcome)
	case !open && d.has&hasLength == 0:
		return errors.New(`completed operation without a duration "d"`)
	case !open && d.length < 0:
		return fmt.Errorf("the operation returned %v before its call (d = %d)", time.Duration(d.length).Abs(), d.length)
	case !open && d.op.Call > math.MaxInt64-d.length:
		return errors.New(`the operation returned at a time that no clock shows: "t" and "d" are too large`)
	}
	return nil
}

// lacks names the first key that an operation needs and this one has not.
func (d *opDraft) lacks() error {
	for _, k := range [...]struct {
		bit        uint16
		name, what string
	}{
		{hasProcess, "p", "process"}, {hasNode, "n", "node"}, {hasFunc, "f", "function"}, {hasKey, "k", "key"}, {hasCall, "t", "call time"},
	} {
		if d.has&k.bit == 0 && (k.bit != hasKey || d.version == 1) {
			return fmt.Errorf("operation without a %s %q", k.what, k.name)
		}
	}
	return nil
}
