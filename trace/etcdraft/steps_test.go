package etcdraft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/raft/v3"

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
