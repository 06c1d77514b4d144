package kv

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"

	"squall/nodeimage/raft"
)

var _ raft.StateMachine = (*Machine)(nil)

// A snapshot is this magic, then the pairs, the locks and the sessions, the
// state's hash (u64), and the CRC-32C of all that (u32). Each of the three parts
// begins with how many there are (u64):
//
//	pair      key and value (uvarint length and bytes each), 0 (u8) for a string
//	          or 1 for a list, whose value is its elements
//	lock      name, owner (uvarint length and bytes each), token (u64), end (u64)
//	session   id, used, dropped (u64 each), number of answers (u64), and of each
//	          answer its number (u64) and the response (uvarint length and bytes)
//
// Before the locks stand the lease time and the last token (u64 each).
const snapshotMagic = "sqkvsn\x00\x02"

// view is a state at one moment.
type view struct {
	shards   []map[string]entry
	pairs    uint64
	locks    map[string]lock
	now      uint64
	token    uint64
	sessions []*remembered
	hash     uint64
}

// Snapshot returns a function that writes the state as it is now, while Apply
// goes on. It takes some microseconds whatever the map holds.
func (m *Machine) Snapshot() (func(io.Writer) error, error) {
	v := &view{shards: make([]map[string]entry, shardCount), pairs: uint64(m.count.Load()), hash: m.Hash()}
	for i := range m.shards {
		m.shards[i].shared = true
		v.shards[i] = m.shards[i].entries
	}
	m.locks.shared = true
	v.locks, v.now, v.token = m.locks.held, uint64(m.LeaseTime()), m.locks.token
	m.sessions.epoch++
	v.sessions = make([]*remembered, 0, len(m.sessions.all))
	for _, s := range m.sessions.all {
		v.sessions = append(v.sessions, s)
	}
	return v.write, nil
}

func (v *view) write(w io.Writer) error {
	sw := &snapshotWriter{crc: crc32.New(castagnoli)}
	sw.bw = bufio.NewWriterSize(io.MultiWriter(w, sw.crc), 64<<10)
	sw.buf = append(sw.buf, snapshotMagic...)
	v.writePairs(sw)
	v.writeLocks(sw)
	v.writeSessions(sw)
	sw.uint64s(v.hash)
	sw.flush()
	if sw.err == nil {
		sw.err = sw.bw.Flush()
	}
	if sw.err == nil {
		_, sw.err = w.Write(binary.BigEndian.AppendUint32(nil, sw.crc.Sum32()))
	}
	if sw.err != nil {
		return fmt.Errorf("write snapshot: %w", sw.err)
	}
	return nil
}

func (v *view) writePairs(w *snapshotWriter) {
	w.uint64s(v.pairs)
	for _, entries := range v.shards {
		for key, e := range entries {
			w.buf = appendString(w.buf, key)
			if e.list != nil {
				w.buf = append(appendBytes(w.buf, e.list.encoded), 1)
			} else {
				w.buf = append(appendString(w.buf, e.value), 0)
			}
			w.flush()
		}
	}
}

func (v *view) writeLocks(w *snapshotWriter) {
	w.uint64s(v.now, v.token, uint64(len(v.locks)))
	for name, l := range v.locks {
		w.buf = appendString(appendString(w.buf, name), l.owner)
		w.uint64s(l.token, uint64(l.ends))
		w.flush()
	}
}

func (v *view) writeSessions(w *snapshotWriter) {
	w.uint64s(uint64(len(v.sessions)))
	var body []byte
	for _, s := range v.sessions {
		w.uint64s(s.id, s.used, s.dropped, uint64(len(s.answers)))
		for i := range s.answers {
			body = appendResponse(body[:0], &s.answers[i].resp)
			w.uint64s(s.answers[i].number)
			w.buf = appendBytes(w.buf, body)
			w.flush()
		}
	}
}

// snapshotWriter writes a snapshot and sums it up on the way.
type snapshotWriter struct {
	bw  *bufio.Writer
	crc hash.Hash32
	buf []byte // not yet written
	err error
}

func (w *snapshotWriter) uint64s(words ...uint64) {
	for _, v := range words {
		w.buf = binary.BigEndian.AppendUint64(w.buf, v)
	}
}

func (w *snapshotWriter) flush() {
	if w.err == nil {
		_, w.err = w.bw.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// Restore replaces the state by what a snapshot wrote. On an error the state is
// as it was.
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
	m.locks.replace(&fresh.locks)
	m.sessions.replace(&fresh.sessions)
	return nil
}

// replace makes the table that of another one, which is not used any more.
func (t *lockTable) replace(by *lockTable) {
	t.held, t.shared, t.token, t.sum = by.held, false, by.token, by.sum
	t.now.Store(by.now.Load())
	t.count.Store(by.count.Load())
}

// replace makes the table that of another one, which is not used any more. The
// epoch stays ahead of that of every session in it, so that what is the case
// for a snapshot still being written cannot be forgotten.
func (t *sessionTable) replace(by *sessionTable) {
	t.all, t.bytes, t.sum = by.all, by.bytes, by.sum
	t.count.Store(by.count.Load())
	t.epoch++
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
	if err := r.pairs(m); err != nil {
		return err
	}
	if err := r.locks(&m.locks); err != nil {
		return fmt.Errorf("locks: %w", err)
	}
	if err := r.sessions(&m.sessions); err != nil {
		return fmt.Errorf("sessions: %w", err)
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

func (r *snapshotReader) pairs(m *Machine) error {
	count, err := r.uint64()
	if err != nil {
		return err
	}
	for range count {
		key, err := r.bytes(MaxKey)
		if err != nil {
			return err
		}
		value, err := r.bytes(max(MaxValue, MaxList))
		if err != nil {
			return err
		}
		kind, err := r.ReadByte()
		if err != nil {
			return err
		}
		h := hashBytes(keySeed, key)
		e := stringEntry(h, value)
		if kind != 0 {
			l, err := listOf(value)
			if err != nil {
				return fmt.Errorf("list: %w", err)
			}
			e = listEntry(h, l)
		}
		s := &m.shards[h%shardCount]
		old, had := s.entries[string(key)]
		m.put(s, key, old, had, e)
	}
	if got := uint64(m.count.Load()); got != count {
		return fmt.Errorf("holds %d different keys and claims %d", got, count)
	}
	return nil
}

func (r *snapshotReader) locks(t *lockTable) error {
	var now, count uint64
	if err := r.uint64s(&now, &t.token, &count); err != nil {
		return err
	}
	if now > uint64(maxLeaseTime) || count > MaxLocks {
		return fmt.Errorf("%d of them at the lease time %d", count, now)
	}
	t.now.Store(int64(now))
	for range count {
		name, err := r.bytes(MaxName)
		if err != nil {
			return err
		}
		owner, err := r.bytes(MaxName)
		if err != nil {
			return err
		}
		var token, ends uint64
		if err := r.uint64s(&token, &ends); err != nil {
			return err
		}
		t.hold(string(name), string(owner), token, time.Duration(ends))
	}
	return nil
}

func (r *snapshotReader) sessions(t *sessionTable) error {
	count, err := r.uint64()
	if err != nil {
		return err
	}
	if count > MaxSessions {
		return fmt.Errorf("%d of them, at most %d are allowed", count, MaxSessions)
	}
	for range count {
		s := &remembered{}
		var answers uint64
		if err := r.uint64s(&s.id, &s.used, &s.dropped, &answers); err != nil {
			return err
		}
		if answers > MaxAnswers {
			return fmt.Errorf("%d answers in one, at most %d are allowed", answers, MaxAnswers)
		}
		for range answers {
			number, err := r.uint64()
			if err != nil {
				return err
			}
			body, err := r.bytes(maxBody)
			if err != nil {
				return err
			}
			resp, err := decodeResponse(body)
			if err != nil {
				return fmt.Errorf("answer: %w", err)
			}
			s.keep(len(s.answers), number, resp)
		}
		t.add(s)
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

func (r *snapshotReader) uint64s(words ...*uint64) (err error) {
	for _, w := range words {
		if err == nil {
			*w, err = r.uint64()
		}
	}
	return err
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
