package kv

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"squall/nodeimage/raft"
)

// TestSlowSnapshots: to write one takes its time when it is written and not when it is
// taken, a state stays as it was until it is restored, and a log is there until it is cut.
func TestSlowSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = time.Second
		s := newScript(t)
		s.ok(put("k", "new"))
		slow := slowness(takes).machine(s.m)

		begun := time.Now()
		lasted := func(what string, want time.Duration) {
			t.Helper()
			if got := time.Since(begun); got != want {
				t.Errorf("%s: %v have passed, want %v", what, got, want)
			}
			begun = time.Now()
		}
		write, err := slow.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		lasted("the state is frozen", 0)
		var image bytes.Buffer
		if err := write(&image); err != nil {
			t.Fatal(err)
		}
		lasted("the snapshot is written", takes)

		s.ok(put("k", "newer"))
		err = slow.Restore(&lookingReader{&image, func() {
			if got := s.ok(get("k")); got != "newer" {
				t.Errorf("before it is restored the state holds %q", got)
			}
			lasted("the state stays as it was", takes)
		}})
		if err != nil || s.ok(get("k")) != "new" {
			t.Errorf("restored, %v: the state holds %q", err, s.ok(get("k")))
		}

		saves := &savedStorage{}
		log := slowness(takes).storage(saves)
		for _, b := range []raft.Batch{{Entries: []raft.Entry{{Index: 1}}}, {Reset: &raft.LogMark{Index: 9, Term: 1}}} {
			if err := log.Save(b); err != nil {
				t.Fatal(err)
			}
		}
		lasted("the log is cut off", takes)
		if len(saves.saved) != 2 {
			t.Errorf("%d writes, want 2", len(saves.saved))
		}
	})
}

// lookingReader calls look before it is read first.
type lookingReader struct {
	io.Reader
	look func()
}

func (r *lookingReader) Read(p []byte) (int, error) {
	if r.look != nil {
		r.look()
		r.look = nil
	}
	return r.Reader.Read(p)
}

// TestNoSlowness: without it nothing stands between Raft and what it uses.
func TestNoSlowness(t *testing.T) {
	m, saves := NewMachine(), &savedStorage{}
	if slowness(0).machine(m) != raft.StateMachine(m) || slowness(0).storage(saves) != raft.Storage(saves) {
		t.Error("something stands between")
	}
}
