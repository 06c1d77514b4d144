package kv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"squall/nodeimage/mutants/scenario"
)

var _ = scenarios.Add(scenario.Set{
	"short-lists": snapshotKeepsLists,
	"lost-locks":  snapshotKeepsLocks,

	"lost-sessions": func(t *testing.T) {
		s := newScript(t)
		id := s.register()
		s.ok(in(id, 1, 1, appendTo("l", "a")))
		s.m = restored(t, s.m)
		if r := s.do(in(id, 2, 2, appendTo("l", "b"))); r.status != statusOK {
			t.Errorf("a command of a session from before the snapshot: %+v", r)
		}
	},

	"lost-answers": func(t *testing.T) {
		s := newScript(t)
		id := s.register()
		s.ok(in(id, 1, 1, appendTo("l", "a")))
		s.m = restored(t, s.m)
		s.ok(in(id, 1, 1, appendTo("l", "a"))) // the answer got lost
		s.wantElements("l", "[a]")
	},

	"missing-keys": func(t *testing.T) {
		s := newScript(t)
		const keys = 5000
		for i := range keys {
			s.ok(put(fmt.Sprint("key ", i), "v"))
		}
		s.m = restored(t, s.m)
		missing := 0
		for i := range keys {
			if s.ok(get(fmt.Sprint("key ", i))) != "v" {
				missing++
			}
		}
		if missing > 0 {
			t.Errorf("%d of %d keys are missing after the snapshot", missing, keys)
		}
	},
})

// restored is the state after it went through a snapshot, into a machine that
// held something else before.
func restored(t *testing.T, m *Machine) *Machine {
	t.Helper()
	write, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	if err := write(&image); err != nil {
		t.Fatal(err)
	}
	fresh := filled(7)
	if err := fresh.Restore(&image); err != nil {
		t.Fatal(err)
	}
	return fresh
}

func snapshotKeepsLists(t *testing.T) {
	s := newScript(t)
	want := []string{}
	for i := range 20 {
		want = append(want, fmt.Sprint(i))
		s.ok(appendTo("long", want[i]))
	}
	s.ok(appendTo("short", "only"))
	for range 2 { // and a snapshot of what came from a snapshot
		s.m = restored(t, s.m)
		if got := s.elements("long"); !slices.Equal(got, want) {
			t.Errorf("the list is %q, want %q", got, want)
		}
		if got := s.elements("short"); !slices.Equal(got, []string{"only"}) {
			t.Errorf("the list is %q", got)
		}
	}
}

func snapshotKeepsLocks(t *testing.T) {
	s := newScript(t)
	s.granted(5, "given back", "x", 0)
	s.ok(at(5, OpRelease, "given back", "x", 1, 0))
	s.granted(10, "for ever", "x", 0)
	s.granted(10, "lease", "x", 100)
	s.m = restored(t, s.m)
	s.refused(at(20, OpAcquire, "for ever", "y", 0, 0), Holder{"x", 2, 0})
	s.refused(at(20, OpAcquire, "lease", "y", 0, 0), Holder{"x", 3, 90})
	if token := s.granted(20, "another", "y", 0); token != 4 {
		t.Errorf("token %d after 3 before the snapshot", token)
	}
	s.m = restored(t, s.m)
	if got := binary.BigEndian.Uint64([]byte(s.ok(at(110, OpAcquire, "lease", "y", 0, 0)))); got != 5 {
		t.Errorf("token %d after the lease has ended", got)
	}
}
