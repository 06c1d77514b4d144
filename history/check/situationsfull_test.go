package check

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"squall/history"
	"squall/history/trace"
)

// TestFullSituations: where a run has a full trace, that is counted, and nothing of the
// basic one; one that cannot be read is said.
func TestFullSituations(t *testing.T) {
	dir := t.TempDir()
	saveFullTrace(t, dir, []trace.Event{
		{Kind: trace.Start, Node: 1, Time: 11e9, Members: []trace.NodeID{1, 2, 3}},
		{Kind: trace.RoleChange, Node: 1, Time: 12e9, Term: 1, Role: trace.Leader, Peer: 1},
		{Kind: trace.ReadCame, Node: 1, Time: 13e9, Term: 1, First: 1, Last: 1},
		{Kind: trace.RoleChange, Node: 1, Time: 14e9, Term: 2, Role: trace.Follower},
	})
	h := &history.History{Header: history.Header{Mono: 10e9, Nodes: []string{"n1", "n2", "n3"}}}
	in := &Input{History: h, Limits: Limits{}.WithDefaults(), Dir: dir}
	s := situationsOf(t.Context(), &Results{}, in)
	if !s.Full || s.Reached != 2 || s.Visible != 40 || s.Events != 4 || s.Trouble != "" {
		t.Errorf("%d of %d, %d events, full: %v, trouble: %q", s.Reached, s.Visible, s.Events, s.Full, s.Trouble)
	}
	early, _ := s.find("reads-before-first-commit")
	if early.Count != 1 || early.First.At != 3e9 || early.First.Nodes[0] != "n1" {
		t.Errorf("%+v", early)
	}

	path := filepath.Join(dir, trace.Dir, trace.FileName("n1"))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-6], 0o644); err != nil {
		t.Fatal(err)
	}
	if s := situationsOf(t.Context(), &Results{}, in); len(s.Silent) != 1 || s.Silent[0] != "n1" {
		t.Errorf("a trace that was cut leaves silent: %q", s.Silent)
	}
	in.Dir = t.TempDir()
	if s := situationsOf(t.Context(), &Results{}, in); s != nil {
		t.Errorf("there is no trace at all, and it tells %+v", s)
	}
}

// saveFullTrace writes the full trace of n1, of its first boot, into a run directory.
func saveFullTrace(t *testing.T, dir string, events []trace.Event) {
	t.Helper()
	var enc trace.Encoder
	text := enc.AppendBoot([]byte(trace.Magic), 1)
	for i := range events {
		var err error
		if text, err = enc.Append(text, &events[i]); err != nil {
			t.Fatal(err)
		}
	}
	zw, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer zw.Close()
	if err := os.MkdirAll(filepath.Join(dir, trace.Dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, trace.Dir, trace.FileName("n1")), zw.EncodeAll(text, nil), 0o644); err != nil {
		t.Fatal(err)
	}
}
