package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The wire form of a message: its type (1 byte), a bit per optional field that
// is present (2 bytes, little endian), From, To and Term, then the fields that
// are present, in the order of the bits. Numbers are uvarints; byte strings
// and lists are preceded by their length.
const (
	hasIndex uint16 = 1 << iota
	hasLogTerm
	hasCommit
	hasContext
	hasHint
	hasOffset
	hasEntries
	hasSnapshot
	hasData
	isReject
	isLast
	hasNumber

	knownBits = hasNumber<<1 - 1
)

// maxSnapshotMembers bounds the member list of a snapshot on the wire.
const maxSnapshotMembers = 1 << 10

var errShort = errors.New("message ends early")

// AppendMessage appends the wire form of m to buf.
func AppendMessage(buf []byte, m *Message) []byte {
	var bits uint16
	for _, f := range m.numbers() {
		if *f.value != 0 {
			bits |= f.bit
		}
	}
	set := func(on bool, bit uint16) {
		if on {
			bits |= bit
		}
	}
	set(len(m.Entries) > 0, hasEntries)
	set(m.Snapshot != nil, hasSnapshot)
	set(len(m.Data) > 0, hasData)
	set(m.Reject, isReject)
	set(m.Last, isLast)
	set(m.Number != 0, hasNumber)

	buf = append(buf, byte(m.Type))
	buf = binary.LittleEndian.AppendUint16(buf, bits)
	buf = binary.AppendUvarint(buf, uint64(m.From))
	buf = binary.AppendUvarint(buf, uint64(m.To))
	buf = binary.AppendUvarint(buf, m.Term)
	for _, f := range m.numbers() {
		if bits&f.bit != 0 {
			buf = binary.AppendUvarint(buf, *f.value)
		}
	}
	if bits&hasEntries != 0 {
		buf = AppendEntries(buf, m.Entries)
	}
	if bits&hasSnapshot != 0 {
		buf = AppendSnapshotMeta(buf, m.Snapshot)
	}
	if bits&hasData != 0 {
		buf = appendBytes(buf, m.Data)
	}
	if bits&hasNumber != 0 {
		buf = binary.AppendUvarint(buf, m.Number)
	}
	return buf
}

// DecodeMessage reads a message's wire form. The message may keep b.
func DecodeMessage(b []byte) (*Message, error) {
	if len(b) < 3 {
		return nil, fmt.Errorf("raft: decode message: %w", errShort)
	}
	m := &Message{Type: MessageType(b[0])}
	bits := binary.LittleEndian.Uint16(b[1:])
	if m.Type == 0 || m.Type > lastMessageType {
		return nil, fmt.Errorf("raft: decode message: unknown type %d", b[0])
	}
	if bits&^knownBits != 0 {
		return nil, fmt.Errorf("raft: decode message: unknown fields %#x", bits&^knownBits)
	}
	d := Decoder{b: b[3:]}
	m.From, m.To, m.Term = NodeID(d.Uvarint()), NodeID(d.Uvarint()), d.Uvarint()
	for _, f := range m.numbers() {
		if bits&f.bit != 0 {
			*f.value = d.Uvarint()
		}
	}
	if bits&hasEntries != 0 {
		m.Entries = d.Entries(m.Index)
	}
	if bits&hasSnapshot != 0 {
		m.Snapshot = d.SnapshotMeta()
	}
	if bits&hasData != 0 {
		m.Data = d.Bytes()
	}
	if bits&hasNumber != 0 {
		m.Number = d.Uvarint()
	}
	m.Reject, m.Last = bits&isReject != 0, bits&isLast != 0
	if err := d.Close(); err != nil {
		return nil, fmt.Errorf("raft: decode %v message: %w", m.Type, err)
	}
	return m, nil
}

type numberField struct {
	bit   uint16
	value *uint64
}

// numbers are the optional numeric fields in the order of the wire.
func (m *Message) numbers() [6]numberField {
	return [6]numberField{
		{hasIndex, &m.Index}, {hasLogTerm, &m.LogTerm}, {hasCommit, &m.Commit},
		{hasContext, &m.Context}, {hasHint, &m.Hint}, {hasOffset, &m.Offset},
	}
}

// AppendEntries appends the form of entries that messages and the write-ahead
// log share. The indexes are not in it: they follow from the first one.
func AppendEntries(buf []byte, entries []Entry) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(entries)))
	for i := range entries {
		buf = binary.AppendUvarint(buf, entries[i].Term)
		buf = append(buf, byte(entries[i].Kind))
		buf = appendBytes(buf, entries[i].Command)
	}
	return buf
}

// AppendSnapshotMeta appends the form of m that messages and snapshot files share.
func AppendSnapshotMeta(buf []byte, m *SnapshotMeta) []byte {
	for _, v := range [...]uint64{m.Index, m.Term, m.Hash, m.Size, uint64(m.CRC)} {
		buf = binary.LittleEndian.AppendUint64(buf, v)
	}
	buf = binary.AppendUvarint(buf, uint64(len(m.Members)))
	for _, id := range m.Members {
		buf = binary.AppendUvarint(buf, uint64(id))
	}
	return buf
}

func appendBytes(buf, p []byte) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(p))), p...)
}

// Decoder takes values off a byte slice. The first failure sticks, later calls
// return zero values, and Close reports it. It allocates no more than a small
// multiple of its input.
type Decoder struct {
	b   []byte
	err error
}

// NewDecoder returns a decoder over b; what it returns may alias b.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

// Len is how many bytes are left.
func (d *Decoder) Len() int { return len(d.b) }

// Close returns the first failure, or an error if bytes are left over.
func (d *Decoder) Close() error {
	if d.err == nil && len(d.b) > 0 {
		return fmt.Errorf("%d bytes left over", len(d.b))
	}
	return d.err
}

// Byte takes one byte.
func (d *Decoder) Byte() byte {
	if len(d.b) == 0 {
		d.fail(errShort)
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

// Uvarint takes a number.
func (d *Decoder) Uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[n:]
	return v
}

// Uint64 takes a number of fixed width.
func (d *Decoder) Uint64() uint64 {
	if len(d.b) < 8 {
		d.fail(errShort)
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

// Bytes takes a byte string preceded by its length.
func (d *Decoder) Bytes() []byte {
	n := d.Uvarint()
	if n > uint64(len(d.b)) {
		d.fail(errShort)
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

// Entries takes entries, the first of which has the index prev+1.
func (d *Decoder) Entries(prev uint64) []Entry {
	const smallest = 3 // term, kind, length
	n := d.Uvarint()
	if n > uint64(len(d.b)/smallest) || n > math.MaxUint64-prev {
		d.fail(errShort)
		return nil
	}
	entries := make([]Entry, n)
	for i := range entries {
		e := &entries[i]
		e.Index = prev + 1 + uint64(i)
		e.Term, e.Kind, e.Command = d.Uvarint(), EntryKind(d.Byte()), d.Bytes()
		if e.Kind > lastEntryKind {
			d.fail(fmt.Errorf("unknown kind %d of entry %d", e.Kind, e.Index))
		}
		if d.err != nil {
			return nil
		}
	}
	return entries
}

// SnapshotMeta takes a snapshot's description.
func (d *Decoder) SnapshotMeta() *SnapshotMeta {
	m := &SnapshotMeta{Index: d.Uint64(), Term: d.Uint64(), Hash: d.Uint64(), Size: d.Uint64()}
	crc := d.Uint64()
	if crc > math.MaxUint32 {
		d.fail(errors.New("snapshot checksum out of range"))
	}
	m.CRC = uint32(crc)
	n := d.Uvarint()
	if n > maxSnapshotMembers || n > uint64(len(d.b)) {
		d.fail(errors.New("snapshot has too many members"))
		return m
	}
	m.Members = make([]NodeID, n)
	for i := range m.Members {
		m.Members[i] = NodeID(d.Uvarint())
	}
	return m
}
