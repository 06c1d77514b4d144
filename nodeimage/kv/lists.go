package kv

import "errors"

// Bounds of a list.
const (
	MaxElement = 64 << 10 // bytes in one element
	// MaxList is the bytes in one list: each element counts as its own, and one
	// to three for its length.
	MaxList = 1 << 20
)

// list is the value of a key that is a list. It is not changed: an append makes
// another one, which goes on in the same memory. So snapshots and answers share
// lists with the map, and only ever look at their own part of that memory.
type list struct {
	encoded []byte // uvarint length and bytes of each element, in order
	chain   uint64 // hash of the elements
}

// with returns the list with one more element.
func (l *list) with(element []byte) *list {
	next := &list{chain: hashBytes(listSeed, element)}
	if l != nil {
		next.chain = hashBytes(l.chain, element)
		next.encoded = l.encoded
	}
	next.encoded = appendBytes(next.encoded, element)
	return next
}

// value is the encoded list as a value.
func (l *list) value() Value { return Some(string(l.encoded)) }

const listSeed = 0x9FB21C651E98DF25

// decodeList reads the elements of an encoded list.
func decodeList(encoded string) ([]string, error) {
	elements := []string{}
	for rest := []byte(encoded); len(rest) > 0; {
		element, left, err := takeBytes(rest, MaxElement)
		if err != nil {
			return nil, err
		}
		elements = append(elements, string(element))
		rest = left
	}
	return elements, nil
}

var errEmptyList = errors.New("a list without elements")

// listOf is the list of that encoded form.
func listOf(encoded []byte) (*list, error) {
	l := &list{chain: listSeed, encoded: encoded}
	if len(encoded) == 0 {
		return nil, errEmptyList
	}
	for rest := encoded; len(rest) > 0; {
		element, left, err := takeBytes(rest, MaxElement)
		if err != nil {
			return nil, err
		}
		l.chain = hashBytes(l.chain, element)
		rest = left
	}
	return l, nil
}
