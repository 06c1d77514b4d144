// Package wal is the write-ahead log: the stable storage of a Raft node.
//
// The log is a row of segment files. A segment is a header and then records;
// a record is one Save: it has one checksum and is followed by one fsync, so
// it is there as a whole or not at all. Snapshots are files beside them. What
// is where:
//
//	0000000000000007.wal    segment number 7 (hexadecimal)
//	00000000000003e8.snap   snapshot up to entry 1000
//	snapshot.tmp            a snapshot that is being written
//	install.tmp             a snapshot that is being received
//
// A crash leaves at most the last record of the last segment unfinished; it is
// cut off at the next Open. Anything else that is wrong is damage, and Open
// refuses it: a node that went on would forget what it has promised.
package wal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"squall/nodeimage/raft"
)

const defaultSegmentBytes = 16 << 20

// Options tune a log.
type Options struct {
	Logger *slog.Logger // nil: nothing is logged
	// SegmentBytes is the size at which a new segment is begun (0: 16 MiB).
	SegmentBytes int64

	// sync replaces (*os.File).Sync in tests.
	sync func(*os.File) error
}

// CorruptError says that a file of the log is damaged.
type CorruptError struct {
	File   string
	Offset int64 // bytes
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("wal: %s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Log is an open write-ahead log. It implements raft.Storage.
type Log struct {
	dir  string
	opts Options

	mu       sync.Mutex // Save and Close; the snapshot methods touch other files
	file     *os.File   // the last segment
	offset   int64      // its length
	salt     uint64
	segments []segment // oldest first; the last one is open
	hard     raft.HardState
	last     raft.LogMark
	broken   error // after a failed write nothing works any more
	buf      []byte

	loaded *raft.State // until Load
	chunks chunkFile
}

var _ raft.Storage = (*Log)(nil)

// segment is what is known of a segment file.
type segment struct {
	number uint64
	// maxIndex is the highest index of an entry in it that is still needed
	// unless a snapshot covers it (0: none).
	maxIndex uint64
}

// Open opens or creates the log in dir. It reads everything, cuts off what a
// crash has left unfinished, and fails with a *CorruptError if the log is
// damaged otherwise.
func Open(dir string, opts Options) (*Log, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.SegmentBytes <= 0 {
		opts.SegmentBytes = defaultSegmentBytes
	}
	if opts.sync == nil {
		opts.sync = (*os.File).Sync
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("wal: make the directory: %w", err)
	}
	l := &Log{dir: dir, opts: opts, loaded: &raft.State{}}
	if err := l.syncDir(filepath.Dir(dir)); err != nil { // dir may be new
		return nil, fmt.Errorf("wal: make the directory: %w", err)
	}
	if err := l.recover(); err != nil {
		if l.file != nil {
			l.file.Close()
		}
		return nil, err
	}
	return l, nil
}

func (l *Log) recover() error {
	if err := l.removeLeftovers(); err != nil {
		return err
	}
	snap, err := l.newestSnapshot()
	if err != nil {
		return err
	}
	l.loaded.Snapshot = snap
	if err := l.replay(); err != nil {
		return err
	}
	if len(l.segments) == 0 {
		return l.addSegment()
	}
	return nil
}

// Load returns what Open found. It can be called once.
func (l *Log) Load() (raft.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded == nil {
		return raft.State{}, errors.New("wal: loaded before")
	}
	st := *l.loaded
	l.loaded = nil
	return st, nil
}

// Save makes a batch durable: one record, one fsync.
func (l *Log) Save(b raft.Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	if err := l.save(b); err != nil {
		// Nobody knows what is on the disk now, and a second fsync that
		// succeeds would not tell: the kernel may have dropped the pages.
		l.broken = err
		return err
	}
	return nil
}

func (l *Log) save(b raft.Batch) error {
	if err := l.check(b); err != nil {
		return err
	}
	if b.Hard != nil || b.Reset != nil || len(b.Entries) > 0 {
		if l.offset >= l.opts.SegmentBytes {
			if err := l.addSegment(); err != nil {
				return err
			}
		}
		if err := l.append(b); err != nil {
			return err
		}
		l.note(b)
	}
	if b.Reset != nil || b.Compact > 0 {
		return l.dropSegments(b.Compact)
	}
	return nil
}

// check refuses a batch that could not be read back.
func (l *Log) check(b raft.Batch) error {
	last := l.last.Index
	if b.Reset != nil {
		last = b.Reset.Index
	}
	for i := range b.Entries {
		index := b.Entries[i].Index
		if i == 0 && (index > last+1 || index == 0) || i > 0 && index != last+1 {
			return fmt.Errorf("wal: save: entry %d cannot follow entry %d", index, last)
		}
		last = index
	}
	return nil
}

// append writes the record of a batch and syncs it.
func (l *Log) append(b raft.Batch) error {
	l.buf = appendRecord(l.buf[:0], b, l.salt, l.offset)
	if _, err := l.file.WriteAt(l.buf, l.offset); err != nil {
		return fmt.Errorf("wal: write a record: %w", err)
	}
	if err := l.opts.sync(l.file); err != nil {
		return fmt.Errorf("wal: sync %s: %w", l.file.Name(), err)
	}
	l.offset += int64(len(l.buf))
	if cap(l.buf) > 8<<20 {
		l.buf = nil
	}
	return nil
}

// note keeps up with a batch that is now in the last segment.
func (l *Log) note(b raft.Batch) {
	if b.Hard != nil {
		l.hard = *b.Hard
	}
	if b.Reset != nil {
		l.last = *b.Reset
		for i := range l.segments {
			l.segments[i].maxIndex = 0
		}
	}
	if n := len(b.Entries); n > 0 {
		l.last = raft.LogMark{Index: b.Entries[n-1].Index, Term: b.Entries[n-1].Term}
		seg := &l.segments[len(l.segments)-1]
		seg.maxIndex = max(seg.maxIndex, l.last.Index)
	}
}

// addSegment begins a new segment. Its header repeats what the earlier ones
// amount to, so that they can be dropped.
func (l *Log) addSegment() error {
	number := uint64(1)
	if n := len(l.segments); n > 0 {
		number = l.segments[n-1].number + 1
	}
	h := header{number: number, salt: newSalt(), previous: uint64(l.offset), hard: l.hard, base: l.last}
	f, err := os.OpenFile(l.segmentPath(number), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("wal: begin a segment: %w", err)
	}
	if _, err = f.Write(h.encode()); err == nil {
		err = l.opts.sync(f)
	}
	if err == nil {
		err = l.syncDir(l.dir)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("wal: begin a segment: %w", err)
	}
	if l.file != nil {
		l.file.Close() // everything in it is synced
	}
	l.file, l.offset, l.salt = f, headerBytes, h.salt
	l.segments = append(l.segments, segment{number: number})
	return nil
}

// dropSegments removes the oldest segments as long as nothing above index is
// in them. The directory needs no fsync: a segment that comes back does no harm.
func (l *Log) dropSegments(index uint64) error {
	for len(l.segments) > 1 && l.segments[0].maxIndex <= index {
		if err := os.Remove(l.segmentPath(l.segments[0].number)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("wal: drop a segment: %w", err)
		}
		l.segments = l.segments[1:]
	}
	return nil
}

// Close closes the log's files.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = errors.New("wal: closed")
	}
	l.chunks.discard()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	if err != nil {
		return fmt.Errorf("wal: close: %w", err)
	}
	return nil
}

func (l *Log) segmentPath(number uint64) string {
	return filepath.Join(l.dir, fmt.Sprintf("%016x%s", number, segmentSuffix))
}

// syncDir makes created and renamed files durable.
func (l *Log) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open the directory to sync it: %w", err)
	}
	defer d.Close()
	if err := l.opts.sync(d); err != nil {
		return fmt.Errorf("sync the directory: %w", err)
	}
	return nil
}

// removeLeftovers removes what a crash left of unfinished snapshots.
func (l *Log) removeLeftovers() error {
	for _, name := range []string{snapshotTemp, installTemp} {
		if err := os.Remove(filepath.Join(l.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("wal: remove an unfinished snapshot: %w", err)
		}
	}
	return nil
}
