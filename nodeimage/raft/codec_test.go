package raft

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func drawMessage(t *rapid.T) *Message {
	num := rapid.OneOf(rapid.Uint64Range(0, 300), rapid.Uint64())
	data := rapid.SliceOfN(rapid.Byte(), 0, 40)
	m := &Message{
		Type: MessageType(rapid.IntRange(1, int(lastMessageType)).Draw(t, "type")), Number: num.Draw(t, "number"),
		From: NodeID(num.Draw(t, "from")), To: NodeID(num.Draw(t, "to")), Term: num.Draw(t, "term"),
		Index: rapid.Uint64Range(0, 1<<60).Draw(t, "index"), LogTerm: num.Draw(t, "log term"), Commit: num.Draw(t, "commit"),
		Context: num.Draw(t, "context"), Hint: num.Draw(t, "hint"), Offset: num.Draw(t, "offset"),
		Reject: rapid.Bool().Draw(t, "reject"), Last: rapid.Bool().Draw(t, "last"), Data: data.Draw(t, "data"),
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "entries") {
		m.Entries = append(m.Entries, Entry{Index: m.Index + 1 + uint64(i), Term: num.Draw(t, "entry term"),
			Kind: EntryKind(rapid.IntRange(0, int(lastEntryKind)).Draw(t, "kind")), Command: data.Draw(t, "command")})
	}
	if rapid.Bool().Draw(t, "snapshot") {
		m.Snapshot = &SnapshotMeta{Index: num.Draw(t, "snapshot index"), Term: 3, Hash: num.Draw(t, "hash"), Size: 9,
			CRC: rapid.Uint32().Draw(t, "crc"), Members: []NodeID{1, 2, NodeID(num.Draw(t, "member"))}}
	}
	return m
}

func TestMessageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		wire := AppendMessage([]byte("before"), m)[6:]
		got, err := DecodeMessage(wire)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		for cut := range wire {
			if _, err := DecodeMessage(wire[:cut]); err == nil {
				t.Fatalf("a message cut at byte %d of %d is accepted", cut, len(wire))
			}
		}
		if _, err := DecodeMessage(append(bytes.Clone(wire), 0)); err == nil {
			t.Fatal("a byte too many is accepted")
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add(AppendMessage(nil, &Message{Type: MsgAppend, From: 1, To: 2, Term: 3, Index: 4, Entries: entriesOf(4, 1, 2)}))
	f.Add(AppendMessage(nil, &Message{Type: MsgSnapshot, From: 1, To: 2, Snapshot: &SnapshotMeta{Members: []NodeID{1}}, Data: []byte("x")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessage(bytes.Clone(b))
		if err != nil {
			return
		}
		if len(m.Entries) > len(b) || m.Snapshot != nil && len(m.Snapshot.Members) > len(b) {
			t.Fatalf("%d bytes became %d entries", len(b), len(m.Entries))
		}
		again, err := DecodeMessage(AppendMessage(nil, m))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzCore hands a node whatever comes: it may give up, but must not panic.
func FuzzCore(f *testing.F) {
	f.Add([]byte{byte(MsgAppend), 2, 1, 0, 1, 9, 9}, uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		s := newScript(t, 3, HardState{Term: 2}, 1, 1, 2)
		switch kind % 3 {
		case 1:
			s.electionTimeout()
		case 2:
			s.lead()
		}
		b = b[:min(len(b), 1000)]
		rng := rand.New(rand.NewPCG(1, 2))
		for len(b) >= 7 && s.c.err == nil {
			n := func(i int) uint64 { return uint64(b[i]) }
			m := &Message{Type: MessageType(1 + n(0)%uint64(lastMessageType)), From: NodeID(2 + n(1)%2), Term: n(2) % 6,
				Index: n(3) % 8, LogTerm: n(4) % 6, Commit: n(5) % 8, Hint: n(5), Context: n(5), Reject: n(6)&1 > 0, Offset: n(3)}
			if n(6)&2 > 0 {
				m.Entries = entriesOf(m.Index, m.LogTerm, m.LogTerm+n(6)%2)
			}
			if n(6)&4 > 0 {
				meta, data := snapshotOf(n(5)%9, n(4)%6, 3)
				m.Snapshot, m.Data, m.Last = &meta, data, true
			}
			if s.step(m); rng.IntN(2) == 0 {
				s.sync()
			}
			b = b[7:]
		}
	})
}

// TestMergeWrites: writes that share an fsync store what they would have alone.
func TestMergeWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other := newMemStorage(), newMemStorage()
		var jobs []writeJob
		base, last := uint64(0), uint64(0)
		for i := range rapid.IntRange(1, 6).Draw(t, "writes") {
			b := Batch{}
			if rapid.Bool().Draw(t, "hard") {
				b.Hard = &HardState{Term: uint64(i)}
			}
			if rapid.IntRange(0, 4).Draw(t, "reset") == 0 {
				base = last + uint64(rapid.IntRange(1, 3).Draw(t, "by"))
				last = base
				b.Reset = &LogMark{base, uint64(i)}
			}
			if n := rapid.IntRange(0, 4).Draw(t, "entries"); n > 0 {
				prev := rapid.Uint64Range(base, last).Draw(t, "prev")
				b.Entries = entriesOf(prev, slices.Repeat([]uint64{uint64(i)}, n)...)
				last = prev + uint64(n)
			}
			jobs = append(jobs, writeJob{uint64(i), b})
			if err := one.Save(b); err != nil {
				t.Fatal(err)
			}
		}
		if err := other.Save(mergeWrites(jobs)); err != nil {
			t.Fatal(err)
		}
		if one.hard != other.hard || one.base != other.base {
			t.Fatalf("%+v %+v, merged %+v %+v", one.hard, one.base, other.hard, other.base)
		}
		if diff := cmp.Diff(one.entries, other.entries, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}
