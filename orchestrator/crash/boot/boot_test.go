package boot

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"squall/history"
	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/disk"
	"squall/orchestrator/testplan"
)

// imageOf is what a tree is after operations.
func imageOf(t *testing.T, ops ...disk.Op) *disk.Image {
	t.Helper()
	m := disk.NewModel(disk.Options{Whole: true})
	for i := range ops {
		if err := m.Apply(&ops[i]); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := m.Choose(disk.Everything, nil)
	img, err := m.Image(c)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestPack: what an agent is sent is the image, in requests that fit a frame, without what is zero anyway.
func TestPack(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 100<<10) // 1.6 MB
	img := imageOf(t,
		disk.Op{Kind: disk.Mkdir, Node: 2, Dir: disk.Root, Name: "wal", Mode: 0o750},
		disk.Op{Kind: disk.Create, Node: 3, Dir: 2, Name: "0.log", Mode: 0o640},
		disk.Op{Kind: disk.Write, Node: 3, Data: large},
		disk.Op{Kind: disk.Truncate, Node: 3, Length: 4 << 20},
		disk.Op{Kind: disk.Link, Node: 3, Dir: disk.Root, Name: "same"},
		disk.Op{Kind: disk.Symlink, Node: 4, Dir: disk.Root, Name: "current", Target: "wal/0.log"})
	var sent []protocol.LayEntry
	requests, wire := 0, 0
	p := packer{send: func(entries []protocol.LayEntry) error {
		text, err := json.Marshal(protocol.LayParams{Entries: entries})
		if len(text) > protocol.MaxFrame-1<<10 {
			t.Errorf("a request of %d bytes", len(text))
		}
		requests, wire = requests+1, wire+len(text)
		sent = append(sent, entries...)
		return err
	}}
	if err := p.image(img); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(large))
	made := map[string]protocol.LayEntry{}
	for _, e := range sent {
		if !e.Again {
			made[e.Path] = e
			continue
		}
		if made[e.Path].Path == "" {
			t.Errorf("bytes of %s come before it", e.Path)
		}
		for _, piece := range e.Pieces {
			copy(got[piece.At:], piece.Data)
		}
	}
	if !bytes.Equal(got, large) || requests < 4 || wire > 3<<20 {
		t.Errorf("%d requests, %d bytes", requests, wire)
	}
	// The file comes by the name that is first in the tree's order.
	if e := made["same"]; e.Size != 4<<20 || e.Perm != 0o640 {
		t.Errorf("the file is %+v", e)
	}
	if made["wal/0.log"].Same != "same" || made["current"].Target != "wal/0.log" || !made["wal"].Dir || made["wal"].Perm != 0o750 || len(made) != 4 {
		t.Errorf("made are %+v", made)
	}
	broken := errors.New("the agent is gone")
	p = packer{send: func([]protocol.LayEntry) error { return broken }}
	if err := p.image(img); !errors.Is(err, broken) {
		t.Errorf("an agent that is gone: %v", err)
	}
}

func TestParse(t *testing.T) {
	begun := history.Op{Process: 3, Node: "n1", Func: history.Read, Key: "k", Outcome: history.OK, Out: history.Text("v"), Call: 10, Return: 20, Final: true}
	never := history.Op{Process: 4, Node: "n2", Func: history.Read, Key: "k", Call: 11, Final: true}
	var lines []byte
	add := func(op history.Op, open bool) { lines = append(history.AppendOp(lines, &op, open), '\n') }
	add(never, true)
	add(begun, true)
	add(begun, false)
	ops, err := parse(bytes.ReplaceAll(lines, []byte("\n\n"), []byte("\n")))
	if err != nil {
		t.Fatal(err)
	}
	if len(ops) != 2 || ops[0] != begun || ops[1].Outcome != history.Info || ops[1].Error != history.ErrorUnderWay {
		t.Errorf("%+v", ops)
	}
	if _, err := parse([]byte("no operation\n")); err == nil {
		t.Error("something else was taken for an operation")
	}
}

// TestServerEvents: the end of the server that was started last is its own, unless it was killed to be replaced.
func TestServerEvents(t *testing.T) {
	notices := 0
	s := &server{boot: 2, notice: func() { notices++ }}
	s.node.Name = "n1"
	s.Stream(protocol.StreamLog, 1, []byte("old\n"))
	s.Stream(protocol.StreamTrace, 2, []byte("trace\n"))
	s.Stream(protocol.StreamLog, 2, bytes.Repeat([]byte("x"), keptOutput))
	s.Stream(protocol.StreamLog, 2, []byte("the last line\n"))
	s.Event(protocol.Event{Kind: protocol.EventExit, Boot: 1, Reason: "signal: killed"})
	s.Event(protocol.Event{Kind: protocol.EventStart, Boot: 2})
	if s.end() != nil || notices != 0 {
		t.Errorf("it ended: %+v", s.end())
	}
	s.Event(protocol.Event{Kind: protocol.EventExit, Boot: 2, Reason: "exit status 1"})
	e := s.end()
	if e == nil || notices != 1 || e.Node != "n1" || e.Reason != "exit status 1" || len(e.Output) != keptOutput || e.Output[len(e.Output)-14:] != "the last line\n" {
		t.Errorf("%d notices, %+v", notices, e)
	}
	killed := &server{boot: 2}
	killed.Event(protocol.Event{Kind: protocol.EventExit, Boot: 2})
	if killed.end() != nil {
		t.Error("a server that was killed to be replaced ended by itself")
	}
}

func TestRefuse(t *testing.T) {
	plan := &testplan.Plan{Test: testplan.DefaultTest()}
	plan.Test.Nodes = 3
	h := &history.History{Header: history.Header{Nodes: []string{"n1", "n2", "n3"}}}
	if err := Refuse(plan, h); err != nil {
		t.Error(err)
	}
	h.Faults = []history.Fault{{Name: "remove-node", Kind: history.KindMembership}}
	if err := Refuse(plan, h); err == nil {
		t.Error("a run that changed members was taken")
	}
	h.Faults, h.Header.Nodes = nil, []string{"n1"}
	if err := Refuse(plan, h); err == nil {
		t.Error("a history of other nodes was taken")
	}
}
