package etcdraft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"squall/trace/steps"
)

// checkSteps demands that the full traces tell of each kind of step that there was, and
// keeps them for the main module, which judges them (history/conformance), where
// STEPS_OUT names a folder.
func (s *sim) checkSteps() {
	s.t.Helper()
	count := map[steps.Kind]int{}
	for id, n := range s.nodes {
		file := []byte("squall-trace 2\n")
		for boot, b := range n.boots {
			frames := bytes.TrimPrefix(b.Bytes(), file[:15])
			file = append(append(file, 2, 0xff, byte(boot+1)), frames...)
			for len(frames) > 0 {
				size, n := binary.Uvarint(frames)
				count[steps.Kind(frames[n])]++
				frames = frames[n+int(size):]
			}
		}
		if dir := os.Getenv("STEPS_OUT"); dir != "" {
			s.must(os.WriteFile(filepath.Join(dir, fmt.Sprintf("n%d.trace", id)), file, 0o644))
		}
	}
	for _, k := range []steps.Kind{steps.Start, steps.RoleChange, steps.Grant, steps.Tally, steps.Append, steps.Truncate, steps.Persist,
		steps.Send, steps.Receive, steps.Commit, steps.Apply, steps.State, steps.Snapshot} {
		if count[k] == 0 {
			s.t.Errorf("no step of kind %d is told", k)
		}
	}
}

func TestStepsWithoutSquall(t *testing.T) {
	s, err := NewSteps(nil, nil, 1, 0)
	if s != nil || err != nil {
		t.Fatalf("%v, %v", s, err)
	}
	s.Receive(nil)
	s.Ready(raft.Ready{})
	s.Saved(raft.Ready{})
	s.Sending(nil)
	s.Applied(64, func() uint64 { t.Error("asked for a hash"); return 0 })
	s.SnapshotTaken(1, 1, nil)
	s.Configured(nil, nil)
}

// TestACandidateThatIsAskedInItsOwnTerm, all in one Ready: the node stands for election by
// the answer to its pre-vote, and only then refuses the vote that another one asks for.
func TestACandidateThatIsAskedInItsOwnTerm(t *testing.T) {
	s := newSim(t, 3)
	s.leader()
	for id := range s.nodes {
		s.cut[id] = true
	}
	n := s.nodes[1]
	for range 100 {
		if n.raw.Tick(); n.raw.BasicStatus().RaftState == raft.StatePreCandidate {
			break
		}
		if n.raw.HasReady() {
			s.handle(n)
		}
	}
	s.handle(n)
	term := n.raw.BasicStatus().HardState.GetTerm() + 1
	for _, m := range []*raftpb.Message{
		{Type: new(raftpb.MsgPreVoteResp), From: new(uint64(2)), To: new(uint64(1)), Term: new(term)},
		{Type: new(raftpb.MsgVote), From: new(uint64(3)), To: new(uint64(1)), Term: new(term), Index: new(uint64(1000)), LogTerm: new(term)},
	} {
		n.steps.Receive(m)
		s.must(n.raw.Step(m))
	}
	rd := n.raw.Ready()
	b := &batch{Steps: n.steps, rd: rd, entries: rd.Entries, final: rd.HardState.GetTerm()}
	b.follow()
	var got []string
	for _, e := range n.steps.events {
		switch {
		case e.Kind == steps.Receive:
			got = append(got, fmt.Sprint("receives from ", e.Message.Other))
		case e.Kind == steps.Grant:
			got = append(got, fmt.Sprint("votes for ", e.Peer))
		case e.Kind == steps.RoleChange && e.Role == steps.Candidate:
			got = append(got, "stands for election")
		case e.Kind == steps.RoleChange:
			got = append(got, fmt.Sprint("role ", e.Role))
		}
	}
	want := []string{"receives from 2", "votes for 1", "stands for election", "receives from 3"}
	if !slices.Equal(got, want) {
		t.Errorf("it is told that the node %q; want %q", got, want)
	}
	refuses := func(m *raftpb.Message) bool {
		return m.GetType() == raftpb.MsgVoteResp && m.GetTo() == 3 && m.GetReject()
	}
	if !slices.ContainsFunc(rd.Messages, refuses) {
		t.Errorf("the vote was not refused: %v", rd.Messages)
	}
}
