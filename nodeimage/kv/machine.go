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
}

// shard is one part of the map.
type shard struct {
	entries map[string]entry
	shared  bool // a snapshot reads entries: copy before writing
}

// Machine is the key-value map that is replicated. Apply, Get, Snapshot and
// Restore must not run concurrently; a snapshot's writing and [Machine.Stats]
// may run beside anything.
type Machine struct {
	shards [shardCount]shard
	sum    uint64 // of the hashes of all pairs
	count  atomic.Int64
	bytes  atomic.Int64 // of keys and values
}

// Result is what applying a command leads to.
type Result struct {
	// Swapped is true unless the command was a compare-and-set that found
	// something else, which is then Found.
	Swapped bool
	Found   Value
	// Err is set when the command is none that a server proposes; the state is
	// as before.
	Err error
}

// NewMachine returns an empty map.
func NewMachine() *Machine {
	m := &Machine{}
	for i := range m.shards {
		m.shards[i].entries = make(map[string]entry)
	}
	return m
}

// Apply carries out a command. The result is a [Result].
func (m *Machine) Apply(_ uint64, raw []byte) any {
	c, err := decodeCommand(raw)
	if err != nil {
		return Result{Err: fmt.Errorf("command in the log: %w", err)}
	}
	h := hashBytes(keySeed, c.key)
	s := &m.shards[h%shardCount]
	switch c.op {
	case OpPut:
		m.store(s, h, c.key, c.value)
	case OpDelete:
		m.remove(s, c.key)
	case OpCAS:
		old, present := s.entries[string(c.key)]
		if present != c.expectPresent || old.value != string(c.expect) {
			return Result{Found: Value{Data: old.value, Present: present}}
		}
		m.store(s, h, c.key, c.value)
	default:
		return Result{Err: fmt.Errorf("command in the log: %v changes nothing", c.op)}
	}
	return Result{Swapped: true}
}

// Get reads a key.
func (m *Machine) Get(key []byte) Value {
	s := &m.shards[hashBytes(keySeed, key)%shardCount]
	e, ok := s.entries[string(key)]
	return Value{Data: e.value, Present: ok}
}

// Hash is a hash of the whole map. It does not depend on how the map came to
// hold what it holds.
func (m *Machine) Hash() uint64 { return finish(m.sum ^ uint64(m.count.Load())*prime3) }

// Stats is the number of keys, and of the bytes in keys and values.
func (m *Machine) Stats() (keys, bytes int64) { return m.count.Load(), m.bytes.Load() }

func (m *Machine) store(s *shard, keyHash uint64, key, value []byte) {
	s.own()
	old, had := s.entries[string(key)]
	e := entry{value: string(value), hash: pairHash(keyHash, value)}
	s.entries[string(key)] = e
	m.sum += e.hash - old.hash
	if had {
		m.bytes.Add(int64(len(value) - len(old.value)))
		return
	}
	m.count.Add(1)
	m.bytes.Add(int64(len(key) + len(value)))
}

func (m *Machine) remove(s *shard, key []byte) {
	old, had := s.entries[string(key)]
	if !had {
		return
	}
	s.own()
	delete(s.entries, string(key))
	m.sum -= old.hash
	m.count.Add(-1)
	m.bytes.Add(-int64(len(key) + len(old.value)))
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
