package objects

import (
	"fmt"
	"slices"

	"squall/history"
)

// Functions of objects besides those of a register.
const (
	Add     history.Func = "add"
	Remove  history.Func = "remove"
	Acquire history.Func = "acquire"
	Release history.Func = "release"
	Get     history.Func = "get"
	Put     history.Func = "put"
	Append  history.Func = "append"
	Enqueue history.Func = "enqueue"
	Dequeue history.Func = "dequeue"
)

// LockOp is an operation of a lock.
type LockOp struct {
	Acquires bool
	Owner    history.Data
	Token    int64 // of a release, or of an acquire that was granted
	Answered bool
	Granted  bool         // an acquire: it was answered with a token
	Holder   history.Data // else: with who holds the lock
	Released bool         // a release: it was answered with true
}

// ParseLock reads an operation on a lock.
func ParseLock(op *history.Op) (o LockOp, err error) {
	o.Answered = op.Outcome == history.OK
	if op.Func == Acquire {
		o.Acquires = true
		if o.Owner = op.In; !isText(op.In) {
			return o, fmt.Errorf(`an acquire without its owner "i", a string: it is %s`, Brief(op.In))
		}
		if !o.Answered {
			return o, nil
		}
		if o.Holder = op.Out; isText(op.Out) {
			return o, nil
		}
		o.Granted = true
		if o.Token, err = WholeNumber(op.Out); err != nil {
			return o, fmt.Errorf(`an acquire whose result "o" is neither its token nor the owner who holds the lock: %w`, err)
		}
		return o, nil
	}
	elements := slices.Collect(op.In.Elements())
	if len(elements) != 2 || !isText(elements[0]) {
		return o, fmt.Errorf(`a release without its "i", a list of owner and token: it is %s`, Brief(op.In))
	}
	o.Owner = elements[0]
	if o.Token, err = WholeNumber(elements[1]); err != nil {
		return o, fmt.Errorf(`a release whose token in "i" is none: %w`, err)
	}
	if o.Released = op.Out == history.True; o.Answered && !o.Released && op.Out != history.False {
		return o, fmt.Errorf(`a release whose result "o" is neither true nor false: it is %s`, Brief(op.Out))
	}
	return o, nil
}
