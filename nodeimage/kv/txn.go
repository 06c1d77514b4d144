package kv

import "fmt"

// Bounds of a transaction.
const (
	MaxTxnItems  = 128     // conditions, and operations of each branch
	MaxTxn       = 2 << 20 // bytes of the request
	MaxTxnAnswer = 2 << 20 // bytes of the results
)

// txn is a decoded transaction. Its conditions are commands whose expect the key
// has to hold.
type txn struct {
	conditions      []command
	then, otherwise []command
}

// transact carries a transaction out: all of it, or nothing when an operation
// fails.
func (m *Machine) transact(t *txn) response {
	held := true
	for i := range t.conditions {
		c := &t.conditions[i]
		e, present := m.entryOf(c.key)
		if e.list != nil && c.expectPresent {
			return noEffect(CodeWrongKind, fmt.Sprintf("condition %d: the key holds a list", i+1))
		}
		held = held && present == c.expectPresent && e.value == string(c.expect)
	}
	answer, ops := response{status: statusOK}, t.then
	if !held {
		answer.status, ops = statusCompareFailed, t.otherwise
	}
	results := make([]byte, 0, 16+8*len(ops))
	var undo []undone
	for i := range ops {
		op := &ops[i]
		if !op.op.Reads() {
			e, had := m.entryOf(op.key)
			undo = append(undo, undone{key: op.key, entry: e, had: had})
		}
		r := m.keyed(op)
		if r.status == statusOK {
			if op.op == OpPut { // what it replaced is no result: one that is wanted is got before
				r.value = Value{}
			}
			results = appendResult(results, op.op, r.value)
			if len(results) > MaxTxnAnswer {
				r = noEffect(CodeTooLarge, fmt.Sprintf("the results have more than %d bytes", MaxTxnAnswer))
			}
		}
		if r.status != statusOK {
			m.undo(undo)
			r.text = fmt.Sprintf("operation %d: %s", i+1, r.text)
			return r
		}
	}
	answer.value = Some(string(results))
	return answer
}

// undone is what a key held before a transaction changed it.
type undone struct {
	key   []byte
	entry entry
	had   bool
}

// undo takes changes back, the newest first.
func (m *Machine) undo(changes []undone) {
	for i := len(changes) - 1; i >= 0; i-- {
		u := &changes[i]
		h := hashBytes(keySeed, u.key)
		s := &m.shards[h%shardCount]
		now, present := s.entries[string(u.key)]
		if u.had {
			m.put(s, u.key, now, present, u.entry)
		} else {
			m.remove(s, u.key, now, present)
		}
	}
}
