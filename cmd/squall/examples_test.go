package main

import (
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/guidetest"
	"squall/internal/machinetest"
	"squall/orchestrator/testplan"
)

// pageFollower follows the page of an example word for word.
type pageFollower struct {
	follower
	dir string // of the example
	sh  []string
}

func followExample(t *testing.T, name string, pieces int) *pageFollower {
	t.Helper()
	machinetest.NeedWhole(t, "it builds a server on a foreign library, from the module proxy where that is not here yet; a system of a file is tested otherwise, too")
	needRuntime(t, testplan.RuntimeLocal)
	machinetest.Turn(t)
	e := &pageFollower{follower: follower{t: t, dir: t.TempDir()}, dir: filepath.Join("../../docs/examples", name)}
	page := guidetest.Pieces(guidetest.Read(t, filepath.Join(e.dir, "README.md")))
	e.sh = page["sh"]
	if len(e.sh) != pieces {
		t.Fatalf("the page has %d commands, want %d", len(e.sh), pieces)
	}
	sources, err := filepath.Glob(filepath.Join(e.dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	e.quotes(page["go"], sources)
	e.quotes(page["yaml"], []string{filepath.Join(e.dir, "system.yaml")})
	squall := filepath.Join(e.follower.dir, "squall")
	e.must(0, "go build -o "+squall+" ./cmd/squall")
	e.squall = squall
	return e
}

// quotes wants each piece to stand in one of the files as it stands on the page.
func (e *pageFollower) quotes(pieces, files []string) {
	e.t.Helper()
	for _, piece := range pieces {
		found := false
		for _, file := range files {
			found = found || strings.Contains(guidetest.Read(e.t, file), piece)
		}
		if !found {
			e.t.Errorf("the page quotes what is in none of %v:\n%s", files, piece)
		}
	}
}

// traced is what squall says at the end of a run that passes and whose servers write a
// trace.
func traced() []string {
	return []string{"verdict  ✓ PASS", "✓ linearizable", "✓ election-safety", "✓ vote-safety", "✓ log-agreement", "✓ state-agreement",
		"✓ term-monotonic", "✓ commit-monotonic", "✓ leader-completeness"}
}

func TestTheExampleOnEtcdRaft(t *testing.T) {
	e := followExample(t, "etcd-raft", 10)
	e.must(0, e.sh[0])
	e.must(0, e.sh[1], "verdict  ✓ PASS", "✓ linearizable", "no trace: who led is not known")
	e.must(exitUsage, e.sh[2], "kill(leader) is not available here")
	e.must(0, e.sh[3], traced()...)
	e.must(0, e.sh[4], append(traced(), "leaders      ")...)
	e.must(0, e.sh[5])
	e.must(exitViolation, e.sh[6], "VIOLATION", "✗ log-agreement")
	e.must(0, e.sh[7], append(traced(), "✓ conformance", "off, as the trace lacks hashes: commit-hash")...)
	e.must(0, e.sh[8])
	e.must(exitViolation, e.sh[9], "✗ conformance", "-durable (Fig. 2")
}

func TestTheExampleOnHashicorpRaft(t *testing.T) {
	e := followExample(t, "hashicorp", 6)
	e.must(0, e.sh[0])
	e.must(0, e.sh[1], "verdict  ✓ PASS", "✓ linearizable", "no trace")
	e.must(0, e.sh[2], "verdict  ✓ PASS", "✓ linearizable")
	e.must(0, e.sh[3], traced()...)
	// What these find takes more than the seconds of this test, mostly.
	const maybe = "passesOrFinds() { \"$@\" || test $? = 1; }; passesOrFinds "
	e.must(0, maybe+e.sh[4], "term-monotonic", "✓ linearizable")
	e.must(0, maybe+e.sh[5], "term-monotonic", "✓ linearizable")
}
