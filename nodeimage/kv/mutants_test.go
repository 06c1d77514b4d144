package kv

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"
)

// The tests of this file are told apart from a known bug each: with that bug's
// patch of nodeimage/mutants applied they fail (see TestMutantsFailTheirTests
// in nodeimage).

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

func TestSnapshotKeepsLists(t *testing.T) {
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

func TestSnapshotKeepsLocks(t *testing.T) {
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

// TestTransactionReadsAtItsPlace holds a transaction back that is on its way to
// the log, and lets a write go first: what the transaction reads, that write
// has to be in.
func TestTransactionReadsAtItsPlace(t *testing.T) {
	solo, state := answering(1)
	held := make(chan func(), 1)
	node := &fakeNode{leader: 1, read: solo.read, propose: func(command []byte, done func(any, error)) {
		if Op(command[0]) == OpTxn {
			held <- func() { solo.propose(command, done) }
			return
		}
		solo.propose(command, done)
	}}
	nodes := startFakes(t, []consensus{node}, []*Machine{state}, nil)
	c := dialServer(t, nodes[0].ClientAddr(), time.Minute)
	write := func(value string) {
		t.Helper()
		res, err := c.Txn(t.Context(), Txn{Then: []TxnOp{{Op: OpGet, Key: "a"}}}) // it only reads: nothing is held
		if err != nil || !res.Held {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b"} {
			if err := c.Put(t.Context(), key, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Append(t.Context(), "l", value); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	result := make(chan error, 1)
	go func() {
		res, err := c.Txn(context.Background(), Txn{If: []Condition{{Key: "a", Value: Some("2")}}, Then: []TxnOp{
			{Op: OpGet, Key: "b"}, {Op: OpAppend, Key: "l", Value: "mine"}, {Op: OpList, Key: "l"}}})
		switch {
		case err != nil:
		case !res.Held || len(res.Results) != 3:
			err = fmt.Errorf("it has not seen the write to a: %+v", res)
		case res.Results[0].Value != Some("2"):
			err = fmt.Errorf("it has read b as %+v", res.Results[0].Value)
		case !slices.Equal(res.Results[2].List, []string{"1", "2", "mine"}):
			err = fmt.Errorf("it has read l as %q", res.Results[2].List)
		}
		result <- err
	}()
	proceed := <-held
	write("2")
	proceed()
	if err := <-result; err != nil {
		t.Error(err)
	}
}
