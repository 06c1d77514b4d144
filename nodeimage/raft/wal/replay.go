package wal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"squall/nodeimage/raft"
)

const (
	segmentSuffix  = ".wal"
	snapshotSuffix = ".snap"
)

// numbered lists the files in the directory that are named by a number and
// suffix, in order.
func (l *Log) numbered(suffix string) ([]uint64, error) {
	files, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("wal: list the directory: %w", err)
	}
	var numbers []uint64
	for _, f := range files {
		name, found := strings.CutSuffix(f.Name(), suffix)
		if !found || len(name) != 16 {
			continue
		}
		if n, err := strconv.ParseUint(name, 16, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// replay reads the segments, leaves the last one open for writing, and what
// they hold in l.loaded.
func (l *Log) replay() error {
	numbers, err := l.numbered(segmentSuffix)
	if err != nil {
		return err
	}
	for i, number := range numbers {
		if i > 0 && number != numbers[i-1]+1 {
			return &CorruptError{File: l.segmentPath(numbers[i-1] + 1), Reason: "this segment is missing"}
		}
		if err := l.replaySegment(number, i == len(numbers)-1); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) replaySegment(number uint64, isLast bool) error {
	path := l.segmentPath(number)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("wal: read a segment: %w", err)
	}
	h, err := decodeHeader(data)
	if err != nil {
		if isLast && len(data) <= headerBytes {
			// The header is synced before anything follows it.
			return l.dropUnborn(number, path)
		}
		return &CorruptError{File: path, Reason: err.Error()}
	}
	if err := l.acceptHeader(&h, number, path); err != nil {
		return err
	}
	end, err := l.replayRecords(data, h.salt, path, isLast)
	if err != nil {
		return err
	}
	l.offset = end
	if !isLast {
		return nil
	}
	return l.reopen(path, int64(len(data)))
}

// dropUnborn removes a segment that a crash kept from being begun. The one
// before it, if any, is the last one again.
func (l *Log) dropUnborn(number uint64, path string) error {
	l.opts.Logger.Warn("wal: removing a segment that a crash left unfinished", "file", filepath.Base(path))
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("wal: remove an unfinished segment: %w", err)
	}
	if err := l.syncDir(l.dir); err != nil {
		return fmt.Errorf("wal: remove an unfinished segment: %w", err)
	}
	n := len(l.segments)
	if n == 0 {
		return nil
	}
	before := l.segmentPath(l.segments[n-1].number)
	return l.reopen(before, l.offset)
}

// acceptHeader checks that a segment continues the one before.
func (l *Log) acceptHeader(h *header, number uint64, path string) error {
	first := len(l.segments) == 0
	switch {
	case h.number != number:
		return &CorruptError{File: path, Reason: fmt.Sprintf("the header is that of segment %d", h.number)}
	case !first && h.previous != uint64(l.offset):
		return &CorruptError{File: l.segmentPath(number - 1), Offset: l.offset,
			Reason: fmt.Sprintf("the file ends here, but had %d bytes", h.previous)}
	case !first && (h.hard != l.hard || h.base != l.last):
		return &CorruptError{File: path, Reason: "the header does not continue the segment before"}
	}
	if first {
		l.hard, l.last = h.hard, h.base
		l.loaded.Hard, l.loaded.Base = h.hard, h.base
	}
	l.salt = h.salt
	l.segments = append(l.segments, segment{number: number})
	return nil
}

// replayRecords carries out the records of a segment and returns where they
// end. Only in the last segment may something unfinished follow them.
func (l *Log) replayRecords(data []byte, salt uint64, path string, isLast bool) (end int64, err error) {
	offset := int64(headerBytes)
	for offset < int64(len(data)) {
		payload, err := record(data, salt, offset)
		if err != nil {
			if !isLast {
				return 0, &CorruptError{File: path, Offset: offset, Reason: err.Error()}
			}
			if next, found := nextFrame(data, salt, offset+1); found {
				return 0, &CorruptError{File: path, Offset: offset,
					Reason: fmt.Sprintf("%v, but a record that was written later is at byte %d", err, next)}
			}
			l.opts.Logger.Warn("wal: cutting off what a crash left unfinished",
				"file", filepath.Base(path), "offset", offset, "bytes", int64(len(data))-offset, "reason", err)
			return offset, nil
		}
		b, err := decodeRecord(payload)
		if err == nil {
			err = l.redo(b)
		}
		if err != nil {
			return 0, &CorruptError{File: path, Offset: offset, Reason: err.Error()}
		}
		offset += frameBytes + int64(len(payload))
	}
	return offset, nil
}

// nextFrame looks for a record after damage. A record is only written once
// the one before it is synced, so if there is one, the damage is no crash's.
func nextFrame(data []byte, salt uint64, from int64) (offset int64, found bool) {
	for o := from; o+frameBytes <= int64(len(data)); o++ {
		if _, ok := validFrame(data, salt, o); ok {
			return o, true
		}
	}
	return 0, false
}

// redo carries out a batch on the loaded state.
func (l *Log) redo(b raft.Batch) error {
	st := l.loaded
	if b.Hard != nil {
		st.Hard = *b.Hard
	}
	if b.Reset != nil {
		st.Base, st.Entries = *b.Reset, nil
	}
	if len(b.Entries) > 0 {
		first := b.Entries[0].Index
		last := st.Base.Index + uint64(len(st.Entries))
		switch {
		case first > last+1:
			return fmt.Errorf("entry %d follows entry %d", first, last)
		case first > st.Base.Index:
			st.Entries = append(st.Entries[:first-st.Base.Index-1], b.Entries...)
		default:
			// The segments before, which are gone, had these entries overwritten
			// in here; all of that is covered by a snapshot. The first of them
			// is the mark that the rest can follow.
			st.Base = raft.LogMark{Index: first, Term: b.Entries[0].Term}
			st.Entries = slices.Clone(b.Entries[1:])
		}
	}
	l.note(b)
	return nil
}

// reopen opens the last segment for writing and cuts it off at l.offset.
func (l *Log) reopen(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("wal: open the last segment: %w", err)
	}
	l.file = f
	// Sync in any case: what was read may be in the page cache only, left by a
	// process that was killed between write and fsync.
	if size != l.offset {
		err = f.Truncate(l.offset)
	}
	if err == nil {
		err = l.opts.sync(f)
	}
	if err != nil {
		return fmt.Errorf("wal: cut off the last segment: %w", err)
	}
	return nil
}
