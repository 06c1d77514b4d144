package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/guidetest"
	"squall/internal/machinetest"
	"squall/orchestrator/testplan"
)

// TestRaftexampleIsCaught follows docs/examples/raftexample word for word: its commands
// are run as they stand there, and what the page says of each must come out.
func TestRaftexampleIsCaught(t *testing.T) {
	machinetest.NeedWhole(t, "it builds etcd's raftexample through the module proxy")
	s := newStorm(t, testplan.RuntimeLocal)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	pieces := guidetest.Pieces(guidetest.Read(t, filepath.Join(root, "docs/examples/raftexample/README.md")))
	if len(pieces["sh"]) != 2 {
		t.Fatalf("the page has %d commands, want two", len(pieces["sh"]))
	}
	t.Chdir(root)
	follow := func(command string, flags ...string) int {
		words := strings.Fields(command)
		return s.app.run(s.ctx, append(words, append([]string{"--runtime", s.runtime}, flags...)...))
	}
	if code := follow(pieces["sh"][0]); code != exitInvalid {
		t.Errorf("doctor: exit code %d, want %d", code, exitInvalid)
	}
	s.await(t, "n1 became leader of term")
	s.await(t, "✗ register answers")
	if code := follow(pieces["sh"][1], "--out", s.out, "--time", "20s"); code != exitViolation {
		t.Errorf("run: exit code %d, want %d", code, exitViolation)
	}
	results := s.results(t)
	found := false
	for _, c := range results.Checks {
		found = found || strings.Contains(c.Explanation, "had already acknowledged write(")
	}
	if !found {
		t.Errorf("the report does not tell of a write that was acknowledged and not seen: %+v", results.Checks)
	}
	if _, err := os.Stat(filepath.Join(s.dir(t), "report.html")); err != nil {
		t.Error(err)
	}
}
