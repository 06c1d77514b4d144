package kv

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// maxNumber is how many bytes the text of a number has at most: "-9223372036854775808".
const maxNumber = 20

// Add adds n to the number that a key holds, as text, and tells the sum; a key that does
// not exist holds 0. On what is no whole number it fails with CodeWrongKind, and with
// CodeTooLarge where the sum would not fit into an int64.
func (c *Client) Add(ctx context.Context, key string, n int64) (sum int64, err error) {
	r, err := c.keyed(ctx, OpAdd, key, Value{}, strconv.FormatInt(n, 10))
	if err != nil {
		return 0, err
	}
	if sum, err = strconv.ParseInt(r.value.Data, 10, 64); err != nil {
		return 0, badAnswer(OpAdd, err)
	}
	return sum, nil
}

// Pop takes the first element out of a list. found is false when the key does not exist;
// it does not once its list has no element left.
func (c *Client) Pop(ctx context.Context, key string) (element string, found bool, err error) {
	r, err := c.keyed(ctx, OpPop, key, Value{}, "")
	return r.value.Data, r.value.Present, err
}

// Remove takes the first element like this one out of a list. removed is false when there
// is none.
func (c *Client) Remove(ctx context.Context, key, element string) (removed bool, err error) {
	r, err := c.keyed(ctx, OpRemove, key, Value{}, element)
	return err == nil && r.status == statusOK, err
}

// onList reports whether the operation is on lists.
func (op Op) onList() bool { return op == OpAppend || op == OpList || op == OpPop || op == OpRemove }

// add carries out an OpAdd on a key that holds old.
func (m *Machine) add(s *shard, c *command, keyHash uint64, old entry, had bool) response {
	sum := int64(0)
	n, err := strconv.ParseInt(string(c.value), 10, 64)
	if err == nil && had {
		sum, err = strconv.ParseInt(old.value, 10, 64)
	}
	switch {
	case err != nil:
		return noEffect(CodeWrongKind, "what is added, or what the key holds, is no whole number")
	case n > 0 && sum > math.MaxInt64-n, n < 0 && sum < math.MinInt64-n:
		return noEffect(CodeTooLarge, fmt.Sprintf("%d and %d is beyond 64 bits", sum, n))
	}
	text := strconv.AppendInt(nil, sum+n, 10)
	m.put(s, c.key, old, had, stringEntry(keyHash, text))
	return response{status: statusOK, value: Some(string(text))}
}

// pop carries out an OpPop on a key that holds a list.
func (m *Machine) pop(s *shard, c *command, keyHash uint64, old entry) response {
	first := span{to: len(old.list.encoded)}
	for e := range old.list.spans() {
		first = e
		break
	}
	m.cut(s, c.key, keyHash, old, first)
	return response{status: statusOK, value: Some(string(old.list.encoded[first.data:first.to]))}
}

// removeElement carries out an OpRemove on a key that holds a list.
func (m *Machine) removeElement(s *shard, c *command, keyHash uint64, old entry) response {
	for e := range old.list.spans() {
		if bytes.Equal(old.list.encoded[e.data:e.to], c.value) {
			m.cut(s, c.key, keyHash, old, e)
			return response{status: statusOK}
		}
	}
	return response{status: statusCompareFailed}
}

// cut takes an element out of a list; one that has no other is removed.
func (m *Machine) cut(s *shard, key []byte, keyHash uint64, old entry, e span) {
	if left := old.list.without(e); left != nil {
		m.put(s, key, old, true, listEntry(keyHash, left))
		return
	}
	m.remove(s, key, old, true)
}

// span is where an element stands in an encoded list: its length from from on, itself
// from data to before to.
type span struct{ from, data, to int }

// spans are the elements of a list, in order.
func (l *list) spans() func(yield func(span) bool) {
	return func(yield func(span) bool) {
		for at := 0; at < len(l.encoded); {
			n, size := binary.Uvarint(l.encoded[at:])
			e := span{at, at + size, at + size + int(n)}
			if !yield(e) {
				return
			}
			at = e.to
		}
	}
}

// without is the list without an element, nil when it has no other. The first is cut off,
// and the rest stays where it is; otherwise it is copied.
func (l *list) without(e span) *list {
	rest := l.encoded[e.to:]
	if e.from > 0 {
		rest = append(bytes.Clone(l.encoded[:e.from]), rest...)
	}
	left, err := listOf(rest)
	if err != nil {
		return nil
	}
	return left
}
