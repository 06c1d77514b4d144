package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"squall/internal/machinetest"
	"squall/nodeimage/raft"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

// noSync is for tests that kill no machine.
func noSync(*os.File) error { return nil }

func entries(prev uint64, terms ...uint64) (list []raft.Entry) {
	for i, term := range terms {
		list = append(list, raft.Entry{Index: prev + 1 + uint64(i), Term: term, Command: []byte(fmt.Sprintf("%d of %d", i, term))})
	}
	return list
}

func open(t testing.TB, dir string, opts Options) (*Log, raft.State) {
	t.Helper()
	l, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	st, err := l.Load()
	if err != nil {
		t.Fatal(err)
	}
	return l, st
}

func save(t testing.TB, l *Log, b raft.Batch) {
	t.Helper()
	if err := l.Save(b); err != nil {
		t.Fatal(err)
	}
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, got, want raft.State) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s: (-want +got)\n%s", what, diff)
	}
}

// threeSaves makes a log of three records and returns the state after each
// (states[0] is the empty one) and the file's length after each.
func threeSaves(t *testing.T, dir string) (states []raft.State, ends []int64) {
	l, _ := open(t, dir, Options{sync: noSync})
	defer closeLog(t, l)
	states, ends = append(states, raft.State{}), append(ends, l.offset)
	hard := raft.HardState{Term: 3, Vote: 2}
	for _, step := range []struct {
		b  raft.Batch
		st raft.State
	}{
		{raft.Batch{Hard: &hard}, raft.State{Hard: hard}},
		{raft.Batch{Entries: entries(0, 1, 2, 3)}, raft.State{Hard: hard, Entries: entries(0, 1, 2, 3)}},
		{raft.Batch{Entries: entries(1, 3)}, raft.State{Hard: hard, Entries: append(entries(0, 1), entries(1, 3)...)}},
	} {
		save(t, l, step.b)
		states, ends = append(states, step.st), append(ends, l.offset)
	}
	return states, ends
}

func segmentFile(dir string, n int) string { return filepath.Join(dir, fmt.Sprintf("%016x.wal", n)) }

// TestCutAtEachByte: whatever length a crash leaves, the log is that of the
// last whole record, and it can be written on.
func TestCutAtEachByte(t *testing.T) {
	dir := t.TempDir()
	states, ends := threeSaves(t, dir)
	whole, err := os.ReadFile(segmentFile(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, zeros := range []int{0, 1, 600} { // file systems may leave zeros at the end
		for cut := range len(whole) + 1 {
			if zeros > 0 && cut < headerBytes {
				continue
			}
			dir := t.TempDir()
			content := append(bytes.Clone(whole[:cut]), make([]byte, zeros)...)
			if err := os.WriteFile(segmentFile(dir, 1), content, 0o644); err != nil {
				t.Fatal(err)
			}
			want := 0
			for want+1 < len(ends) && int64(cut) >= ends[want+1] {
				want++
			}
			var logged bytes.Buffer
			opts := Options{sync: noSync, Logger: slog.New(slog.NewTextHandler(&logged, nil))}
			l, st := open(t, dir, opts)
			same(t, fmt.Sprintf("cut at %d, %d zeros", cut, zeros), st, states[want])
			if clean := int64(len(content)) == ends[want]; clean == (logged.Len() > 0) && cut >= headerBytes {
				t.Fatalf("cut at %d, %d zeros: log says %q", cut, zeros, logged.String())
			}
			save(t, l, raft.Batch{Hard: &raft.HardState{Term: 9}})
			closeLog(t, l)
			l, st = open(t, dir, Options{sync: noSync})
			after := states[want]
			after.Hard = raft.HardState{Term: 9}
			same(t, "after writing on", st, after)
			closeLog(t, l)
		}
	}
}

// TestFlipEachByte: damage before the last record is refused with its place;
// damage in the last one cannot be told from a crash.
func TestFlipEachByte(t *testing.T) {
	dir := t.TempDir()
	states, ends := threeSaves(t, dir)
	whole, err := os.ReadFile(segmentFile(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		dir := t.TempDir()
		content := bytes.Clone(whole)
		content[at] ^= 0x41
		path := segmentFile(dir, 1)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		l, err := Open(dir, Options{sync: noSync})
		if int64(at) >= ends[2] {
			if err != nil {
				t.Fatalf("byte %d of the last record: %v", at, err)
			}
			st, _ := l.Load()
			same(t, "without the last record", st, states[2])
			closeLog(t, l)
			continue
		}
		var damage *CorruptError
		if !errors.As(err, &damage) {
			t.Fatalf("byte %d damaged: error %v", at, err)
		}
		begin := int64(0)
		for _, end := range ends {
			if end <= int64(at) {
				begin = end
			}
		}
		if damage.File != path || damage.Offset != begin || !strings.Contains(err.Error(), path) {
			t.Fatalf("byte %d damaged: reported as %v, want %s at %d", at, err, path, begin)
		}
	}
}

func TestDamageInEarlierSegments(t *testing.T) {
	make3 := func() string {
		dir := t.TempDir()
		l, _ := open(t, dir, Options{sync: noSync, SegmentBytes: 100})
		for i := range uint64(6) {
			save(t, l, raft.Batch{Entries: entries(i, 1)})
		}
		closeLog(t, l)
		return dir
	}
	for name, harm := range map[string]func(dir string) error{
		"a segment is missing": func(dir string) error { return os.Remove(segmentFile(dir, 2)) },
		"a segment is shorter": func(dir string) error { return os.Truncate(segmentFile(dir, 2), headerBytes) },
		"a segment is cut":     func(dir string) error { return os.Truncate(segmentFile(dir, 2), headerBytes+7) },
		"a segment is empty":   func(dir string) error { return os.Truncate(segmentFile(dir, 2), 0) },
		"segments are swapped": func(dir string) error { return os.Rename(segmentFile(dir, 1), segmentFile(dir, 2)) },
	} {
		dir := make3()
		if err := harm(dir); err != nil {
			t.Fatal(err)
		}
		var damage *CorruptError
		if _, err := Open(dir, Options{sync: noSync}); !errors.As(err, &damage) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	// A last segment that was never begun is no damage.
	dir := make3()
	for _, size := range []int{0, 1, headerBytes - 1} {
		names, _ := filepath.Glob(filepath.Join(dir, "*.wal"))
		if err := os.WriteFile(segmentFile(dir, len(names)+1), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
		l, st := open(t, dir, Options{sync: noSync, SegmentBytes: 100})
		if len(st.Entries) < 6 {
			t.Fatalf("%d entries", len(st.Entries))
		}
		save(t, l, raft.Batch{Entries: entries(uint64(len(st.Entries)), 1)})
		closeLog(t, l)
	}
}

// TestClientDataIsNoRecord: a client may store what looks like records.
func TestClientDataIsNoRecord(t *testing.T) {
	dir := t.TempDir()
	l, _ := open(t, dir, Options{sync: noSync})
	save(t, l, raft.Batch{Entries: entries(0, 1)})
	forged := appendRecord(nil, raft.Batch{Hard: &raft.HardState{Term: 99}}, 0, l.offset+frameBytes+8)
	save(t, l, raft.Batch{Entries: []raft.Entry{{Index: 2, Term: 1, Command: bytes.Repeat(forged, 20)}}})
	end := l.offset
	closeLog(t, l)
	if err := os.Truncate(segmentFile(dir, 1), end-3); err != nil {
		t.Fatal(err)
	}
	l, st := open(t, dir, Options{sync: noSync})
	same(t, "after the cut", st, raft.State{Entries: entries(0, 1)})
	closeLog(t, l)
}

func TestFailedSyncIsFinal(t *testing.T) {
	dir := t.TempDir()
	broken := errors.New("disk is gone")
	fails := false
	l, _ := open(t, dir, Options{sync: func(*os.File) error {
		if fails {
			return broken
		}
		return nil
	}})
	defer l.Close()
	save(t, l, raft.Batch{Entries: entries(0, 1)})
	fails = true
	if err := l.Save(raft.Batch{Entries: entries(1, 1)}); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	fails = false
	if err := l.Save(raft.Batch{Entries: entries(1, 1)}); !errors.Is(err, broken) {
		t.Fatalf("after a failed fsync the log takes another write: %v", err)
	}
}

func TestGapsAreRefused(t *testing.T) {
	l, _ := open(t, t.TempDir(), Options{sync: noSync})
	defer l.Close()
	if err := l.Save(raft.Batch{Entries: entries(1, 1)}); err == nil {
		t.Error("entry 2 was accepted in an empty log")
	}
}

func writeAll(data []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(data); return err }
}

func TestSnapshots(t *testing.T) {
	dir := t.TempDir()
	l, _ := open(t, dir, Options{})
	data := bytes.Repeat([]byte("state"), 1000)
	saved, err := l.SaveSnapshot(raft.SnapshotMeta{Index: 7, Term: 2, Hash: 5, Members: []raft.NodeID{1, 2, 3}}, writeAll(data))
	if err != nil {
		t.Fatal(err)
	}
	// The same snapshot, received in chunks by another node.
	other, _ := open(t, t.TempDir(), Options{})
	for offset := 0; offset < len(data); offset += 700 {
		if err := other.WriteChunk(saved, uint64(offset), data[offset:min(offset+700, len(data))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.WriteChunk(saved, 9, data); !errors.Is(err, raft.ErrSnapshotMismatch) {
		t.Errorf("a chunk at the wrong offset: %v", err)
	}
	if err := other.FinishInstall(saved); err != nil {
		t.Fatal(err)
	}
	if err := other.FinishInstall(saved); !errors.Is(err, raft.ErrSnapshotMismatch) {
		t.Errorf("an install without chunks: %v", err)
	}
	for _, log := range []*Log{l, other} {
		f, err := log.OpenSnapshot(7)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.NewSectionReader(f, 0, int64(saved.Size)))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read back %d bytes: %v", len(got), err)
		}
		f.Close()
		dir := log.dir
		closeLog(t, log)
		again, st := open(t, dir, Options{})
		same(t, "after opening again", st, raft.State{Snapshot: &saved})
		closeLog(t, again)
	}

	l, _ = open(t, dir, Options{})
	for _, index := range []uint64{8, 9} {
		if _, err := l.SaveSnapshot(raft.SnapshotMeta{Index: index, Term: 2}, writeAll(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.PurgeSnapshots([]uint64{8}); err != nil {
		t.Fatal(err)
	}
	left, _ := l.numbered(snapshotSuffix)
	if !cmp.Equal(left, []uint64{8, 9}) {
		t.Errorf("snapshots left: %v", left)
	}
	closeLog(t, l)
}

func TestDamagedSnapshotIsRefused(t *testing.T) {
	dir := t.TempDir()
	l, _ := open(t, dir, Options{sync: noSync})
	if _, err := l.SaveSnapshot(raft.SnapshotMeta{Index: 7, Term: 2, Members: []raft.NodeID{1}}, writeAll([]byte("the state"))); err != nil {
		t.Fatal(err)
	}
	path := l.snapshotPath(7)
	closeLog(t, l)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		content := bytes.Clone(whole)
		content[at] ^= 4
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		var damage *CorruptError
		if _, err := Open(dir, Options{sync: noSync}); !errors.As(err, &damage) || damage.File != path {
			t.Fatalf("byte %d damaged: %v", at, err)
		}
	}
}

func TestUnfinishedSnapshotsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{snapshotTemp, installTemp} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, st := open(t, dir, Options{})
	same(t, "state", st, raft.State{})
	closeLog(t, l)
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestCompactionDropsSegments(t *testing.T) {
	dir := t.TempDir()
	l, _ := open(t, dir, Options{sync: noSync, SegmentBytes: 200})
	for i := range uint64(100) {
		save(t, l, raft.Batch{Entries: entries(i, 1)})
	}
	before := len(l.segments)
	save(t, l, raft.Batch{Compact: 90})
	if before < 10 || len(l.segments) > before/5 {
		t.Errorf("%d segments, %d after compaction", before, len(l.segments))
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.wal"))
	if len(files) != len(l.segments) {
		t.Errorf("%d files for %d segments", len(files), len(l.segments))
	}
	save(t, l, raft.Batch{Reset: &raft.LogMark{Index: 500, Term: 3}})
	if len(l.segments) != 1 {
		t.Errorf("%d segments after a reset", len(l.segments))
	}
	closeLog(t, l)
}

func FuzzOpen(f *testing.F) {
	h := header{number: 1, salt: 5}
	f.Add(append(h.encode(), appendRecord(nil, raft.Batch{Entries: entries(0, 1, 2)}, 5, headerBytes)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(segmentFile(dir, 1), b, 0o644); err != nil {
			t.Fatal(err)
		}
		if l, err := Open(dir, Options{sync: noSync}); err == nil {
			l.Close()
		}
	})
}

func BenchmarkWALAppend(b *testing.B) {
	for _, batch := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("entries=%d", batch), func(b *testing.B) {
			l, _ := open(b, b.TempDir(), Options{})
			defer l.Close()
			list := make([]raft.Entry, batch)
			for i := range list {
				list[i] = raft.Entry{Term: 1, Command: make([]byte, 64)}
			}
			index := uint64(0)
			b.SetBytes(int64(64 * batch))
			for b.Loop() {
				for i := range list {
					index++
					list[i].Index = index
				}
				if err := l.Save(raft.Batch{Entries: list}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
