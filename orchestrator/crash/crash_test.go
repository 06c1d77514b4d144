package crash

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/nodeimage/disk"
)

func TestMoments(t *testing.T) {
	s := storm(t, 10, false)
	s.History.Nodes = []history.NodeEvent{{Node: "n1", Kind: history.EventSnapshot, Time: loadBegan + second},
		{Node: "n2", Kind: history.EventRole, Role: history.RoleLeader, Time: loadBegan + 2*second}, {Node: "n2", Kind: history.EventCommit, Time: loadBegan + 3*second}}
	v, list, err := prepared(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[Why]int{}
	taken := map[int64]bool{}
	for _, m := range list {
		counts[m.Why]++
		switch {
		case taken[m.At]:
			t.Errorf("%d is there twice", m.At)
		case m.At < loadBegan || m.At >= loadEnded:
			t.Errorf("%d is not within the load", m.At)
		case m.At != v.settle(m.At, loadEnded-1):
			t.Errorf("disks are the same until %d, and the moment is %d", v.settle(m.At, loadEnded-1), m.At)
		}
		taken[m.At] = true
	}
	// Each write is acknowledged before n3 has it, and n3 syncs at another time.
	if counts[WhyAcknowledged] != 10 || counts[WhySync]+counts[WhyTear] < 10 || counts[WhySnapshot] > 1 || counts[WhyElection] == 0 {
		t.Errorf("%v", counts)
	}
	for i, why := range []Why{WhyAcknowledged, WhyTear, WhySync} {
		if list[i].Why != why {
			t.Errorf("moment %d is one of %s", i, list[i].Why)
		}
	}
	for _, m := range list {
		if m.Why == WhySync && v.pendingAt(m.At) == 0 {
			t.Errorf("nothing is pending before the sync at %d", m.At)
		}
	}
}

// TestTornMoments: at a moment of a write that may be torn, the states in which it is are the first.
func TestTornMoments(t *testing.T) {
	s := storm(t, 10, false)
	_, list, err := prepared(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	list = slices.DeleteFunc(list, func(m Moment) bool { return m.Why != WhyTear })
	if len(list) < 3 {
		t.Fatalf("%d moments", len(list))
	}
	for _, moment := range list {
		ws := newWalks(s.Disks)
		defer ws.close()
		if err := ws.advance(moment.At); err != nil {
			t.Fatal(err)
		}
		torn := false
		err := newMaker(s, ws, 3).each(moment, 0, 1, func(m *made) error {
			for _, loss := range m.lost() {
				torn = torn || slices.ContainsFunc(loss.Files, func(f disk.FileLoss) bool { return f.Torn > 0 })
			}
			return nil
		})
		if err != nil || !torn {
			t.Errorf("%+v: nothing is torn, %v", moment, err)
		}
	}
}

func TestSpread(t *testing.T) {
	for n := range 40 {
		var list []Moment
		for i := range n {
			list = append(list, Moment{At: int64(i)})
		}
		out := spread(slices.Clone(list))
		if len(out) != n {
			t.Fatalf("%d of %d", len(out), n)
		}
		if n > 1 && (out[0].At != 0 || out[1].At < int64(n/2-1)) {
			t.Errorf("of %d: %v", n, out[:2])
		}
		slices.SortFunc(out, func(a, b Moment) int { return int(a.At - b.At) })
		if !slices.Equal(out, list) {
			t.Errorf("of %d: %v", n, out)
		}
	}
}

// TestStatesCanBeMadeAgain: by their variant, and by their choices.
func TestStatesCanBeMadeAgain(t *testing.T) {
	s := storm(t, 10, true)
	_, list, err := prepared(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	moment := list[0]
	ws := newWalks(s.Disks)
	defer ws.close()
	if err := ws.advance(moment.At); err != nil {
		t.Fatal(err)
	}
	n := 0
	err = newMaker(s, ws, 3).each(moment, 0, 100, func(m *made) error {
		n++
		byChoice := m.State
		byChoice.Choices = map[string]disk.Choice{}
		for node, img := range m.images {
			byChoice.Choices[node] = img.Choice
		}
		for _, st := range []State{m.State, byChoice} {
			err := remake(s, st, 3, func(again *made, _ walks) error {
				if again.ID != m.ID || again.Disks != m.Disks || again.Acknowledged != m.Acknowledged || !maps.Equal(again.Kinds, m.Kinds) {
					t.Errorf("%+v was made again as %+v", m.State, again.State)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || n < 5 {
		t.Fatalf("%d states, %v", n, err)
	}
}

// TestBefore: what was not answered by the moment may have taken effect, and what was not called is not there.
func TestBefore(t *testing.T) {
	s := storm(t, 4, false)
	at := s.History.Ops[2].Call + 5
	ops := s.before(at)
	if len(ops) != 3 || s.acknowledged(at) != 2 {
		t.Fatalf("%d operations, %d acknowledged", len(ops), s.acknowledged(at))
	}
	if last := ops[2]; last.Outcome != history.Info || last.Return != at || last.Error != ErrorPowerCut || ops[1].Outcome != history.OK {
		t.Errorf("%+v", ops)
	}
	if s.History.Ops[2].Outcome != history.OK {
		t.Error("the storm's own history was changed")
	}
	var keys []string
	for _, in := range s.looks(at) {
		keys = append(keys, in.Key)
	}
	if !slices.Equal(keys, []string{"k2", "k1", "k0"}) {
		t.Errorf("looks at %v", keys)
	}
}

func TestJudge(t *testing.T) {
	s := storm(t, 4, false)
	at := s.History.Ops[2].Return
	all := map[string]history.Data{"k0": value(0), "k1": value(1), "k2": value(2)}
	some := map[string]history.Data{"k0": value(0), "k2": value(2)}
	ended := func(output string) func(*Seen) {
		return func(s *Seen) { s.Ended = []Ended{{Node: "n3", Reason: "exit status 1", Output: output}} }
	}
	mute := func(s *Seen) {
		for i := range s.Ops {
			if op := &s.Ops[i]; op.Node == "n3" {
				op.Outcome, op.Out, op.Error = history.Info, "", "timeout"
			}
		}
	}
	without := func(s *Seen) {
		ended("/data/the-log: record 3 is damaged")(s)
		s.Ops = slices.DeleteFunc(s.Ops, func(op history.Op) bool { return op.Node == "n3" })
	}
	for name, c := range map[string]struct {
		has    map[string]history.Data
		change func(*Seen)
		strict bool
		want   check.Verdict
		by     string
		text   string
	}{
		"all is there":            {has: all, want: check.Pass},
		"a write is missing":      {has: some, want: check.Violation, by: "durability", text: `write(k1)`},
		"a server ends":           {has: all, change: ended("panic: index out of range"), want: check.Violation, by: CheckStarts, text: "n3 ended by itself (exit status 1)"},
		"a server refuses":        {has: all, change: without, want: check.Pass},
		"a server must not":       {has: all, change: without, strict: true, want: check.Violation, by: CheckStarts, text: "n3 ended by itself (exit status 1), and named the-log"},
		"a node does not serve":   {has: all, change: mute, want: check.Violation, by: "recovery", text: "n3"},
		"it refuses, and it lost": {has: some, change: without, want: check.Violation, by: "durability", text: "n3 refused to start"},
	} {
		err := remake(s, State{Moment: Moment{At: at}}, 1, func(m *made, _ walks) error {
			seen := look1(Order{Look: s.looks(at)}, c.has)
			if c.change != nil {
				c.change(seen)
			}
			cfg := Config{Checkers: checkers(), MayRefuse: !c.strict}
			j := judge(context.Background(), s, &cfg, m, seen)
			if j.Verdict != c.want || j.Check != c.by || !strings.Contains(j.Text, c.text) {
				t.Errorf("%s: %+v", name, j)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestLivesInFilesOfTheirOwn: each life of a disk may have a journal, whose operations count from 1.
func TestLivesInFilesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	var lives []string
	for i, content := range []string{"first", "second"} {
		p := newTape(t, dir, "n1")
		at := int64(i) * second
		p.do(at, disk.Op{Kind: disk.Mount})
		p.do(at+1, disk.Op{Kind: disk.Create, Node: 2, Dir: disk.Root, Name: "file"})
		p.do(at+2, disk.Op{Kind: disk.Write, Node: 2, Data: []byte(content)})
		p.do(at+3, disk.Op{Kind: disk.SyncAll, Upto: 3})
		life := filepath.Join(dir, disk.RunFolder, "n1", content+disk.JournalSuffix)
		if err := errors.Join(os.MkdirAll(filepath.Dir(life), 0o755), os.Rename(filepath.Join(dir, disk.RunFolder, "n1"+disk.JournalSuffix), life)); err != nil {
			t.Fatal(err)
		}
		lives = append(lives, life)
	}
	disks, err := FindDisks(dir, []string{"n1"})
	if err != nil || !slices.Equal(disks[0].Journals, lives) {
		t.Fatalf("%v, %v", disks, err)
	}
	w := newWalk(disks[0], true)
	defer w.close()
	for i, content := range []string{"first", "second"} {
		if err := w.advance(int64(i)*second + second/2); err != nil {
			t.Fatal(err)
		}
		img, err := w.model.Image(disk.Choice{How: disk.SyncedOnly})
		if err != nil || len(img.Entries) != 1 || img.Entries[0].Size != int64(len(content)) {
			t.Errorf("in the %s life: %+v, %v", content, img, err)
		}
	}
	if _, err := FindDisks(dir, []string{"n1", "n2"}); !errors.Is(err, ErrNoJournals) {
		t.Errorf("a node without a journal: %v", err)
	}
}

// TestAFullJournalIsBelievedUpToItsEnd: no moment is later than the last operation of a journal that had no more room.
func TestAFullJournalIsBelievedUpToItsEnd(t *testing.T) {
	s := storm(t, 10, false)
	full := s.Disks[1].Journals[0]
	text, err := os.ReadFile(full)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, text[:len(text)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	_, whole, err := prepared(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	s.Limit = int64(len(text)) / 2
	s.Disks = s.Disks[1:2] // the others have no bound here
	_, list, err := prepared(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	last := func(list []Moment) (at int64) {
		for _, m := range list {
			at = max(at, m.At)
		}
		return at
	}
	if end := writeAt(6, 10); last(list) > end || last(whole) < end {
		t.Errorf("moments up to %d, and up to %d where there is no bound; the journal ends before %d", last(list), last(whole), end)
	}
}
