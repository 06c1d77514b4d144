package wal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"squall/nodeimage/mutants/scenario"
	"squall/nodeimage/raft"
)

var _ = scenarios.Add(scenario.Set{
	"no-fsync": func(t *testing.T) {
		synced := int64(0)
		l, _ := open(t, t.TempDir(), Options{sync: func(f *os.File) error {
			if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
				synced = info.Size()
			}
			return nil
		}})
		defer closeLog(t, l)
		save(t, l, raft.Batch{Entries: entries(0, 1)})
		if synced != l.offset {
			t.Errorf("of the %d bytes that a write was acknowledged for, %d were synced", l.offset, synced)
		}
	},

	"torn-tail-kept": func(t *testing.T) {
		dir := tornLog(t)
		l, _ := open(t, dir, Options{sync: noSync})
		save(t, l, raft.Batch{Entries: entries(1, 2, 2)})
		closeLog(t, l)
		l, err := Open(dir, Options{sync: noSync})
		if err != nil {
			t.Fatalf("at the second start: %v", err)
		}
		st, _ := l.Load()
		same(t, "after the second start", st, raft.State{Entries: append(entries(0, 1), entries(1, 2, 2)...)})
		closeLog(t, l)
	},

	"torn-tail-refused": func(t *testing.T) {
		l, err := Open(tornLog(t), Options{sync: noSync})
		if err != nil {
			t.Fatalf("it does not start: %v", err)
		}
		st, _ := l.Load()
		same(t, "without what was never finished", st, raft.State{Entries: entries(0, 1)})
		closeLog(t, l)
	},

	"no-record-checksum": func(t *testing.T) {
		dir := t.TempDir()
		l, _ := open(t, dir, Options{sync: noSync})
		save(t, l, raft.Batch{Entries: entries(0, 1)})
		save(t, l, raft.Batch{Entries: []raft.Entry{{Index: 2, Term: 1, Command: bytes.Repeat([]byte{'x'}, 4096)}}})
		if _, err := l.file.WriteAt(make([]byte, 512), 1024); err != nil { // a sector that was not written
			t.Fatal(err)
		}
		closeLog(t, l)
		l, st := open(t, dir, Options{sync: noSync})
		same(t, "log", st, raft.State{Entries: entries(0, 1)})
		closeLog(t, l)
	},

	"no-directory-sync": func(t *testing.T) {
		dir, durable := t.TempDir(), []string(nil)
		l, _ := open(t, dir, Options{SegmentBytes: 1, sync: func(f *os.File) error {
			if f.Name() == dir {
				durable = names(t, dir)
			}
			return nil
		}})
		defer closeLog(t, l)
		save(t, l, raft.Batch{Entries: entries(0, 1)})
		save(t, l, raft.Batch{Entries: entries(1, 1)}) // in a file of its own
		file := filepath.Base(l.file.Name())
		if !slices.Contains(durable, file) {
			t.Errorf("a write to %s was acknowledged, and a power cut would leave %q", file, durable)
		}
	},

	"snapshot-not-synced": func(t *testing.T) {
		synced := int64(0)
		l, _ := open(t, t.TempDir(), Options{sync: func(f *os.File) error {
			if info, err := f.Stat(); err == nil && filepath.Base(f.Name()) == snapshotTemp {
				synced = info.Size()
			}
			return nil
		}})
		defer closeLog(t, l)
		takeSnapshot(t, l, 3)
		info, err := os.Stat(l.snapshotPath(3))
		if err != nil {
			t.Fatal(err)
		}
		if synced != info.Size() {
			t.Errorf("of the %d bytes of the snapshot, %d were synced before it got its name", info.Size(), synced)
		}
	},

	"swallowed-save-error": func(t *testing.T) {
		full := errors.New("no space left on the device")
		var fails error
		l, _ := open(t, t.TempDir(), Options{sync: func(*os.File) error { return fails }})
		defer l.Close()
		fails = full
		if err := l.Save(raft.Batch{Entries: entries(0, 1)}); !errors.Is(err, full) {
			t.Errorf("a write that failed with %q ends with %v", full, err)
		}
	},

	"newest-segment-first": func(t *testing.T) {
		dir := t.TempDir()
		l, _ := open(t, dir, Options{sync: noSync, SegmentBytes: 1})
		for i := range uint64(6) { // each is a segment of its own
			save(t, l, raft.Batch{Entries: entries(i, 1)})
		}
		crash := stopAt(t, segmentFile(dir, 3))
		if err := l.Save(raft.Batch{Compact: 4}); err == nil {
			t.Fatal("the third segment was removed")
		}
		l.Close()
		crash()
		l, err := Open(dir, Options{sync: noSync})
		if err != nil {
			t.Fatalf("after a crash while segments were removed it does not start: %v", err)
		}
		closeLog(t, l)
	},
})

// names are the files of a directory.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		list = append(list, f.Name())
	}
	return list
}

// takeSnapshot stores a snapshot up to an index.
func takeSnapshot(t *testing.T, l *Log, index uint64) {
	t.Helper()
	_, err := l.SaveSnapshot(raft.SnapshotMeta{Index: index, Term: 1}, func(w io.Writer) error {
		_, err := w.Write([]byte("the state"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tornLog makes a log of one entry, and a second one that a crash kept from being
// finished.
func tornLog(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l, _ := open(t, dir, Options{sync: noSync})
	save(t, l, raft.Batch{Entries: entries(0, 1)})
	save(t, l, raft.Batch{Entries: entries(1, 1)})
	end := l.offset
	closeLog(t, l)
	if err := os.Truncate(segmentFile(dir, 1), end-3); err != nil {
		t.Fatal(err)
	}
	return dir
}

// stopAt lets the removal of a file fail, as if the process ended there. What it
// returns puts things back.
func stopAt(t *testing.T, path string) (back func()) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	aside := path + ".aside"
	must(os.Rename(path, aside))
	must(os.Mkdir(path, 0o755))
	must(os.WriteFile(path+"/file", nil, 0o644)) // a folder that holds something cannot be removed
	return func() {
		must(os.RemoveAll(path))
		must(os.Rename(aside, path))
	}
}
