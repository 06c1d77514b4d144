package kv

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyTxn draws a transaction on a few keys.
func anyTxn(t *rapid.T) Txn {
	keys := rapid.SampledFrom([]string{"a", "b", "l", "m"})
	values := rapid.SampledFrom([]string{"", "1", "2"})
	ops := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) TxnOp {
		op := rapid.SampledFrom([]Op{OpGet, OpPut, OpDelete, OpAppend, OpList}).Draw(t, "op")
		return TxnOp{Op: op, Key: keys.Draw(t, "key"), Value: values.Draw(t, "value")}
	}), 0, 5)
	conditions := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Condition {
		c := Condition{Key: keys.Draw(t, "key")}
		if rapid.Bool().Draw(t, "present") {
			c.Value = Some(values.Draw(t, "value"))
		}
		return c
	}), 0, 2)
	return Txn{If: conditions.Draw(t, "if"), Then: ops.Draw(t, "then"), Else: ops.Draw(t, "else")}
}

// anyCommand draws a command that changes something, as a client sends it.
func anyCommand(t *rapid.T) (Op, []byte) {
	keys := rapid.SampledFrom([]string{"a", "b", "l", "m"})
	values := rapid.SampledFrom([]string{"", "1", "2"})
	switch op := rapid.SampledFrom([]Op{OpPut, OpDelete, OpCAS, OpAppend, OpTxn, OpAcquire, OpRelease, OpKeepAlive, OpAdd, OpPop, OpRemove}).Draw(t, "op"); op {
	case OpTxn:
		txn := anyTxn(t)
		return op, appendTxn(nil, op, &txn)
	case OpAcquire, OpRelease, OpKeepAlive:
		ttl := time.Duration(rapid.IntRange(0, 5).Draw(t, "ttl"))
		token := rapid.Uint64Range(0, 6).Draw(t, "token")
		return op, appendLock(nil, op, keys.Draw(t, "lock"), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "owner"), token, ttl)
	default:
		expect := Value{}
		if rapid.Bool().Draw(t, "expect present") {
			expect = Some(values.Draw(t, "expect"))
		}
		return op, appendCommand(nil, op, keys.Draw(t, "key"), expect, values.Draw(t, "value"))
	}
}

// anyEntry draws an entry of a log whose last one was index.
func anyEntry(t *rapid.T, index uint64, sessions []uint64) []byte {
	if rapid.IntRange(0, 9).Draw(t, "register") == 0 {
		return []byte{byte(OpRegister)}
	}
	op, raw := anyCommand(t)
	if len(sessions) > 0 && rapid.Bool().Draw(t, "in a session") {
		number := rapid.Uint64Range(1, 8).Draw(t, "number")
		answered := rapid.Uint64Range(1, number).Draw(t, "answered")
		raw = append(appendSession(nil, rapid.SampledFrom(sessions).Draw(t, "session"), number, answered), raw...)
	}
	if op.timed() {
		raw = append(appendTime(nil, time.Duration(rapid.Uint64Range(0, 3*index).Draw(t, "time"))), raw...)
	}
	return raw
}

// TestReplicasAgree applies a random log on one replica, and on one that is
// restored again and again from a snapshot written later: both answer the same
// and hold the same.
func TestReplicasAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		straight, restored := NewMachine(), NewMachine()
		var sessions []uint64
		for index := uint64(1); index <= uint64(rapid.IntRange(1, 60).Draw(t, "entries")); index++ {
			raw := anyEntry(t, index, sessions)
			var image bytes.Buffer
			write, err := straight.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			want := straight.Apply(index, raw).(response)
			if err := write(&image); err != nil { // what was applied meanwhile is not in it
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "restore") {
				if err := restored.Restore(&image); err != nil {
					t.Fatal(err)
				}
			}
			if got := restored.Apply(index, slices.Clone(raw)).(response); got != want {
				t.Fatalf("entry %d, % x: %+v and %+v", index, raw, want, got)
			}
			if straight.Hash() != restored.Hash() || straight.Stats() != restored.Stats() {
				t.Fatalf("after entry %d, % x: %x, %+v and %x, %+v", index, raw,
					straight.Hash(), straight.Stats(), restored.Hash(), restored.Stats())
			}
			if want.status == statusFailed && want.code == CodeInternal {
				t.Fatalf("entry %d, % x: %s", index, raw, want.text)
			}
			if raw[0] == byte(OpRegister) {
				sessions = append(sessions, index)
			}
		}
	})
}

// TestHashCoversEverything changes one thing of the state at a time.
func TestHashCoversEverything(t *testing.T) {
	base := func() *Machine {
		m := NewMachine()
		for index, raw := range [][]byte{
			{byte(OpRegister)}, {byte(OpRegister)},
			appendCommand(nil, OpAppend, "list", Value{}, "1"),
			appendCommand(nil, OpPut, "string", Value{}, "1"),
			append(appendTime(nil, 10), appendLock(nil, OpAcquire, "lock", "me", 0, 100)...),
			append(appendSession(nil, 1, 3, 1), appendCommand(nil, OpPut, "k", Value{}, "v")...),
		} {
			m.Apply(uint64(index+1), raw)
		}
		return m
	}
	seen := map[uint64]string{base().Hash(): "nothing changed"}
	for name, raw := range map[string][]byte{
		"another element":         appendCommand(nil, OpAppend, "list", Value{}, "1"),
		"an element less":         appendCommand(nil, OpPop, "list", Value{}, ""),
		"another number":          appendCommand(nil, OpAdd, "string", Value{}, "1"),
		"an empty element":        appendCommand(nil, OpAppend, "list", Value{}, ""),
		"a string like the list":  appendTxn(nil, OpTxn, &Txn{Then: []TxnOp{{Op: OpDelete, Key: "list"}, {Op: OpPut, Key: "list", Value: "\x011"}}}),
		"a longer lease":          append(appendTime(nil, 10), appendLock(nil, OpKeepAlive, "lock", "me", 1, 101)...),
		"for ever":                append(appendTime(nil, 10), appendLock(nil, OpKeepAlive, "lock", "me", 1, 0)...),
		"a lock released":         append(appendTime(nil, 10), appendLock(nil, OpRelease, "lock", "me", 1, 0)...),
		"another lock":            append(appendTime(nil, 10), appendLock(nil, OpAcquire, "lock 2", "me", 0, 100)...),
		"time passed":             append(appendTime(nil, 11), appendLock(nil, OpRelease, "none", "me", 1, 0)...),
		"a session used":          append(appendSession(nil, 1, 3, 1), appendCommand(nil, OpPut, "k", Value{}, "v")...),
		"another session used":    append(appendSession(nil, 2, 3, 3), appendCommand(nil, OpPut, "k", Value{}, "v")...),
		"another number recorded": append(appendSession(nil, 2, 4, 3), appendCommand(nil, OpPut, "k", Value{}, "v")...),
		"another answer recorded": append(appendSession(nil, 2, 4, 3), appendCommand(nil, OpCAS, "k", Some("x"), "v")...),
		"answers dropped":         append(appendSession(nil, 2, 4, 4), appendCommand(nil, OpPut, "k", Value{}, "v")...),
		"a session registered":    {byte(OpRegister)},
	} {
		m := base()
		m.Apply(7, raw)
		if other, twice := seen[m.Hash()]; twice {
			t.Errorf("%s and %s: the same hash", name, other)
		}
		seen[m.Hash()] = name
	}
}

// full is a state with something of every kind.
func full() *Machine {
	m := filled(20)
	m.Apply(21, []byte{byte(OpRegister)})
	for i := range 3 {
		m.Apply(22, append(appendTime(nil, 5), appendLock(nil, OpAcquire, fmt.Sprint("lock ", i), "me", 0, time.Duration(i))...))
		m.Apply(23, append(appendSession(nil, 21, uint64(i+1), 1), appendCommand(nil, OpAppend, "list", Value{}, "element")...))
	}
	m.Apply(24, append(appendSession(nil, 21, 4, 1), appendCommand(nil, OpAppend, "key-1", Value{}, "x")...))
	return m
}
