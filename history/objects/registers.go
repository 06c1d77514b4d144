package objects

import (
	"errors"
	"fmt"
	"slices"

	"squall/history"
)

// The words of operations on several registers, as data: ["r", key, null] and
// ["w", key, value].
const wordWrite history.Data = `"w"`

// RegistersFunctions are the functions of several registers that one transaction reads
// and writes. Both take a list of operations, ["w", key, value] or ["r", key, null], and
// answer with the same list, in which each null is what the read found: a string, or null.
func RegistersFunctions() history.Functions {
	return history.Functions{
		{Name: Txn, Text: "txn {in}", Answer: " → {out}"},
		{Name: history.Read, Reads: true, Text: "read {in}", Answer: " → {out}"},
	}
}

// RegisterOp is one operation of a transaction on registers.
type RegisterOp struct {
	Key history.Data // a string
	// Writes says that Value, a string, is written. Otherwise Value is what was found, a
	// string or null; "" while that is not known.
	Writes bool
	Value  history.Data
}

// Data is the operation as a transaction has it.
func (o RegisterOp) Data() history.Data {
	switch {
	case o.Writes:
		return history.List(wordWrite, o.Key, o.Value)
	case o.Value == "":
		return history.List(wordRead, o.Key, history.Null)
	}
	return history.List(wordRead, o.Key, o.Value)
}

// ParseRegisters reads a transaction on registers: with what its reads found, where it
// was answered.
func ParseRegisters(op *history.Op) ([]RegisterOp, error) { return AppendRegisters(nil, op) }

// AppendRegisters is ParseRegisters for many: it appends to ops.
func AppendRegisters(ops []RegisterOp, op *history.Op) ([]RegisterOp, error) {
	if op.Func != Txn && op.Func != history.Read {
		return ops, fmt.Errorf("the operation %s, which this check does not know; it knows %s", history.Show(string(op.Func)), RegistersFunctions())
	}
	n := len(ops)
	ops, err := parseRegisterOps(ops, op.In)
	asked := ops[n:]
	if err != nil {
		return ops, fmt.Errorf(`a %s whose "i" %w`, op.Func, err)
	}
	for i := range asked {
		if !asked[i].Writes && asked[i].Value != history.Null {
			return ops, fmt.Errorf(`a %s whose "i" has a read that is asked for with %s in place of null`, op.Func, Brief(asked[i].Value))
		}
		if !asked[i].Writes {
			asked[i].Value = ""
		} else if op.Func == history.Read {
			return ops, errors.New(`a read whose "i" has a write`)
		}
	}
	if op.Outcome != history.OK {
		return ops, nil
	}
	if ops, err = parseRegisterOps(ops, op.Out); err != nil {
		return ops, fmt.Errorf(`a %s that was answered and whose result "o" %w`, op.Func, err)
	}
	asked, found := ops[n:n+len(asked)], ops[n+len(asked):]
	same := func(a, b RegisterOp) bool {
		return a.Key == b.Key && a.Writes == b.Writes && (!a.Writes || a.Value == b.Value)
	}
	if !slices.EqualFunc(asked, found, same) {
		return ops, fmt.Errorf(`a %s whose result "o" does not have the operations of its "i": it is %s`, op.Func, Brief(op.Out))
	}
	copy(asked, found)
	return ops[:n+len(asked)], nil
}

// parseRegisterOps appends the operations of a list.
func parseRegisterOps(ops []RegisterOp, d history.Data) ([]RegisterOp, error) {
	if !IsList(d) {
		return ops, fmt.Errorf("is no list of operations: it is %s", Brief(d))
	}
	n := len(ops)
	for e := range d.Elements() {
		var parts [3]history.Data
		have := 0
		for part := range e.Elements() {
			if have < len(parts) {
				parts[have] = part
			}
			have++
		}
		if !IsList(e) || have != len(parts) || parts[0] != wordWrite && parts[0] != wordRead || !isText(parts[1]) {
			return ops, fmt.Errorf(`has an operation that is neither ["w", key, value] nor ["r", key, null]: %s`, Brief(e))
		}
		o := RegisterOp{Key: parts[1], Writes: parts[0] == wordWrite, Value: parts[2]}
		if !isText(o.Value) && (o.Writes || o.Value != history.Null) {
			return ops, fmt.Errorf("has an operation whose value is no string: %s", Brief(e))
		}
		if len(ops)-n == MaxTxnOps {
			return ops, fmt.Errorf("has more than %d operations", MaxTxnOps)
		}
		ops = append(ops, o)
	}
	if len(ops) == n {
		return ops, errors.New("has no operations")
	}
	return ops, nil
}
