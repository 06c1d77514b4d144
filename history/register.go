package history

import (
	"errors"
	"fmt"
	"slices"

	"squall/internal/plain"
)

// This file is all that package history knows of registers: the functions, how
// their operations look as data, and how a history of format version 1, which knew
// nothing else, is read.

// The functions of the register workload.
const (
	Read   Func = "read"   // out: what the key holds, a string or null
	Write  Func = "write"  // in: a string; out: what it replaced, a string or null, where the system tells
	CAS    Func = "cas"    // in: what is expected, a string or null, and what to store; out: true, or {"found": what the key holds instead}
	Delete Func = "delete" // neither
)

// RegisterFunctions are the functions of a register, as a header lists them. A
// history whose header lists just these holds operations of registers alone.
func RegisterFunctions() Functions {
	return Functions{
		{Name: Read, Reads: true, Text: "read({key})", Answer: " → {out}"},
		{Name: Write, Text: "write({key}) ← {in}", Answer: ", replacing {out}"},
		{Name: CAS, Text: "cas({key}) {in.0}→{in.1}", Answer: ": {out}"},
		{Name: Delete, Text: "delete({key})"},
	}
}

// isRegister reports whether functions are those of registers, as they are now or as
// they were before a write told what it replaced.
func (fs Functions) isRegister() bool {
	return slices.EqualFunc(fs, RegisterFunctions(), func(a, b Function) bool {
		if a.Name == Write && a.Answer == "" {
			b.Answer = ""
		}
		return a == b
	})
}

// Value is a value in a key-value system, or its absence (a key that does not
// exist).
type Value struct {
	Data    string
	Present bool
}

// Some is a value that is there; None is an absent one.
func Some(s string) Value { return Value{Data: s, Present: true} }

// None is the value of a key that does not exist.
var None = Value{}

// AsData is the value as data: a string, or null.
func (v Value) AsData() Data {
	if !v.Present {
		return Null
	}
	return Text(v.Data)
}

// value reads a value of a register.
func (d Data) value() Value {
	s, ok := d.Text()
	return Value{Data: s, Present: ok}
}

// Register is what an operation on a register says.
type Register struct {
	Value  Value // what a write or CAS wants to store
	Expect Value // what a CAS expects to find
	// Result is what a read found, what a failed CAS found instead of Expect, or what a
	// write replaced.
	Result Value
	// Swapped is true for a CAS that answered OK and took effect. A CAS with
	// outcome OK and !Swapped changed nothing and found Result.
	Swapped bool
	// Replaced is true for a write whose answer tells what it replaced: Result.
	Replaced bool
}

// RegisterData is what an operation on a register says, as data: each a string or
// null, or "" where the operation has none. Fields are those of Register.
type RegisterData struct {
	Value, Expect, Result Data
	Swapped, Replaced     bool
}

// Register reads the operation as one on a register. What is none is read as far
// as it goes: see AsRegister.
func (op *Op) Register() Register {
	var d RegisterData
	_ = op.AsRegister(&d)
	return Register{Value: d.Value.value(), Expect: d.Expect.value(), Result: d.Result.value(), Swapped: d.Swapped, Replaced: d.Replaced}
}

// AsRegister reads the operation as one on a register into r, or says why it is none.
// A write whose value is missing would make every read of that value a violation.
func (op *Op) AsRegister(r *RegisterData) error {
	*r = RegisterData{}
	fine := false
	switch op.Func {
	case Read:
		if op.Outcome == OK {
			if r.Result = op.Out; !r.Result.held() {
				return errors.New(`a read that was answered without its result "o": a string, or null`)
			}
		}
		fine = op.In == ""
	case Write:
		if r.Value = op.In; !r.Value.isText() {
			return errors.New(`a write without its value to store "i", a string`)
		}
		r.Result, r.Replaced = op.Out, op.Outcome == OK && op.Out.held()
		fine = op.Out == "" || r.Replaced
	case CAS:
		if r.Expect, r.Value = op.In.pair(); !r.Expect.held() || !r.Value.isText() {
			return errors.New(`a cas without its "i": what it expects, a string or null, and what it stores, a string`)
		}
		if op.Outcome != OK {
			return nil
		}
		if r.Swapped = op.Out == True; r.Swapped {
			return nil
		}
		if r.Result = op.Out.found(); !r.Result.held() {
			return errors.New(`a cas that was answered without its result "o": true, or {"found": what there was}`)
		}
		return nil
	case Delete:
		fine = op.In == "" && op.Out == ""
	default:
		return fmt.Errorf("the operation %s, which a register does not have", plain.Excerpt([]byte(op.Func)))
	}
	if !fine {
		return fmt.Errorf(`a %s with data that it cannot have: "i" is %s, "o" is %s`, op.Func, plain.Excerpt([]byte(op.In)), plain.Excerpt([]byte(op.Out)))
	}
	return nil
}

// isText reports whether data is a string, and held whether a key may hold it: a
// string, or null for nothing.
func (d Data) isText() bool { return d != "" && d[0] == '"' }
func (d Data) held() bool   { return d.isText() || d == Null }

// SetRegister gives the operation its In and, where its outcome is OK, its Out. Func and
// Outcome must stand.
func (op *Op) SetRegister(r Register) {
	op.In, op.Out = "", ""
	switch op.Func {
	case Read:
		op.Out = r.Result.AsData()
	case Write:
		op.In = r.Value.AsData()
		if r.Replaced {
			op.Out = r.Result.AsData()
		}
	case CAS:
		op.In = List(r.Expect.AsData(), r.Value.AsData())
		op.Out = CASAnswer(r.Swapped, r.Result)
	}
	if op.Outcome != OK {
		op.Out = ""
	}
}

// CASAnswer is the Out of a CAS that was answered.
func CASAnswer(swapped bool, found Value) Data {
	if swapped {
		return True
	}
	if !found.Present {
		return foundBegins + Null + "}"
	}
	var room [64]byte
	return Data(append(appendString(append(room[:0], foundBegins...), found.Data), '}'))
}

// Swapped reports whether the operation is a CAS that certainly took effect.
func (op *Op) Swapped() bool { return op.Func == CAS && op.Outcome == OK && op.Out == True }

const foundBegins = `{"found":`

// found is what a CAS found that expected another value.
func (d Data) found() Data {
	n := len(foundBegins)
	if len(d) <= n || d[:n] != foundBegins {
		return ""
	}
	v := d[n : len(d)-1]
	if len(v.first()) != len(v) {
		return "" // and more
	}
	return v
}

// pair are the two elements of a list that has just these.
func (d Data) pair() (a, b Data) {
	if len(d) < 2 || d[0] != '[' {
		return "", ""
	}
	inner := d[1 : len(d)-1]
	a = inner.first()
	if len(a) == len(inner) {
		return "", ""
	}
	if b = inner[len(a)+1:]; len(b.first()) != len(b) {
		return "", ""
	}
	return a, b
}

// version1Fields are the fields that an operation had in format version 1: a value to
// store, one to expect, and a result; each a string or null, or "" where missing.
type version1Fields struct{ value, expect, result Data }

// fieldOf1 reads a field that lines of version 1 have in place of "i" and "o".
func (d *opDraft) fieldOf1(l *lexer, key string) (ok bool) {
	text, ok := l.data()
	if v := Data(text); ok && (v == Null || v[0] == '"') {
		switch key {
		case "v":
			d.old.value = v
			return d.once(hasValue)
		case "x":
			d.old.expect = v
			return d.once(hasExpect)
		case "r":
			d.old.result = v
			return d.once(hasResult)
		}
	}
	return false
}

// translate makes data of the fields of a line of version 1, or says what is wrong with them.
func (d *opDraft) translate() error {
	if err := d.check1(); err != nil {
		return err
	}
	op, ok := &d.op, d.outcome == string(OK)
	switch op.Func {
	case Read:
		op.Out = d.old.result
	case Write:
		op.In = d.old.value
	case CAS:
		op.In = "[" + d.old.expect + "," + d.old.value + "]"
		switch {
		case !ok:
		case d.has&hasResult == 0: // it took effect
			op.Out = True
		default:
			op.Out = foundBegins + d.old.result + "}"
		}
	}
	return nil
}

// check1 checks value, expectation and result by the function.
func (d *opDraft) check1() error {
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
		return fmt.Errorf("unknown function %s; want %q, %q, %q or %q", plain.Excerpt([]byte(d.op.Func)), Read, Write, CAS, Delete)
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
	if must&hasValue != 0 && d.old.value == Null {
		return fmt.Errorf("a %s stores nothing: its %q is null", d.op.Func, "v")
	}
	return nil
}
