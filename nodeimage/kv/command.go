package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Bounds of a request. They keep one client from filling a server's memory.
const (
	MaxKey   = 64 << 10 // bytes
	MaxValue = 1 << 20  // bytes
)

// Op is what a request asks for. The numbers are part of the protocol and of
// the log.
type Op uint8

// The operations.
const (
	OpGet    Op = 1
	OpPut    Op = 2
	OpDelete Op = 3
	OpCAS    Op = 4
)

func (op Op) String() string {
	switch op {
	case OpGet:
		return "get"
	case OpPut:
		return "put"
	case OpDelete:
		return "delete"
	case OpCAS:
		return "cas"
	}
	return fmt.Sprintf("op %d", uint8(op))
}

// Value is a value, or its absence.
type Value struct {
	Data    string
	Present bool
}

// Some is a value that is there.
func Some(data string) Value { return Value{Data: data, Present: true} }

// Absent is the value of a key that does not exist.
func Absent() Value { return Value{} }

// command is a request's body. Its slices are parts of the encoded form.
type command struct {
	op            Op
	key           []byte
	expectPresent bool
	expect        []byte
	value         []byte
}

// appendCommand appends the encoded form, which is the same on the wire and in
// the log, so that a server passes a request's bytes on as they came. expect
// matters to a compare-and-set alone, value to it and to a put.
func appendCommand(buf []byte, op Op, key string, expect Value, value string) []byte {
	buf = append(buf, byte(op))
	buf = appendString(buf, key)
	if op == OpCAS {
		if expect.Present {
			buf = append(buf, 1)
			buf = appendString(buf, expect.Data)
		} else {
			buf = append(buf, 0)
		}
	}
	if op == OpPut || op == OpCAS {
		buf = appendString(buf, value)
	}
	return buf
}

func appendString(buf []byte, s string) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(s)))
	return append(buf, s...)
}

var errTruncated = errors.New("cut off")

// decodeCommand reads an encoded command, all of b. The result points into b.
func decodeCommand(b []byte) (command, error) {
	var c command
	if len(b) == 0 {
		return c, errors.New("empty request")
	}
	c.op, b = Op(b[0]), b[1:]
	if c.op < OpGet || c.op > OpCAS {
		return c, fmt.Errorf("unknown operation %d", uint8(c.op))
	}
	var err error
	if c.key, b, err = takeBytes(b, MaxKey); err != nil {
		return c, fmt.Errorf("key: %w", err)
	}
	if c.op == OpCAS {
		if len(b) == 0 || b[0] > 1 {
			return c, errors.New("expected value: neither present nor absent")
		}
		c.expectPresent, b = b[0] == 1, b[1:]
		if c.expectPresent {
			if c.expect, b, err = takeBytes(b, MaxValue); err != nil {
				return c, fmt.Errorf("expected value: %w", err)
			}
		}
	}
	if c.op == OpPut || c.op == OpCAS {
		if c.value, b, err = takeBytes(b, MaxValue); err != nil {
			return c, fmt.Errorf("value: %w", err)
		}
	}
	if len(b) != 0 {
		return c, fmt.Errorf("%d bytes too many", len(b))
	}
	return c, nil
}

// takeBytes reads a length and as many bytes off the front of b.
func takeBytes(b []byte, limit uint64) (taken, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return nil, b, errTruncated
	}
	if n > limit {
		return nil, b, fmt.Errorf("%d bytes, at most %d are allowed", n, limit)
	}
	b = b[size:]
	if n > uint64(len(b)) {
		return nil, b, errTruncated
	}
	return b[:n:n], b[n:], nil
}
