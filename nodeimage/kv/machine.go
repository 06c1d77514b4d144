package kv

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"sync/atomic"
)

// shardCount is how many parts the map has. A snapshot shares them all, and the
// first write to a part afterwards copies that part alone: with a million keys
// a write waits for the copying of some 4,000, not of all.
const shardCount = 256

// entry is a value with the hash of the pair it belongs to.
type entry struct {
	value string
	hash  uint64
	list  *list // nil: the value is a string
}

// size is the bytes in the value.
func (e *entry) size() int {
	if e.list != nil {
		return len(e.list.encoded)
	}
	return len(e.value)
}

// shard is one part of the map.
type shard struct {
	entries map[string]entry
	shared  bool // a snapshot reads entries: copy before writing
}

// Machine is the state that is replicated: a map from keys to strings and lists,
// the locks, and what is kept of clients' sessions. Apply, Query, Snapshot and
// Restore must not run concurrently; a snapshot's writing, [Machine.Stats] and
// [Machine.LeaseTime] may run beside anything.
type Machine struct {
	shards [shardCount]shard
	sum    uint64 // of the hashes of all pairs
	count  atomic.Int64
	bytes  atomic.Int64 // of keys and values

	locks    lockTable
	sessions sessionTable
	done     any // the response to most commands, made once
}

// NewMachine returns an empty map.
func NewMachine() *Machine {
	m := &Machine{done: response{status: statusOK}}
	for i := range m.shards {
		m.shards[i].entries = make(map[string]entry)
	}
	m.locks.held = make(map[string]lock)
	m.sessions.all, m.sessions.most = make(map[uint64]*remembered), MaxSessions
	return m
}

// Apply carries out the command that stands in the log at that index. What it
// returns is a response; for a command that no server proposes it is a failure,
// and the state is as before.
func (m *Machine) Apply(index uint64, raw []byte) any {
	var c command
	if err := c.takeEntry(raw); err != nil {
		return noEffect(CodeInternal, "command in the log: "+err.Error())
	}
	var r response
	switch {
	case c.op.Reads():
		r = noEffect(CodeInternal, fmt.Sprintf("command in the log: %v changes nothing", c.op))
	case c.rest != nil && c.rest.session != 0:
		r = m.once(index, &c)
	default:
		r = m.apply(index, &c)
	}
	if r.status == statusOK && !r.value.Present {
		return m.done
	}
	return r
}

// apply carries out a command that changes something.
func (m *Machine) apply(index uint64, c *command) response {
	switch {
	case c.op == OpRegister:
		return m.sessions.register(index)
	case c.op == OpTxn:
		return m.transact(c.rest.txn)
	case c.op.timed():
		return m.locking(c)
	}
	return m.keyed(c)
}

// Query answers a command that reads.
func (m *Machine) Query(c *command) response {
	if c.op == OpReadTxn {
		return m.transact(c.rest.txn)
	}
	if e, present := m.entryOf(c.key); c.op == OpGet && e.list == nil { // most often
		return response{status: statusOK, value: Value{Data: e.value, Present: present}}
	}
	return m.keyed(c)
}

// keyed carries out an operation on one key.
func (m *Machine) keyed(c *command) response {
	h := hashBytes(keySeed, c.key)
	s := &m.shards[h%shardCount]
	old, present := s.entries[string(c.key)]
	if wantsList := c.op.onList(); present && wantsList != (old.list != nil) && !c.op.anyKind() {
		return otherKind(wantsList)
	}
	switch c.op {
	case OpGet:
		return response{status: statusOK, value: Value{Data: old.value, Present: present}}
	case OpList:
		if present {
			return response{status: statusOK, value: old.list.value()}
		}
	case OpAdd:
		return m.add(s, c, h, old, present)
	case OpPop:
		if present {
			return m.pop(s, c, h, old)
		}
	case OpRemove:
		if present {
			return m.removeElement(s, c, h, old)
		}
		return response{status: statusCompareFailed}
	case OpDelete:
		m.remove(s, c.key, old, present)
	case OpAppend:
		l := old.list.with(c.value)
		if len(l.encoded) > MaxList {
			return noEffect(CodeTooLarge, fmt.Sprintf("the list would have %d bytes, at most %d are allowed", len(l.encoded), MaxList))
		}
		m.put(s, c.key, old, present, listEntry(h, l))
	case OpCAS:
		if present != c.expectPresent || old.value != string(c.expect) {
			return response{status: statusCompareFailed, value: Value{Data: old.value, Present: present}}
		}
		m.put(s, c.key, old, present, stringEntry(h, c.value))
	default:
		m.put(s, c.key, old, present, stringEntry(h, c.value))
		return response{status: statusOK, value: Value{Data: old.value, Present: present}}
	}
	return response{status: statusOK}
}

// anyKind reports whether the operation may meet a string or a list.
func (op Op) anyKind() bool { return op == OpDelete }

func otherKind(wantsList bool) response {
	if wantsList {
		return noEffect(CodeWrongKind, "the key holds a string")
	}
	return noEffect(CodeWrongKind, "the key holds a list")
}

func stringEntry(keyHash uint64, value []byte) entry {
	return entry{value: string(value), hash: pairHash(keyHash, value)}
}

func listEntry(keyHash uint64, l *list) entry { return entry{list: l, hash: mix(keyHash, l.chain)} }

// entryOf is what a key holds.
func (m *Machine) entryOf(key []byte) (e entry, present bool) {
	e, present = m.shards[hashBytes(keySeed, key)%shardCount].entries[string(key)]
	return e, present
}

// Hash is a hash of the whole state. It does not depend on how the state came to
// hold what it holds.
func (m *Machine) Hash() uint64 {
	return finish(m.sum^uint64(m.count.Load())*prime3) + m.locks.hash() + m.sessions.sum
}

// Stats tells how much the state holds.
type Stats struct {
	Keys     int64
	Bytes    int64 // in keys and values
	Locks    int64 // held, or not asked for since their lease ended
	Sessions int64
}

// Stats tells how much the state holds.
func (m *Machine) Stats() Stats {
	return Stats{Keys: m.count.Load(), Bytes: m.bytes.Load(), Locks: m.locks.count.Load(), Sessions: m.sessions.count.Load()}
}

// put stores a pair; old is what the key held.
func (m *Machine) put(s *shard, key []byte, old entry, had bool, e entry) {
	s.own()
	s.entries[string(key)] = e
	m.sum += e.hash - old.hash
	if had {
		m.bytes.Add(int64(e.size() - old.size()))
		return
	}
	m.count.Add(1)
	m.bytes.Add(int64(len(key) + e.size()))
}

// remove removes a key; old is what it held.
func (m *Machine) remove(s *shard, key []byte, old entry, had bool) {
	if !had {
		return
	}
	s.own()
	delete(s.entries, string(key))
	m.sum -= old.hash
	m.count.Add(-1)
	m.bytes.Add(-int64(len(key) + old.size()))
}

// own makes the shard's map one that may be written.
func (s *shard) own() {
	if s.shared {
		s.entries = maps.Clone(s.entries)
		s.shared = false
	}
}

// The hash is xxHash's inner loop on one lane: it has to be the same on every
// node and quick, not to withstand an attacker.
const (
	prime1  = 0x9E3779B185EBCA87
	prime2  = 0xC2B2AE3D27D4EB4F
	prime3  = 0x165667B19E3779F9
	keySeed = 0x27D4EB2F165667C5
)

func hashBytes(seed uint64, b []byte) uint64 {
	h := seed + uint64(len(b))*prime3
	for ; len(b) >= 8; b = b[8:] {
		h ^= bits.RotateLeft64(binary.LittleEndian.Uint64(b)*prime2, 31) * prime1
		h = bits.RotateLeft64(h, 27)*prime1 + prime3
	}
	for _, c := range b {
		h ^= uint64(c) * prime3
		h = bits.RotateLeft64(h, 11) * prime1
	}
	return finish(h)
}

func pairHash(keyHash uint64, value []byte) uint64 { return hashBytes(keyHash, value) }

func finish(h uint64) uint64 {
	h ^= h >> 33
	h *= prime2
	h ^= h >> 29
	h *= prime3
	return h ^ h>>32
}
