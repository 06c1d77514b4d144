package objects

import (
	"errors"
	"fmt"

	"squall/history"
)

// Txn is the function of a transaction that reads lists and appends to them. One of
// reads alone is history.Read.
const Txn history.Func = "txn"

// AppendFunctions are the functions of the check "append". Both take a list of
// operations, ["append", key, element] or ["r", key, null], and answer with the same
// list, in which each null has become the list that was read.
func AppendFunctions() history.Functions {
	return history.Functions{
		{Name: Txn, Text: "txn {in}", Answer: " → {out}"},
		{Name: history.Read, Reads: true, Text: "read {in}", Answer: " → {out}"},
	}
}

// The words of a transaction's operations, as data.
const (
	wordAppend history.Data = `"append"`
	wordRead   history.Data = `"r"`
)

// TxnOp is one operation of a transaction.
type TxnOp struct {
	Key history.Data // the list's, a string
	// Element is what is appended, a string; "" for a read.
	Element history.Data
}

// Data is the operation as a transaction holds it. found is what a read found, a list,
// or history.Null while that is not known; it does not matter to an append.
func (o TxnOp) Data(found history.Data) history.Data {
	if o.Element != "" {
		return history.List(wordAppend, o.Key, o.Element)
	}
	return history.List(wordRead, o.Key, found)
}

// MaxTxnOps is how many operations a transaction may have.
const MaxTxnOps = 128

// ParseTxn reads what an operation was asked for into ops, which it returns grown.
func ParseTxn(op *history.Op, ops []TxnOp) ([]TxnOp, error) {
	if op.Func != Txn && op.Func != history.Read {
		return ops, fmt.Errorf("the operation %s, which this check does not know; it knows %s", history.Show(string(op.Func)), AppendFunctions())
	}
	if !IsList(op.In) {
		return ops, fmt.Errorf(`a %s without its "i", a list of operations: it is %s`, op.Func, Brief(op.In))
	}
	for e := range op.In.Elements() {
		o, found, err := ParseTxnOp(e)
		switch {
		case err != nil:
		case len(ops) == MaxTxnOps:
			err = fmt.Errorf("more than %d operations", MaxTxnOps)
		case o.Element == "" && found != history.Null:
			err = fmt.Errorf("a read that is asked for with %s in place of null", Brief(found))
		case o.Element != "" && op.Func == history.Read:
			err = errors.New("an append, and a read has none")
		}
		if err != nil {
			return ops, fmt.Errorf(`a %s whose "i" has %w`, op.Func, err)
		}
		ops = append(ops, o)
	}
	if len(ops) == 0 {
		return ops, fmt.Errorf(`a %s whose "i" has no operations`, op.Func)
	}
	return ops, nil
}

// ParseTxnOp reads one operation, and what it found.
func ParseTxnOp(d history.Data) (o TxnOp, found history.Data, err error) {
	var parts [3]history.Data
	n := 0
	for e := range d.Elements() {
		if n < len(parts) {
			parts[n] = e
		}
		n++
	}
	if !IsList(d) || n != len(parts) || parts[0] != wordAppend && parts[0] != wordRead || !isText(parts[1]) {
		return o, "", fmt.Errorf(`an operation that is neither ["append", key, element] nor ["r", key, null]: %s`, Brief(d))
	}
	o.Key = parts[1]
	if parts[0] == wordRead {
		return o, parts[2], nil
	}
	if o.Element = parts[2]; !isText(o.Element) {
		return o, "", fmt.Errorf("an append of what is no string: %s", Brief(d))
	}
	return o, "", nil
}

// ParseTxnAnswer reads what the reads of a transaction that was answered found: for each of
// its operations the elements of a list with commas between them, without the brackets.
func ParseTxnAnswer(op *history.Op, ops []TxnOp, found []string) ([]string, error) {
	wrong := func(err error) error {
		return fmt.Errorf(`a %s that was answered and whose result "o" %w`, op.Func, err)
	}
	if !IsList(op.Out) {
		return found, wrong(fmt.Errorf(`is no list of operations: it is %s`, Brief(op.Out)))
	}
	n := 0
	for e := range op.Out.Elements() {
		o, list, err := ParseTxnOp(e)
		switch {
		case err != nil:
			return found, wrong(fmt.Errorf("has %w", err))
		case n >= len(ops) || o != ops[n]:
			return found, wrong(fmt.Errorf(`does not have the operations of its "i": it has %s`, Brief(e)))
		case o.Element != "" || list == history.Null: // there is no list yet
			found = append(found, "")
		case !IsList(list):
			return found, wrong(fmt.Errorf("has a read of what is no list: %s", Brief(list)))
		default:
			for element := range list.Elements() {
				if !isText(element) {
					return found, wrong(fmt.Errorf("has a read of an element that is no string: %s", Brief(element)))
				}
			}
			found = append(found, string(list[1:len(list)-1]))
		}
		n++
	}
	if n != len(ops) {
		return found, wrong(fmt.Errorf(`has %d of the %d operations of its "i"`, n, len(ops)))
	}
	return found, nil
}
