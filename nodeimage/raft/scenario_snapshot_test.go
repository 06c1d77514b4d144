package raft

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"squall/nodeimage/mutants/scenario"
)

var _ = scenarios.Add(scenario.Set{
	"old-snapshot-truncates": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 2}, 1, 1, 1, 2)
		s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 2, Commit: 4})
		s.receive(2, 1)
		s.want("log", s.terms(), []uint64{1, 1, 1, 2})
		s.want("committed", s.c.log.commit, 4)
	},

	"conflicting-snapshot": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 3}, 1, 1, 2)
		s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 3, Commit: 3})
		s.receive(3, 3)
		s.want("log", s.terms(), []uint64{1, 1, 2})
	},

	"snapshot-keeps-conflict": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 3}, 1, 1, 1, 1, 1, 1)
		s.receive(5, 2)
		s.sync()
		s.append(LogMark{5, 2}, 0, 3) // what follows the snapshot
		s.want("answer", show(s.sync()), "append reply>2 t3 i6")
	},

	"restore-beside-apply": func(t *testing.T) { synctest.Test(t, restoreThenApply) },

	"snapshot-log-gap": func(t *testing.T) {
		snapshot, _ := snapshotOf(4, 2, 1)
		log, _, err := newLog(&State{Hard: HardState{Term: 2}, Entries: entriesOf(0, 1, 1), Snapshot: &snapshot})
		if err != nil {
			t.Fatalf("after a crash between snapshot and log it does not start: %v", err)
		}
		if log.last() != 4 {
			t.Errorf("the log ends at %d", log.last())
		}
	},

	"exact-snapshot-exit": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1, 1)
		s.lead()
		s.sync()
		s.ack(3, 5)
		s.snapshot(4)
		s.step(&Message{Type: MsgAppendReply, From: 2, Term: 2, Index: 4, Reject: true})
		s.want("sent", show(s.store()), "snapshot>2 t2 i0")
		s.ack(2, 5) // it has more already
		s.want("the next entry", show(s.propose(1)), "append>2 t2 i5, append>3 t2 i5")
	},

	"purged-log-stuck": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1, 1)
		s.lead()
		s.sync()
		s.ack(3, 5)
		s.snapshot(5)
		s.want("entries left in the log", len(s.c.log.entries), 0)
		s.step(&Message{Type: MsgAppendReply, From: 2, Term: 2, Index: 4, Reject: true})
		s.want("sent to a node without any entry", show(s.store()), "snapshot>2 t2 i0")
	},
})

// receive has node 2, as the leader, send a snapshot in one piece.
func (s *script) receive(index, term uint64) {
	meta, data := snapshotOf(index, term, 10)
	s.chunk(meta, 0, data)
	s.store()
}

// snapshot lets this node have taken a snapshot up to index.
func (s *script) snapshot(index uint64) {
	s.t.Helper()
	term, _ := s.c.log.term(index)
	meta, data := snapshotOf(index, term, 6)
	saved, err := s.c.cfg.Storage.SaveSnapshot(meta, writeBytes(data))
	if err != nil {
		s.t.Fatal(err)
	}
	s.do(snapshotSaved{saved})
	s.store()
}

// slowRegister takes a second to be restored.
type slowRegister struct{ register }

func (r *slowRegister) Restore(from io.Reader) error {
	time.Sleep(time.Second)
	return r.register.Restore(from)
}

// restoreThenApply: an entry after a snapshot is there before the snapshot, with
// ten writes, is restored.
func restoreThenApply(t *testing.T) {
	storage, state := newMemStorage(), &slowRegister{}
	meta, data := snapshotOf(5, 1, 10)
	meta, err := storage.SaveSnapshot(meta, writeBytes(data))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Storage: storage, StateMachine: state, Tracer: noTrace{}, TraceTime: func() time.Duration { return 0 }}
	answers := make(chan task, 2)
	w := startWorkers(storage, &applier{cfg: &cfg}, func(t task) bool { answers <- t; return true })
	w.apply(&restoreState{meta: meta})
	w.apply(&applyEntries{entries: entriesOf(5, 1)})
	<-answers
	<-answers
	w.stop()
	if len(state.ids) != 11 {
		t.Errorf("the state holds %d writes, want the snapshot's 10 and the one after it", len(state.ids))
	}
}
