package raft

import (
	"encoding/binary"
	"math/bits"
)

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

// chainHash extends the hash of a log by one entry. Two logs with equal chain
// hashes at an index hold the same entries up to it (but for a collision,
// which nobody is assumed to seek).
func chainHash(prev uint64, e *Entry) uint64 {
	h := mix(prev^hashSeed, e.Term^hashTerm) + uint64(e.Kind)
	p := e.Command
	for ; len(p) >= 8; p = p[8:] {
		h = mix(h^binary.LittleEndian.Uint64(p), hashBlock) + hashSeed
	}
	var tail [8]byte
	copy(tail[:], p)
	h = mix(h^binary.LittleEndian.Uint64(tail[:]), hashBlock) + hashSeed
	return mix(h^uint64(len(e.Command)), hashTerm) ^ prev
}
