package trace

import (
	"encoding/binary"
	"math/bits"
)

// Every is how often nodes report, beside where they like: at each index that it
// divides. So reports of different nodes meet at the same indexes.
const Every = 64

// Entry is an entry of a log.
type Entry struct {
	Term    uint64
	Kind    uint64 // any number that means the same on all nodes
	Content []byte
}

// Log hashes the committed entries of a node's log, so that nodes that committed
// different ones are found out.
//
// The hash at an index covers the entries after the last index before it that [Every]
// divides. Every node reports at each such index, so together the hashes cover the whole
// log; and a node needs to have kept nothing when it is restarted or gets a snapshot: it
// reads the few entries before its next one from its log, or, where they are gone, knows
// the hash again from the next such index on.
//
// The zero Log stands before the first entry. It is not safe for concurrent use.
type Log struct {
	index, term uint64 // the last entry that was looked at
	hash        uint64
	gap         bool // an entry before index, hashed together with it, could not be read
}

// Committed appends the events that say, in the node's current term, that the entries
// from first to last are committed: one at each index that Every divides, and one at
// last. Entries are read with read, at most Every-1 before first among them; those it has
// an error for are gone.
func (l *Log) Committed(events []Event, term, first, last uint64, read func(index uint64) (Entry, error)) []Event {
	if first == 0 || last < first {
		return events
	}
	for i := (first + Every - 1) / Every * Every; i < last; i += Every {
		events = l.at(events, term, i, read)
	}
	return l.at(events, term, last, read)
}

// at hashes up to index, and appends the event, if the entry there is to be had.
func (l *Log) at(events []Event, term, index uint64, read func(uint64) (Entry, error)) []Event {
	have := false
	begin := block(index)
	from := l.index + 1
	if from <= begin || from > index || l.gap && from < index {
		from = begin + 1
	}
	for i := from; i <= index; i++ {
		if i == begin+1 {
			l.hash, l.gap = 0, false
		}
		e, err := read(i)
		have = err == nil
		l.gap = l.gap || !have
		l.index, l.term = i, e.Term
		l.hash = mix(l.hash^hashSeed, mix(i^hashTerm, e.Term^hashSeed)^mix(e.Kind^hashBlock, hashTerm)) ^ Sum(e.Content)
	}
	if !have {
		return events
	}
	e := Event{Kind: Commit, Term: term, Index: l.index, EntryTerm: l.term}
	if !l.gap {
		e.Hash = max(l.hash, 1) // 0 would say that it is not known
	}
	return append(events, e)
}

// block is the index before the first entry that is hashed together with entry i.
func block(i uint64) uint64 { return (i - 1) / Every * Every }

// Odd constants with about as many ones as zeros, for mix.
const (
	hashSeed  = 0x9e3779b97f4a7c15
	hashTerm  = 0xbf58476d1ce4e5b9
	hashBlock = 0x94d049bb133111eb
)

// mix spreads both words over the result: the halves of their product.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Sum hashes bytes, alike in every process, for the hash of a state machine. It is quick
// and not cryptographic. The sums of the parts of a set can be combined by XOR, which
// makes the hash of a map cheap to keep: take out the sum of the pair before, put in the
// one of the pair after.
func Sum(parts ...[]byte) uint64 {
	h := uint64(hashSeed)
	for _, p := range parts {
		h = mix(h^uint64(len(p)), hashTerm) + hashSeed
		for ; len(p) >= 8; p = p[8:] {
			h = mix(h^binary.LittleEndian.Uint64(p), hashBlock) + hashSeed
		}
		var tail [8]byte
		copy(tail[:], p)
		h = mix(h^binary.LittleEndian.Uint64(tail[:]), hashBlock) + hashSeed
	}
	return h
}
