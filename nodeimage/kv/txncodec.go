package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Txn is a transaction over several keys. When every condition holds, Then is
// carried out, otherwise Else: all of it at one place in the order of all
// operations, or nothing when one of them fails. Each operation sees what those
// before it did.
type Txn struct {
	If         []Condition
	Then, Else []TxnOp
}

// Condition holds when the key holds the value; when that is [Absent], when the
// key does not exist. Against a value, a key that is a list fails the
// transaction.
type Condition struct {
	Key   string
	Value Value
}

// TxnOp is an operation of a transaction: [OpGet], [OpPut], [OpDelete],
// [OpAppend] or [OpList].
type TxnOp struct {
	Op    Op
	Key   string
	Value string // of a put; of an append the element
}

// TxnResult is what a transaction led to.
type TxnResult struct {
	// Held tells that every condition held, so that Then was carried out and
	// not Else.
	Held    bool
	Results []OpResult // of each operation, in order
}

// OpResult is what an operation of a transaction read.
type OpResult struct {
	Value Value    // of a get
	List  []string // of a list; nil when the key does not exist
}

// readOnly reports whether the transaction changes nothing, whichever branch it
// takes.
func (t *Txn) readOnly() bool {
	for _, branch := range [][]TxnOp{t.Then, t.Else} {
		for i := range branch {
			if !branch[i].Op.Reads() {
				return false
			}
		}
	}
	return true
}

// inTxn reports whether the operation may be one of a transaction.
func (op Op) inTxn() bool {
	return op == OpGet || op == OpList || op == OpPut || op == OpDelete || op == OpAppend
}

// check says what is beyond the bounds of a transaction.
func (t *Txn) check() error {
	if len(t.If) > MaxTxnItems || len(t.Then) > MaxTxnItems || len(t.Else) > MaxTxnItems {
		return fmt.Errorf("a transaction has at most %d conditions, and as many operations in each branch", MaxTxnItems)
	}
	for _, c := range t.If {
		if len(c.Key) > MaxKey || len(c.Value.Data) > MaxValue {
			return errKeyOrValue
		}
	}
	for _, branch := range [][]TxnOp{t.Then, t.Else} {
		for _, op := range branch {
			if !op.Op.inTxn() {
				return fmt.Errorf("%v is no operation of a transaction", op.Op)
			}
			if len(op.Key) > MaxKey || op.Op.valued() && uint64(len(op.Value)) > op.Op.maxValue() {
				return errKeyOrValue
			}
		}
	}
	return nil
}

// errKeyOrValue is never changed.
var errKeyOrValue = fmt.Errorf("a key has at most %d bytes, a value %d, an element of a list %d", MaxKey, MaxValue, MaxElement)

// appendTxn appends the encoded form of a transaction.
func appendTxn(buf []byte, op Op, t *Txn) []byte {
	buf = append(buf, byte(op))
	buf = binary.AppendUvarint(buf, uint64(len(t.If)))
	for _, c := range t.If {
		buf = appendString(buf, c.Key)
		if !c.Value.Present {
			buf = append(buf, 0)
			continue
		}
		buf = appendString(append(buf, 1), c.Value.Data)
	}
	for _, branch := range [][]TxnOp{t.Then, t.Else} {
		buf = binary.AppendUvarint(buf, uint64(len(branch)))
		for _, op := range branch {
			buf = appendCommand(buf, op.Op, op.Key, Value{}, op.Value)
		}
	}
	return buf
}

// takeTxn reads the rest of a transaction.
func (c *command) takeTxn(b []byte) (left []byte, err error) {
	if len(b) >= MaxTxn {
		return b, fmt.Errorf("a transaction of %d bytes, at most %d are allowed", len(b)+1, MaxTxn)
	}
	if c.rest == nil {
		c.rest = &rest{}
	}
	t := &txn{}
	c.rest.txn = t
	if t.conditions, b, err = takeConditions(b); err != nil {
		return b, err
	}
	if t.then, b, err = takeBranch(b, c.op); err != nil {
		return b, fmt.Errorf("then: %w", err)
	}
	if t.otherwise, b, err = takeBranch(b, c.op); err != nil {
		return b, fmt.Errorf("else: %w", err)
	}
	return b, nil
}

func takeConditions(b []byte) (conditions []command, left []byte, err error) {
	n, b, err := takeCount(b)
	if err != nil {
		return nil, b, fmt.Errorf("conditions: %w", err)
	}
	for i := range n {
		var c command
		if c.key, b, err = takeBytes(b, MaxKey); err != nil {
			return nil, b, fmt.Errorf("key of condition %d: %w", i+1, err)
		}
		if len(b) == 0 || b[0] > 1 {
			return nil, b, fmt.Errorf("condition %d: neither present nor absent", i+1)
		}
		c.expectPresent, b = b[0] == 1, b[1:]
		if c.expectPresent {
			if c.expect, b, err = takeBytes(b, MaxValue); err != nil {
				return nil, b, fmt.Errorf("value of condition %d: %w", i+1, err)
			}
		}
		conditions = append(conditions, c)
	}
	return conditions, b, nil
}

// takeBranch reads the operations of one branch of a transaction of that kind.
func takeBranch(b []byte, kind Op) (ops []command, left []byte, err error) {
	n, b, err := takeCount(b)
	if err != nil {
		return nil, b, err
	}
	for i := range n {
		if len(b) == 0 {
			return nil, b, errTruncated
		}
		c := command{op: Op(b[0])}
		if !c.op.inTxn() || kind == OpReadTxn && !c.op.Reads() {
			return nil, b, fmt.Errorf("operation %d: %v is none of a %v", i+1, c.op, kind)
		}
		if b, err = c.takeKeyed(b[1:]); err != nil {
			return nil, b, fmt.Errorf("operation %d: %w", i+1, err)
		}
		ops = append(ops, c)
	}
	return ops, b, nil
}

func takeCount(b []byte) (n uint64, left []byte, err error) {
	if n, left, err = takeUvarint(b); err == nil && n > MaxTxnItems {
		err = fmt.Errorf("%d of them, at most %d are allowed", n, MaxTxnItems)
	}
	return n, left, err
}

// What an operation of a transaction read.
const (
	resultNone  byte = 0 // nothing, or a key that does not exist
	resultValue byte = 1
	resultList  byte = 2
)

// appendResult appends the result of one operation of a transaction.
func appendResult(buf []byte, op Op, v Value) []byte {
	switch {
	case !v.Present:
		return append(buf, resultNone)
	case op == OpList:
		buf = append(buf, resultList)
	default:
		buf = append(buf, resultValue)
	}
	return appendString(buf, v.Data)
}

// decodeResults reads the results of a transaction.
func decodeResults(encoded string) ([]OpResult, error) {
	results := []OpResult{}
	for b := []byte(encoded); len(b) > 0; {
		kind := b[0]
		b = b[1:]
		var r OpResult
		if kind != resultNone {
			data, left, err := takeBytes(b, MaxValue)
			if err != nil {
				return nil, err
			}
			b = left
			switch kind {
			case resultValue:
				r.Value = Some(string(data))
			case resultList:
				if r.List, err = decodeList(string(data)); err != nil {
					return nil, err
				}
			default:
				return nil, errors.New("a result that is neither a value nor a list")
			}
		}
		results = append(results, r)
	}
	return results, nil
}
