package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Bounds of a request. They keep one client from filling a server's memory.
const (
	MaxKey   = 64 << 10 // bytes
	MaxValue = 1 << 20  // bytes
	MaxName  = 1 << 10  // bytes: the name of a lock, and its owner's
	// MaxTTL bounds how long a lock is held without a keep-alive.
	MaxTTL = 365 * 24 * time.Hour
)

// Op is what a request asks for. The numbers are part of the protocol and of
// the log.
type Op uint8

// The operations.
const (
	OpGet       Op = 1
	OpPut       Op = 2
	OpDelete    Op = 3
	OpCAS       Op = 4
	OpAppend    Op = 5 // an element to a list
	OpList      Op = 6 // a whole list
	OpTxn       Op = 7 // over several keys
	OpReadTxn   Op = 8 // the same, when it changes nothing
	OpRegister  Op = 9 // a session
	OpAcquire   Op = 10
	OpRelease   Op = 11
	OpKeepAlive Op = 12
	OpDigest    Op = 13 // of the asked node's own state
	OpAdd       Op = 14 // to a number
	OpPop       Op = 15 // the first element of a list
	OpRemove    Op = 16 // an element of a list

	lastOp = OpRemove
)

// What may stand before a command.
const (
	// markSession: session and number follow (see [Session]).
	markSession byte = 0x80
	// markTime: the leader's lease time follows. It stands in the log alone.
	markTime byte = 0x81
)

// Reads reports whether the operation changes nothing: it is not put into the
// log, and one without an answer had no effect.
func (op Op) Reads() bool {
	return op == OpGet || op == OpList || op == OpReadTxn || op == OpDigest
}

// timed reports whether the operation goes by the lease time.
func (op Op) timed() bool { return op >= OpAcquire && op <= OpKeepAlive }

// valued reports whether a value stands behind the key.
func (op Op) valued() bool {
	return op == OpPut || op == OpCAS || op == OpAppend || op == OpAdd || op == OpRemove
}

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
	case OpAppend:
		return "append"
	case OpList:
		return "list"
	case OpTxn:
		return "txn"
	case OpReadTxn:
		return "read-txn"
	case OpRegister:
		return "register"
	case OpAcquire:
		return "acquire"
	case OpRelease:
		return "release"
	case OpKeepAlive:
		return "keep-alive"
	case OpDigest:
		return "digest"
	case OpAdd:
		return "add"
	case OpPop:
		return "pop"
	case OpRemove:
		return "remove"
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
	expectPresent bool
	key           []byte // of a lock: its name
	expect        []byte
	value         []byte // of a lock: its owner; of an append: the element; of an add: the number
	rest          *rest  // nil: none of it matters
}

// rest is what few commands have. Apart from the others it keeps them small.
type rest struct {
	session  uint64 // 0: none
	number   uint64 // of the command in its session, from 1
	answered uint64 // the answers to the session's commands below this number have arrived
	token    uint64
	ttl      time.Duration // 0: for ever
	time     time.Duration // the leader's lease time
	at       uint64        // the index at which a digest is asked for; 0: none is
	txn      *txn
}

// appendCommand appends the encoded form of a command on one key. The form is
// the same on the wire and in the log, so that a server passes a request's bytes
// on as they came. expect matters to a compare-and-set alone, value to it, a put
// and an append.
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
	if op.valued() {
		buf = appendString(buf, value)
	}
	return buf
}

// appendLock appends a command on a lock.
func appendLock(buf []byte, op Op, name, owner string, token uint64, ttl time.Duration) []byte {
	buf = append(buf, byte(op))
	buf = appendString(buf, name)
	buf = appendString(buf, owner)
	if op != OpAcquire {
		buf = binary.AppendUvarint(buf, token)
	}
	if op != OpRelease {
		buf = binary.AppendUvarint(buf, uint64(ttl))
	}
	return buf
}

// appendSession appends what stands before a command of a session.
func appendSession(buf []byte, session, number, answered uint64) []byte {
	buf = append(buf, markSession)
	buf = binary.BigEndian.AppendUint64(buf, session)
	buf = binary.AppendUvarint(buf, number)
	return binary.AppendUvarint(buf, answered)
}

// appendTime appends what stands before a timed command in the log.
func appendTime(buf []byte, lease time.Duration) []byte {
	return binary.BigEndian.AppendUint64(append(buf, markTime), uint64(lease))
}

func appendString(buf []byte, s string) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(s)))
	return append(buf, s...)
}

func appendBytes(buf, b []byte) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(b)))
	return append(buf, b...)
}

var errTruncated = errors.New("cut off")

// takeEntry reads a command as it stands in the log, all of b: with the time
// where it needs one. The result points into b. On an error it is of no use.
func (c *command) takeEntry(b []byte) error {
	if len(b) == 0 || b[0] != markTime {
		err := c.take(b)
		if err == nil && c.op.timed() {
			err = fmt.Errorf("%v without the time", c.op)
		}
		return err
	}
	if len(b) < 9 {
		return errTruncated
	}
	if err := c.take(b[9:]); err != nil {
		return err
	}
	lease := binary.BigEndian.Uint64(b[1:])
	if !c.op.timed() || lease > uint64(maxLeaseTime) {
		return fmt.Errorf("%v at the lease time %d", c.op, lease)
	}
	c.rest.time = time.Duration(lease)
	return nil
}

// decodeCommand reads a request's body, all of b. The result points into b.
func decodeCommand(b []byte) (c command, err error) {
	err = c.take(b)
	return c, err
}

// take is decodeCommand into c, which is empty.
func (c *command) take(b []byte) (err error) {
	if len(b) > 0 && b[0] == markSession {
		c.rest = &rest{}
		if b, err = c.rest.takeSession(b[1:]); err != nil {
			return fmt.Errorf("session: %w", err)
		}
	}
	if len(b) == 0 {
		return errors.New("empty request")
	}
	c.op, b = Op(b[0]), b[1:]
	switch {
	case c.op < OpGet || c.op > lastOp:
		return fmt.Errorf("unknown operation %d", uint8(c.op))
	case c.rest != nil && (c.op.Reads() || c.op == OpRegister):
		return fmt.Errorf("%v is for no session", c.op)
	case c.op == OpRegister:
	case c.op == OpDigest:
		c.rest = &rest{}
		c.rest.at, b, err = takeUvarint(b)
	case c.op == OpTxn || c.op == OpReadTxn:
		b, err = c.takeTxn(b)
	case c.op.timed():
		b, err = c.takeLock(b)
	default:
		b, err = c.takeKeyed(b)
	}
	if err == nil && len(b) != 0 {
		err = fmt.Errorf("%d bytes too many", len(b))
	}
	return err
}

func (r *rest) takeSession(b []byte) (left []byte, err error) {
	if len(b) < 8 {
		return b, errTruncated
	}
	r.session, b = binary.BigEndian.Uint64(b), b[8:]
	if r.number, b, err = takeUvarint(b); err != nil {
		return b, err
	}
	if r.answered, b, err = takeUvarint(b); err != nil {
		return b, err
	}
	if r.session == 0 || r.answered == 0 || r.answered > r.number {
		return b, fmt.Errorf("command %d of session %d, with those below %d answered", r.number, r.session, r.answered)
	}
	return b, nil
}

// takeKeyed reads the rest of a command on one key.
func (c *command) takeKeyed(b []byte) (left []byte, err error) {
	if c.key, b, err = takeBytes(b, MaxKey); err != nil {
		return b, fmt.Errorf("key: %w", err)
	}
	if c.op == OpCAS {
		if len(b) == 0 || b[0] > 1 {
			return b, errors.New("expected value: neither present nor absent")
		}
		c.expectPresent, b = b[0] == 1, b[1:]
		if c.expectPresent {
			if c.expect, b, err = takeBytes(b, MaxValue); err != nil {
				return b, fmt.Errorf("expected value: %w", err)
			}
		}
	}
	if c.op.valued() {
		if c.value, b, err = takeBytes(b, c.op.maxValue()); err != nil {
			return b, fmt.Errorf("value: %w", err)
		}
	}
	return b, nil
}

func (op Op) maxValue() uint64 {
	switch op {
	case OpAppend, OpRemove:
		return MaxElement
	case OpAdd:
		return maxNumber
	}
	return MaxValue
}

// takeLock reads the rest of a command on a lock.
func (c *command) takeLock(b []byte) (left []byte, err error) {
	if c.rest == nil {
		c.rest = &rest{}
	}
	if c.key, b, err = takeBytes(b, MaxName); err != nil {
		return b, fmt.Errorf("name of the lock: %w", err)
	}
	if c.value, b, err = takeBytes(b, MaxName); err != nil {
		return b, fmt.Errorf("owner: %w", err)
	}
	if c.op != OpAcquire {
		if c.rest.token, b, err = takeUvarint(b); err != nil {
			return b, fmt.Errorf("token: %w", err)
		}
	}
	if c.op != OpRelease {
		var ttl uint64
		if ttl, b, err = takeUvarint(b); err != nil {
			return b, fmt.Errorf("ttl: %w", err)
		}
		if ttl > uint64(MaxTTL) {
			return b, fmt.Errorf("ttl of %d ns, at most %d are allowed", ttl, uint64(MaxTTL))
		}
		c.rest.ttl = time.Duration(ttl)
	}
	return b, nil
}

// takeUvarint reads a number off the front of b.
func takeUvarint(b []byte) (v uint64, left []byte, err error) {
	if len(b) > 0 && b[0] < 0x80 { // most often
		return uint64(b[0]), b[1:], nil
	}
	v, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, b, errTruncated
	}
	return v, b[size:], nil
}

// takeBytes reads a length and as many bytes off the front of b.
func takeBytes(b []byte, limit uint64) (taken, rest []byte, err error) {
	n, b, err := takeUvarint(b)
	if err != nil {
		return nil, b, err
	}
	if n > limit {
		return nil, b, fmt.Errorf("%d bytes, at most %d are allowed", n, limit)
	}
	if n > uint64(len(b)) {
		return nil, b, errTruncated
	}
	return b[:n:n], b[n:], nil
}
