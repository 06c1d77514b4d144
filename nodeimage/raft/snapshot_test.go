package raft

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// snapshotOf is a stored-looking snapshot of a register with n writes.
func snapshotOf(index, term uint64, n int) (SnapshotMeta, []byte) {
	var buf bytes.Buffer
	_ = binary.Write(&buf, binary.LittleEndian, make([]uint64, n))
	return SnapshotMeta{Index: index, Term: term, Hash: 77, Members: []NodeID{1, 2, 3},
		Size: uint64(buf.Len()), CRC: sum(buf.Bytes())}, buf.Bytes()
}

func (s *script) chunk(meta SnapshotMeta, offset int, data []byte) []*Message {
	end := offset + len(data)
	return s.step(&Message{Type: MsgSnapshot, From: 2, Term: s.c.term, Snapshot: &meta,
		Offset: uint64(offset), Data: data, Last: uint64(end) == meta.Size})
}

// store runs the store jobs so far and hands the answers back.
func (s *script) store() []*Message {
	jobs := s.stores
	s.stores = nil
	var sent []*Message
	for _, j := range jobs {
		if answer := runStoreJob(s.c.cfg.Storage, j); answer != nil {
			sent = append(sent, s.do(answer)...)
		}
	}
	return sent
}

func TestInstallSnapshotInChunks(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 3}, 1, 1, 1, 1, 1, 1)
	meta, data := snapshotOf(5, 2, 10)
	s.want("a later chunk first", show(s.chunk(meta, 40, data[40:])), "snapshot reply>2 t3 i5")
	s.chunk(meta, 0, data[:40])
	s.want("the same while it is stored", show(s.chunk(meta, 0, data[:40])), "")
	sent := s.store()
	s.want("first chunk", show(sent), "snapshot reply>2 t3 i5")
	s.want("offset", sent[0].Offset, 40)
	s.chunk(meta, 40, data[40:])
	s.want("before the log is cut", show(s.store()), "")
	s.want("commit", s.c.log.commit, 5)
	s.want("entries after a conflict at the snapshot's index", len(s.c.log.entries), 0)
	s.want("write", *s.writes[len(s.writes)-1].batch.Reset, LogMark{5, 2})
	s.want("end", show(s.sync()), "append reply>2 t3 i5")
	if r, ok := s.applies[0].(*restoreState); !ok || r.meta.Index != 5 {
		t.Errorf("state machine got %+v", s.applies)
	}
}

func TestSnapshotKeepsAMatchingSuffix(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 2}, 1, 1, 1, 2)
	meta, data := snapshotOf(3, 1, 4)
	sent := s.chunk(meta, 0, data)
	s.want("answer", show(sent), "append reply>2 t2 i3")
	s.want("commit", s.c.log.commit, 3)
	s.want("log", s.terms(), []uint64{1, 1, 1, 2})
	s.want("jobs for the store", len(s.stores), 0)
}

func TestOlderSnapshotRollsNothingBack(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 2}, 1, 1, 1, 2)
	s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 2, Commit: 4})
	meta, data := snapshotOf(2, 1, 1)
	s.want("answer", show(s.chunk(meta, 0, data)), "append reply>2 t2 i4")
	s.want("commit", s.c.log.commit, 4)
	s.want("log", s.terms(), []uint64{1, 1, 1, 2})
}

func TestDamagedSnapshotIsFetchedAgain(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 2})
	meta, data := snapshotOf(5, 2, 10)
	damaged := bytes.Clone(data)
	damaged[3] ^= 1
	s.chunk(meta, 0, damaged)
	sent := s.store()
	s.want("answer", show(sent), "snapshot reply>2 t2 i5")
	s.want("offset", sent[0].Offset, 0)
	s.want("commit", s.c.log.commit, 0)
	s.chunk(meta, 0, data)
	s.store()
	s.want("commit", s.c.log.commit, 5)
}

func TestSnapshotOfAnotherClusterIsIgnored(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 2})
	meta, data := snapshotOf(5, 2, 10)
	meta.Members = []NodeID{1, 2, 4}
	s.want("answer", show(s.chunk(meta, 0, data)), "")
	s.want("jobs", len(s.stores), 0)
}

func TestLeaderSendsSnapshotAndResends(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1, 1)
	s.c.cfg.SnapshotChunk = 32
	s.lead()
	s.sync()
	s.ack(3, 5)
	meta, data := snapshotOf(4, 1, 6)
	saved, err := s.c.cfg.Storage.SaveSnapshot(meta, writeBytes(data))
	if err != nil {
		t.Fatal(err)
	}
	s.do(snapshotSaved{saved})
	s.want("first entry left", s.c.log.base.Index, 4)
	s.step(&Message{Type: MsgAppendReply, From: 2, Term: 2, Index: 4, Reject: true})
	sent := s.store()
	s.want("first chunk", len(sent), 1)
	s.want("offset", sent[0].Offset, 0)
	s.want("bytes", len(sent[0].Data), 32)

	s.now += time.Second // lost
	s.step(&Message{Type: MsgHeartbeatReply, From: 2, Term: 2})
	sent = s.store()
	s.want("again", show(sent), "snapshot>2 t2 i0")
	s.step(&Message{Type: MsgSnapshotReply, From: 2, Term: 2, Index: 4, Offset: 32})
	sent = s.store()
	s.want("offset", sent[0].Offset, 32)
	s.want("last", sent[0].Last, true)
	s.ack(2, 5) // the follower is even further than the snapshot
	s.want("state", s.c.role.(*leader).follower(2).state, streaming)
	s.want("next", s.c.role.(*leader).follower(2).next, 6)
}

// TestCrashBetweenSnapshotAndLog: the snapshot is stored, the log not yet cut.
func TestCrashBetweenSnapshotAndLog(t *testing.T) {
	for _, tc := range []struct {
		name      string
		terms     []uint64
		wantLast  uint64
		wantReset bool
	}{
		{"log shorter than the snapshot", []uint64{1, 1}, 4, true},
		{"log with another entry there", []uint64{1, 1, 1, 1, 1}, 4, true},
		{"log that goes on", []uint64{1, 1, 1, 2, 2}, 5, false},
	} {
		meta, _ := snapshotOf(4, 2, 1)
		log, reset, err := newLog(&State{Hard: HardState{Term: 2}, Entries: entriesOf(0, tc.terms...), Snapshot: &meta})
		if err != nil {
			t.Fatal(err)
		}
		if log.last() != tc.wantLast || reset != tc.wantReset || log.commit != 4 || log.commitHash != 77 {
			t.Errorf("%s: last %d, reset %v, commit %d", tc.name, log.last(), reset, log.commit)
		}
	}
	meta, _ := snapshotOf(4, 2, 1)
	if _, _, err := newLog(&State{Base: LogMark{6, 2}, Snapshot: &meta}); err == nil {
		t.Error("a gap between snapshot and log is accepted")
	}
	if _, _, err := newLog(&State{Base: LogMark{6, 2}}); err == nil {
		t.Error("a log that begins in the middle without a snapshot is accepted")
	}
}

// TestInstallThatCameTooLate: while a snapshot is being stored, the log goes
// past it.
func TestInstallThatCameTooLate(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 2})
	meta, data := snapshotOf(2, 1, 2)
	s.chunk(meta, 0, data)
	s.step(&Message{Type: MsgAppend, From: 2, Term: 2, Entries: entriesOf(0, 1, 1, 2), Commit: 3})
	s.store()
	s.want("commit", s.c.log.commit, 3)
	s.want("log", s.terms(), []uint64{1, 1, 2})
	for _, j := range s.applies {
		if _, ok := j.(*restoreState); ok {
			t.Error("the state machine is set back to the snapshot")
		}
	}
}
