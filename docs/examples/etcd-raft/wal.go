package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// wal is a file to which everything is appended that must survive a crash. A record holds
// what one Ready has to make durable: it is there whole, or not at all. Memory holds what
// the records say, for raft to read.
type wal struct {
	*raft.MemoryStorage
	voters []uint64
	path   string
	file   *os.File
}

// InitialState implements raft.Storage. The members never change.
func (w *wal) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	state, _, err := w.MemoryStorage.InitialState()
	return state, w.members(), err
}

func (w *wal) members() *raftpb.ConfState { return &raftpb.ConfState{Voters: w.voters} }

// Kinds of what is in a record, each before its content.
const (
	kindSnapshot byte = iota + 1
	kindEntry
	kindState
)

// headSize is the size of the head of a record, and of a message between nodes: the length
// of what follows, and its CRC.
const headSize = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openWAL reads the log in a folder, which is new if there is none.
func openWAL(dir string, voters []uint64) (w *wal, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	w = &wal{MemoryStorage: raft.NewMemoryStorage(), voters: voters, path: filepath.Join(dir, "log")}
	if w.file, err = os.OpenFile(w.path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, err
	}
	end, err := w.replay()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.path, err)
	}
	// What a crash cut short was never acknowledged.
	if err := errors.Join(w.file.Truncate(end), w.file.Sync(), syncFolder(dir)); err != nil {
		return nil, err
	}
	_, err = w.file.Seek(end, io.SeekStart)
	return w, err
}

// replay takes the records into memory. end is where the last whole one ends.
func (w *wal) replay() (end int64, err error) {
	info, err := w.file.Stat()
	if err != nil {
		return 0, err
	}
	in := bufio.NewReader(w.file)
	for left := info.Size(); left >= headSize; left = info.Size() - end {
		var head [headSize]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return end, err
		}
		size := int64(binary.LittleEndian.Uint32(head[:]))
		if headSize+size > left {
			return end, nil
		}
		record := make([]byte, size)
		if _, err := io.ReadFull(in, record); err != nil {
			return end, err
		}
		if crc32.Checksum(record, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
			if headSize+size == left {
				return end, nil // the last one: not all of it had reached the disk
			}
			return end, fmt.Errorf("the record at byte %d is damaged", end)
		}
		if err := w.take(record); err != nil {
			return end, fmt.Errorf("the record at byte %d: %w", end, err)
		}
		end += headSize + size
	}
	return end, nil
}

// take takes one record into memory.
func (w *wal) take(record []byte) error {
	for len(record) > 0 {
		kind := record[0]
		size, n := binary.Uvarint(record[1:])
		if n <= 0 || size > uint64(len(record)-1-n) {
			return errors.New("it is too short")
		}
		content := record[1+n:][:size]
		record = record[1+n:][size:]
		var err error
		switch kind {
		case kindSnapshot:
			s := &raftpb.Snapshot{}
			if err = proto.Unmarshal(content, s); err == nil {
				err = w.ApplySnapshot(s)
			}
		case kindEntry:
			e := &raftpb.Entry{}
			if err = proto.Unmarshal(content, e); err == nil {
				err = w.Append([]*raftpb.Entry{e})
			}
		case kindState:
			s := &raftpb.HardState{}
			if err = proto.Unmarshal(content, s); err == nil {
				err = w.SetHardState(s)
			}
		default:
			err = fmt.Errorf("unknown kind %d", kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// record is what save appends for these.
func record(snapshot *raftpb.Snapshot, entries []*raftpb.Entry, state *raftpb.HardState) (b []byte, err error) {
	b = make([]byte, headSize)
	add := func(kind byte, m proto.Message) {
		content, failed := proto.Marshal(m)
		err = errors.Join(err, failed)
		b = append(binary.AppendUvarint(append(b, kind), uint64(len(content))), content...)
	}
	if !raft.IsEmptySnap(snapshot) {
		add(kindSnapshot, snapshot)
	}
	for _, e := range entries {
		add(kindEntry, e)
	}
	if !raft.IsEmptyHardState(state) {
		add(kindState, state)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-headSize))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[headSize:], castagnoli))
	return b, err
}

// save makes a Ready durable, and then known to memory. What need not be durable, a
// commit index alone, is not written: a node learns it again.
func (w *wal) save(rd raft.Ready) error {
	if rd.MustSync || !raft.IsEmptySnap(rd.Snapshot) {
		b, err := record(rd.Snapshot, rd.Entries, rd.HardState)
		if err != nil {
			return err
		}
		if _, err := w.file.Write(b); err != nil {
			return err
		}
		if err := w.file.Sync(); err != nil {
			return err
		}
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		if err := w.ApplySnapshot(rd.Snapshot); err != nil {
			return err
		}
	}
	if rd.HardState != nil {
		if err := w.SetHardState(rd.HardState); err != nil {
			return err
		}
	}
	return w.Append(rd.Entries)
}

// keepFor is how many entries before a snapshot stay in memory, for followers that are
// only a little behind.
const keepFor = 1000

// snapshot replaces the beginning of the log with the state at an index.
func (w *wal) snapshot(index uint64, state []byte) (*raftpb.Snapshot, error) {
	s, err := w.CreateSnapshot(index, w.members(), state)
	if err != nil {
		return nil, err
	}
	if err := w.rewrite(s); err != nil {
		return nil, err
	}
	first, err := w.FirstIndex()
	if err != nil || index < first+keepFor {
		return s, err
	}
	return s, w.Compact(index - keepFor)
}

// rewrite makes a new file of a snapshot and what follows it, and puts it in place of the
// old one.
func (w *wal) rewrite(s *raftpb.Snapshot) error {
	last, err := w.LastIndex()
	if err != nil {
		return err
	}
	var after []*raftpb.Entry
	if from := s.GetMetadata().GetIndex() + 1; from <= last {
		if after, err = w.Entries(from, last+1, 1<<62); err != nil {
			return err
		}
	}
	state, _, err := w.InitialState()
	if err != nil {
		return err
	}
	b, err := record(s, after, state)
	if err != nil {
		return err
	}
	file, err := os.Create(w.path + ".new")
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err := errors.Join(err, file.Sync()); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(os.Rename(w.path+".new", w.path), syncFolder(filepath.Dir(w.path)), w.file.Close()); err != nil {
		return errors.Join(err, file.Close())
	}
	w.file = file
	return nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
