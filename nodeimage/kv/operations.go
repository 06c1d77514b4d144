package kv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Get reads a key. found is false when the key does not exist.
func (c *Client) Get(ctx context.Context, key string) (value string, found bool, err error) {
	r, err := c.keyed(ctx, OpGet, key, Value{}, "")
	return r.value.Data, r.value.Present, err
}

// Put stores a value.
func (c *Client) Put(ctx context.Context, key, value string) error {
	_, err := c.Replace(ctx, key, value)
	return err
}

// Replace stores a value, and tells what the key held before.
func (c *Client) Replace(ctx context.Context, key, value string) (old Value, err error) {
	r, err := c.keyed(ctx, OpPut, key, Value{}, value)
	return r.value, err
}

// Delete removes a key, of a string or a list; that it does not exist is no
// error.
func (c *Client) Delete(ctx context.Context, key string) error {
	_, err := c.keyed(ctx, OpDelete, key, Value{}, "")
	return err
}

// CAS stores value if the key holds what is expected, or is absent when that is
// expected. Otherwise it changes nothing, and swapped is false; then found is
// what the key holds.
func (c *Client) CAS(ctx context.Context, key string, expect Value, value string) (swapped bool, found Value, err error) {
	r, err := c.keyed(ctx, OpCAS, key, expect, value)
	return err == nil && r.status == statusOK, r.value, err
}

// Append appends an element to a list, which begins to exist when it does not.
// An element has at most [MaxElement] bytes; a list that would have more than
// [MaxList] is left as it is (CodeTooLarge). On a key that holds a string it
// fails with CodeWrongKind, as operations on strings do on a list.
func (c *Client) Append(ctx context.Context, key, element string) error {
	_, err := c.keyed(ctx, OpAppend, key, Value{}, element)
	return err
}

// List reads a whole list. found is false when the key does not exist.
func (c *Client) List(ctx context.Context, key string) (elements []string, found bool, err error) {
	r, err := c.keyed(ctx, OpList, key, Value{}, "")
	if err != nil || !r.value.Present {
		return nil, false, err
	}
	if elements, err = decodeList(r.value.Data); err != nil {
		return nil, false, badAnswer(OpList, err)
	}
	return elements, true, nil
}

// keyed carries out an operation on one key.
func (c *Client) keyed(ctx context.Context, op Op, key string, expect Value, value string) (response, error) {
	if len(key) > MaxKey || uint64(len(value)) > op.maxValue() || len(expect.Data) > MaxValue {
		return response{}, tooLarge(errKeyOrValue)
	}
	return c.do(ctx, op, func(buf []byte) []byte { return appendCommand(buf, op, key, expect, value) })
}

// Txn carries out a transaction. It fails, and changes nothing, when one of its
// operations does, when its request has more than [MaxTxn] bytes, or its results
// more than [MaxTxnAnswer]. One that changes nothing, whichever branch it takes,
// is a read: its errors are always certain.
func (c *Client) Txn(ctx context.Context, t Txn) (TxnResult, error) {
	if err := t.check(); err != nil {
		return TxnResult{}, tooLarge(err)
	}
	op := OpTxn
	if t.readOnly() {
		op = OpReadTxn
	}
	body := appendTxn(nil, op, &t)
	if len(body) > MaxTxn {
		return TxnResult{}, tooLarge(fmt.Errorf("a transaction has at most %d bytes", MaxTxn))
	}
	r, err := c.do(ctx, op, func(buf []byte) []byte { return append(buf, body...) })
	if err != nil {
		return TxnResult{}, err
	}
	res := TxnResult{Held: r.status == statusOK}
	want := len(t.Then)
	if !res.Held {
		want = len(t.Else)
	}
	if res.Results, err = decodeResults(r.value.Data); err == nil && len(res.Results) != want {
		err = fmt.Errorf("%d results of %d operations", len(res.Results), want)
	}
	if err != nil {
		return TxnResult{}, badAnswer(op, err)
	}
	return res, nil
}

// Acquire takes a lock that nobody holds, for ttl or, when that is 0, until it
// is released. Then token is a number above that of every earlier grant of any
// lock, and holder is empty. Otherwise token is 0, and holder is who holds the
// lock; that may be the owner itself, for a lock is not taken twice. A name and
// an owner have at most [MaxName] bytes; ttl is 0 to [MaxTTL].
//
// A lease may be over for the servers while its holder still believes in it:
// see the package comment. What the lock protects has to refuse tokens below the
// highest one that it has seen.
func (c *Client) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (token uint64, holder Holder, err error) {
	r, err := c.locking(ctx, OpAcquire, name, owner, 0, ttl)
	if err != nil {
		return 0, Holder{}, err
	}
	if r.status == statusOK {
		if token, err = decodeID(r.value); err != nil {
			return 0, Holder{}, badAnswer(OpAcquire, err)
		}
		return token, Holder{}, nil
	}
	if holder, err = decodeHolder(r.value); err != nil {
		return 0, Holder{}, badAnswer(OpAcquire, err)
	}
	return 0, holder, nil
}

// Release gives a lock back that owner holds with that token. released is false
// when the owner does not hold it so, or not any more; then holder is who does,
// if anybody.
func (c *Client) Release(ctx context.Context, name, owner string, token uint64) (released bool, holder Holder, err error) {
	return c.held(ctx, OpRelease, name, owner, token, 0)
}

// KeepAlive lets the lease of a lock that owner holds with that token end ttl
// from now, or never when ttl is 0. alive is false when the owner does not hold
// it so, or not any more; then holder is who does, if anybody.
func (c *Client) KeepAlive(ctx context.Context, name, owner string, token uint64, ttl time.Duration) (alive bool, holder Holder, err error) {
	return c.held(ctx, OpKeepAlive, name, owner, token, ttl)
}

// held carries out an operation of a lock's holder.
func (c *Client) held(ctx context.Context, op Op, name, owner string, token uint64, ttl time.Duration) (done bool, holder Holder, err error) {
	r, err := c.locking(ctx, op, name, owner, token, ttl)
	if err != nil || r.status == statusOK {
		return err == nil, Holder{}, err
	}
	if holder, err = decodeHolder(r.value); err != nil {
		return false, Holder{}, badAnswer(op, err)
	}
	return false, holder, nil
}

func (c *Client) locking(ctx context.Context, op Op, name, owner string, token uint64, ttl time.Duration) (response, error) {
	if len(name) > MaxName || len(owner) > MaxName || ttl < 0 || ttl > MaxTTL {
		return response{}, tooLarge(fmt.Errorf("a lock's name and owner have at most %d bytes, its ttl is 0 to %v", MaxName, MaxTTL))
	}
	return c.do(ctx, op, func(buf []byte) []byte { return appendLock(buf, op, name, owner, token, ttl) })
}

func tooLarge(why error) *Error { return &Error{Certain: true, Code: CodeTooLarge, Text: why.Error()} }

// badAnswer is the error for an answer that cannot be read.
func badAnswer(op Op, why error) *Error {
	return &Error{Certain: op.Reads(), Code: CodeInternal, Text: "the answer cannot be read: " + why.Error(), cause: why}
}

// decodeID reads a session's id, or a token.
func decodeID(v Value) (uint64, error) {
	if len(v.Data) != 8 {
		return 0, fmt.Errorf("a number of %d bytes, not 8", len(v.Data))
	}
	id := binary.BigEndian.Uint64([]byte(v.Data))
	if id == 0 {
		return 0, errors.New("the number 0")
	}
	return id, nil
}
