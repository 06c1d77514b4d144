package raft

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// memStorage is a storage whose content survives the node that uses it.
type memStorage struct {
	hard      HardState
	base      LogMark
	entries   []Entry
	snapshots map[uint64]memSnapshot
	chunks    []byte

	// Test-only faults.
	forgetVote bool // the vote is never stored
	loseSaves  bool // an fsync without effect: nothing is stored
}

type memSnapshot struct {
	meta SnapshotMeta
	data []byte
}

func newMemStorage() *memStorage { return &memStorage{snapshots: map[uint64]memSnapshot{}} }

func (s *memStorage) Load() (State, error) {
	st := State{Hard: s.hard, Base: s.base, Entries: slices.Clone(s.entries)}
	if newest := s.newest(); newest != nil {
		st.Snapshot = &newest.meta
	}
	return st, nil
}

func (s *memStorage) newest() *memSnapshot {
	var newest *memSnapshot
	for _, snap := range s.snapshots {
		if newest == nil || snap.meta.Index > newest.meta.Index {
			newest = &snap
		}
	}
	return newest
}

func (s *memStorage) Save(b Batch) error {
	if s.loseSaves {
		return nil
	}
	if b.Hard != nil {
		s.hard = *b.Hard
		if s.forgetVote {
			s.hard.Vote = 0
		}
	}
	if b.Reset != nil {
		s.base, s.entries = *b.Reset, nil
	}
	if len(b.Entries) > 0 {
		first, next := b.Entries[0].Index, s.base.Index+uint64(len(s.entries))+1
		if first > next || first <= s.base.Index {
			return fmt.Errorf("entry %d saved where the log ends at %d", first, next-1)
		}
		s.entries = append(slices.Clip(s.entries[:first-s.base.Index-1]), b.Entries...)
	}
	if b.Compact > s.base.Index {
		n := b.Compact - s.base.Index
		s.base = LogMark{b.Compact, s.entries[n-1].Term}
		s.entries = slices.Clone(s.entries[n:])
	}
	return nil
}

func sum(p []byte) uint32 { return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) }

func (s *memStorage) SaveSnapshot(meta SnapshotMeta, write func(io.Writer) error) (SnapshotMeta, error) {
	var buf bytes.Buffer
	if err := write(&buf); err != nil {
		return meta, err
	}
	meta.Size, meta.CRC = uint64(buf.Len()), sum(buf.Bytes())
	s.snapshots[meta.Index] = memSnapshot{meta, buf.Bytes()}
	return meta, nil
}

type memData struct{ *bytes.Reader }

func (memData) Close() error { return nil }

func (s *memStorage) OpenSnapshot(index uint64) (SnapshotData, error) {
	snap, ok := s.snapshots[index]
	if !ok {
		return nil, errors.New("no such snapshot")
	}
	return memData{bytes.NewReader(snap.data)}, nil
}

func (s *memStorage) WriteChunk(meta SnapshotMeta, offset uint64, data []byte) error {
	if offset == 0 {
		s.chunks = nil
	}
	if offset != uint64(len(s.chunks)) {
		return ErrSnapshotMismatch
	}
	s.chunks = append(s.chunks, data...)
	return nil
}

func (s *memStorage) FinishInstall(meta SnapshotMeta) error {
	data := s.chunks
	s.chunks = nil
	if uint64(len(data)) != meta.Size || sum(data) != meta.CRC {
		return ErrSnapshotMismatch
	}
	s.snapshots[meta.Index] = memSnapshot{meta, data}
	return nil
}

func (s *memStorage) PurgeSnapshots(keep []uint64) error {
	newest := s.newest()
	for index := range s.snapshots {
		if index != newest.meta.Index && !slices.Contains(keep, index) {
			delete(s.snapshots, index)
		}
	}
	return nil
}

func writeBytes(p []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(p)
		return err
	}
}
