package wal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"squall/nodeimage/raft"
)

// A segment's header, 80 bytes, little endian: magic (8), number, salt, length
// of the segment before (0: none), term, vote, index and term of the last
// entry before, then zeros and a checksum of all that (4).
const (
	magic       = "SQLWAL\x00\x01"
	headerBytes = 80
)

// A record's frame, 12 bytes: length of the payload, checksum of the payload,
// checksum of the frame. The last one covers the segment's salt and the
// record's offset as well, so that a frame is only ever found where it was
// written: not in a client's data, not in what a file held in an earlier life.
const frameBytes = 12

// The parts of a payload, in this order.
const (
	partHard    = 1 // term, vote
	partReset   = 2 // index, term
	partEntries = 3 // index before the first, entries
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

type header struct {
	number, salt, previous uint64
	hard                   raft.HardState
	base                   raft.LogMark
}

func (h *header) encode() []byte {
	b := append(make([]byte, 0, headerBytes), magic...)
	for _, v := range [...]uint64{h.number, h.salt, h.previous, h.hard.Term, uint64(h.hard.Vote), h.base.Index, h.base.Term} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, make([]byte, headerBytes-4-len(b))...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

func decodeHeader(b []byte) (h header, err error) {
	if len(b) < headerBytes {
		return h, errors.New("the header ends early")
	}
	b = b[:headerBytes]
	if string(b[:len(magic)]) != magic {
		return h, errors.New("this is not a segment of a write-ahead log, or one of another version")
	}
	body := b[:headerBytes-4]
	if crc32.Checksum(body, castagnoli()) != binary.LittleEndian.Uint32(b[headerBytes-4:]) {
		return h, errors.New("the header's checksum is wrong")
	}
	d := raft.NewDecoder(body[len(magic):])
	h.number, h.salt, h.previous = d.Uint64(), d.Uint64(), d.Uint64()
	h.hard = raft.HardState{Term: d.Uint64(), Vote: raft.NodeID(d.Uint64())}
	h.base = raft.LogMark{Index: d.Uint64(), Term: d.Uint64()}
	return h, nil
}

// newSalt makes a segment's frames differ from those of any other.
func newSalt() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

func frameSum(lengthAndSum []byte, salt uint64, offset int64) uint32 {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], salt)
	binary.LittleEndian.PutUint64(b[8:], uint64(offset))
	copy(b[16:], lengthAndSum[:8])
	return crc32.Checksum(b[:], castagnoli())
}

// appendRecord appends the record of a batch that will be at offset.
func appendRecord(buf []byte, b raft.Batch, salt uint64, offset int64) []byte {
	start := len(buf)
	buf = append(buf, make([]byte, frameBytes)...)
	if b.Hard != nil {
		buf = append(buf, partHard)
		buf = binary.AppendUvarint(buf, b.Hard.Term)
		buf = binary.AppendUvarint(buf, uint64(b.Hard.Vote))
	}
	if b.Reset != nil {
		buf = append(buf, partReset)
		buf = binary.AppendUvarint(buf, b.Reset.Index)
		buf = binary.AppendUvarint(buf, b.Reset.Term)
	}
	if len(b.Entries) > 0 {
		buf = append(buf, partEntries)
		buf = binary.AppendUvarint(buf, b.Entries[0].Index-1)
		buf = raft.AppendEntries(buf, b.Entries)
	}
	frame, payload := buf[start:start+frameBytes], buf[start+frameBytes:]
	binary.LittleEndian.PutUint32(frame, uint32(len(payload)))
	binary.LittleEndian.PutUint32(frame[4:], crc32.Checksum(payload, castagnoli()))
	binary.LittleEndian.PutUint32(frame[8:], frameSum(frame, salt, offset))
	return buf
}

// validFrame says whether a record's frame is at offset, and how long its
// payload is.
func validFrame(data []byte, salt uint64, offset int64) (length uint32, ok bool) {
	if int64(len(data))-offset < frameBytes {
		return 0, false
	}
	frame := data[offset : offset+frameBytes]
	if binary.LittleEndian.Uint32(frame[8:]) != frameSum(frame, salt, offset) {
		return 0, false
	}
	return binary.LittleEndian.Uint32(frame), true
}

// record returns the payload of the record at offset.
func record(data []byte, salt uint64, offset int64) ([]byte, error) {
	length, ok := validFrame(data, salt, offset)
	if !ok {
		return nil, errors.New("no record begins here")
	}
	rest := data[offset+frameBytes:]
	if int64(length) > int64(len(rest)) {
		return nil, errors.New("the record ends early")
	}
	payload := rest[:length:length]
	if crc32.Checksum(payload, castagnoli()) != binary.LittleEndian.Uint32(data[offset+4:]) {
		return nil, errors.New("the record's checksum is wrong")
	}
	return payload, nil
}

// decodeRecord reads a payload whose checksum is right. The entries alias it.
func decodeRecord(payload []byte) (b raft.Batch, err error) {
	d := raft.NewDecoder(payload)
	for d.Len() > 0 {
		switch part := d.Byte(); part {
		case partHard:
			b.Hard = &raft.HardState{Term: d.Uvarint(), Vote: raft.NodeID(d.Uvarint())}
		case partReset:
			b.Reset = &raft.LogMark{Index: d.Uvarint(), Term: d.Uvarint()}
		case partEntries:
			b.Entries = d.Entries(d.Uvarint())
		default:
			return b, fmt.Errorf("unknown part %d", part)
		}
	}
	return b, d.Close()
}
