package kv

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"squall/nodeimage/raft"
)

var _ raft.StateMachine = (*Machine)(nil)

// A snapshot is this magic, the number of pairs (u64), each pair (uvarint
// length and bytes of key and value), the state's hash (u64), and the CRC-32C
// of all that (u32).
const snapshotMagic = "sqkvsn\x00\x01"

// Snapshot returns a function that writes the map as it is now, while Apply
// goes on. It takes a few hundred nanoseconds whatever the map holds.
func (m *Machine) Snapshot() (func(io.Writer) error, error) {
	view := make([]map[string]entry, shardCount)
	for i := range m.shards {
		m.shards[i].shared = true
		view[i] = m.shards[i].entries
	}
	count, sum := uint64(m.count.Load()), m.Hash()
	return func(w io.Writer) error { return writeSnapshot(w, view, count, sum) }, nil
}

func writeSnapshot(w io.Writer, view []map[string]entry, count, sum uint64) error {
	crc := crc32.New(castagnoli)
	bw := bufio.NewWriterSize(io.MultiWriter(w, crc), 64<<10)
	var b []byte
	b = append(b, snapshotMagic...)
	b = binary.BigEndian.AppendUint64(b, count)
	for _, entries := range view {
		for key, e := range entries {
			b = appendString(b, key)
			b = appendString(b, e.value)
			if _, err := bw.Write(b); err != nil {
				return fmt.Errorf("write snapshot: %w", err)
			}
			b = b[:0]
		}
	}
	b = binary.BigEndian.AppendUint64(b, sum)
	if _, err := bw.Write(b); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if _, err := w.Write(binary.BigEndian.AppendUint32(nil, crc.Sum32())); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// Restore replaces the map by what a snapshot wrote. On an error the map is as
// it was.
func (m *Machine) Restore(r io.Reader) error {
	fresh := NewMachine()
	sr := &snapshotReader{br: bufio.NewReaderSize(r, 64<<10), crc: crc32.New(castagnoli)}
	if err := sr.restore(fresh); err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	m.shards = fresh.shards
	m.sum = fresh.sum
	m.count.Store(fresh.count.Load())
	m.bytes.Store(fresh.bytes.Load())
	return nil
}

// snapshotReader reads a snapshot and sums it up on the way.
type snapshotReader struct {
	br  *bufio.Reader
	crc hash.Hash32
}

func (r *snapshotReader) restore(m *Machine) error {
	magic := make([]byte, len(snapshotMagic))
	if err := r.full(magic); err != nil {
		return err
	}
	if string(magic) != snapshotMagic {
		return fmt.Errorf("begins with %q: no snapshot of this version", magic)
	}
	count, err := r.uint64()
	if err != nil {
		return err
	}
	for range count {
		key, err := r.bytes(MaxKey)
		if err != nil {
			return err
		}
		value, err := r.bytes(MaxValue)
		if err != nil {
			return err
		}
		h := hashBytes(keySeed, key)
		m.store(&m.shards[h%shardCount], h, key, value)
	}
	if got := uint64(m.count.Load()); got != count {
		return fmt.Errorf("holds %d different keys and claims %d", got, count)
	}
	want, err := r.uint64()
	if err != nil {
		return err
	}
	if got := m.Hash(); got != want {
		return fmt.Errorf("state hash is %016x, should be %016x", got, want)
	}
	sum := r.crc.Sum32()
	var tail [4]byte
	if err := r.full(tail[:]); err != nil {
		return err
	}
	if got := binary.BigEndian.Uint32(tail[:]); got != sum {
		return fmt.Errorf("checksum is %08x, should be %08x", sum, got)
	}
	if _, err := r.br.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.New("more follows after its end")
	}
	return nil
}

func (r *snapshotReader) full(b []byte) error {
	if _, err := io.ReadFull(r.br, b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	r.crc.Write(b)
	return nil
}

func (r *snapshotReader) uint64() (uint64, error) {
	var b [8]byte
	err := r.full(b[:])
	return binary.BigEndian.Uint64(b[:]), err
}

// ReadByte makes it a source for binary.ReadUvarint.
func (r *snapshotReader) ReadByte() (byte, error) {
	var b [1]byte
	err := r.full(b[:])
	return b[0], err
}

func (r *snapshotReader) bytes(limit uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("a string of %d bytes, at most %d are allowed", n, limit)
	}
	b := make([]byte, n)
	return b, r.full(b)
}
