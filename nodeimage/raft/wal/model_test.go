package wal

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"squall/nodeimage/raft"
)

// TestLikeModel compares the log with a plain model of it, across restarts
// with torn tails, small segments, resets and compaction.
func TestLikeModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "wal")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		opts := Options{sync: noSync, SegmentBytes: rapid.Int64Range(1, 600).Draw(t, "segment bytes")}
		m := model{}
		l, err := Open(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { l.Close() }()
		for i := range rapid.IntRange(1, 25).Draw(t, "steps") {
			if err := l.Save(m.draw(t, uint64(i+1))); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 5).Draw(t, "restart") > 0 {
				continue
			}
			torn := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "torn tail")
			if _, err := l.file.WriteAt(torn, l.offset); err != nil {
				t.Fatal(err)
			}
			l.Close()
			if l, err = Open(dir, opts); err != nil {
				t.Fatal(err)
			}
			st, err := l.Load()
			if err != nil {
				t.Fatal(err)
			}
			m.compare(t, st)
		}
	})
}

// model is what a log holds. The log may still hold older entries than those
// after compacted.
type model struct {
	hard            raft.HardState
	base, compacted uint64
	entries         []raft.Entry
}

func (m *model) last() uint64 { return m.base + uint64(len(m.entries)) }

func (m *model) draw(t *rapid.T, term uint64) (b raft.Batch) {
	if rapid.Bool().Draw(t, "hard") {
		m.hard = raft.HardState{Term: term, Vote: raft.NodeID(term % 3)}
		hard := m.hard
		b.Hard = &hard
	}
	if rapid.IntRange(0, 8).Draw(t, "reset") == 0 {
		m.base = m.last() + rapid.Uint64Range(1, 9).Draw(t, "by")
		m.entries, m.compacted = nil, m.base
		b.Reset = &raft.LogMark{Index: m.base, Term: term}
	}
	if n := rapid.IntRange(0, 5).Draw(t, "entries"); n > 0 {
		prev := rapid.Uint64Range(m.compacted, m.last()).Draw(t, "prev") // committed entries stay
		for i := range uint64(n) {
			b.Entries = append(b.Entries, raft.Entry{Index: prev + 1 + i, Term: term, Command: []byte("some bytes of data")})
		}
		m.entries = append(m.entries[:prev-m.base:prev-m.base], b.Entries...)
	}
	if rapid.IntRange(0, 3).Draw(t, "compact") == 0 {
		m.compacted = rapid.Uint64Range(m.compacted, m.last()).Draw(t, "to")
		b.Compact = m.compacted
	}
	return b
}

func (m *model) compare(t *rapid.T, st raft.State) {
	t.Helper()
	if st.Hard != m.hard || st.Base.Index > m.compacted || st.Base.Index < m.base {
		t.Fatalf("hard state %v, want %v; base %d, want %d to %d", st.Hard, m.hard, st.Base.Index, m.base, m.compacted)
	}
	want := m.entries[st.Base.Index-m.base:]
	if diff := cmp.Diff(want, st.Entries, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("entries after %d (-want +got)\n%s", st.Base.Index, diff)
	}
	if st.Base.Index > m.base && st.Base.Term != m.entries[st.Base.Index-m.base-1].Term {
		t.Fatalf("base %+v, want term %d", st.Base, m.entries[st.Base.Index-m.base-1].Term)
	}
}
