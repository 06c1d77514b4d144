package main

import (
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func entries(term uint64, from, to uint64) (all []*raftpb.Entry) {
	for i := from; i <= to; i++ {
		all = append(all, &raftpb.Entry{Index: &i, Term: &term, Data: []byte("command")})
	}
	return all
}

func state(term, vote, commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}
}

func reopen(t *testing.T, dir string) *wal {
	t.Helper()
	w, err := openWAL(dir, []uint64{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.file.Close() })
	return w
}

// holds compares what a log holds: where it begins and ends, and its term and vote.
func (w *wal) holds(t *testing.T, first, last, term, vote uint64) {
	t.Helper()
	f, err := w.FirstIndex()
	if err != nil {
		t.Fatal(err)
	}
	l, err := w.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	s, conf, err := w.InitialState()
	if err != nil || f != first || l != last || s.GetTerm() != term || s.GetVote() != vote || len(conf.GetVoters()) != 3 {
		t.Errorf("it holds %d to %d, %v, members %v, %v; want %d to %d, term %d, vote %d", f, l, s, conf, err, first, last, term, vote)
	}
}

func TestLogSurvives(t *testing.T) {
	dir := t.TempDir()
	w := reopen(t, dir)
	save := func(rd raft.Ready) {
		t.Helper()
		if err := w.save(rd); err != nil {
			t.Fatal(err)
		}
	}
	save(raft.Ready{Entries: entries(1, 1, 10), HardState: state(1, 2, 0), MustSync: true})
	save(raft.Ready{HardState: state(1, 2, 10)}) // need not survive
	reopen(t, dir).holds(t, 1, 10, 1, 2)
	save(raft.Ready{Entries: entries(2, 8, 9), HardState: state(2, 3, 7), MustSync: true}) // overwrites
	reopen(t, dir).holds(t, 1, 9, 2, 3)

	if _, err := w.snapshot(7, []byte("state")); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, dir)
	again.holds(t, 8, 9, 2, 3)
	if s, err := again.Snapshot(); err != nil || string(s.GetData()) != "state" || s.GetMetadata().GetTerm() != 1 {
		t.Errorf("snapshot %v, %v", s, err)
	}
	save(raft.Ready{Entries: entries(3, 10, 12), MustSync: true}) // into the new file
	reopen(t, dir).holds(t, 8, 12, 2, 3)

	received := &raftpb.Snapshot{Data: []byte("theirs"), Metadata: &raftpb.SnapshotMetadata{Index: proto.Uint64(50), Term: proto.Uint64(3), ConfState: w.members()}}
	save(raft.Ready{Snapshot: received, HardState: state(3, 0, 50)})
	reopen(t, dir).holds(t, 51, 50, 3, 0)
}

// TestEveryCutIsSurvived cuts the file anywhere in the last record, or damages that.
func TestEveryCutIsSurvived(t *testing.T) {
	dir := t.TempDir()
	w := reopen(t, dir)
	if err := w.save(raft.Ready{Entries: entries(1, 1, 3), HardState: state(1, 1, 0), MustSync: true}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.save(raft.Ready{Entries: entries(1, 4, 6), HardState: state(2, 2, 3), MustSync: true}); err != nil {
		t.Fatal(err)
	}
	full, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	reopenWith := func(data []byte) (*wal, error) {
		other := t.TempDir()
		if err := os.WriteFile(filepath.Join(other, "log"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		return openWAL(other, []uint64{1, 2, 3})
	}
	for n := len(whole); n < len(full); n++ {
		w, err := reopenWith(full[:n])
		if err != nil {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(full), err)
		}
		w.holds(t, 1, 3, 1, 1)
		if err := w.save(raft.Ready{Entries: entries(2, 4, 4), MustSync: true}); err != nil {
			t.Fatal(err)
		}
		w.file.Close()
	}
	last := append([]byte{}, full...)
	last[len(last)-1] ^= 1
	if w, err := reopenWith(last); err != nil {
		t.Errorf("a damaged last record: %v", err)
	} else {
		w.holds(t, 1, 3, 1, 1)
	}
	first := append([]byte{}, full...)
	first[headSize+3] ^= 1
	if _, err := reopenWith(first); err == nil {
		t.Error("a damaged record before others was taken for the end of the log")
	}
}
