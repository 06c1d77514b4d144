package orchestrator

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/traces"
	"squall/internal/machinetest"
)

// TestTraceLibrary has the clusters of the tests of module squall/trace, which are real
// ones of the libraries that it has adapters for, leave their traces; reads them as those
// of servers are read; and checks them. Every check must have something to look at, and
// find what is then made wrong.
func TestTraceLibrary(t *testing.T) {
	machinetest.NeedWhole(t, "it builds foreign modules; the tests of the module itself check the same events")
	saved := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "TestTraceOfACluster", "./etcdraft", "./hashiraft")
	cmd.Dir = "../trace"
	cmd.Env = append(os.Environ(), "SQUALL_TRACES="+saved)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go test in trace: %v\n%s", err, out)
	}
	for _, cluster := range []string{"TestTraceOfACluster", "TestTraceOfACluster/batches=false", "TestTraceOfACluster/batches=true"} {
		t.Run(cluster, func(t *testing.T) {
			events := savedTraces(t, filepath.Join(saved, cluster))
			if err := refused(t, withStarts(events)); err != nil {
				t.Errorf("a history does not take them: %v", err)
			}
			for name, result := range invariants(t, events) {
				looked := result.Stats["looked"] > 0 || name == "election-timers" // the libraries tell nobody of those
				if result.Verdict != check.Pass || !looked {
					t.Errorf("%s: %s: %s", name, result.Verdict, result.Summary)
				}
			}
			for name, spoil := range spoilt() {
				if result := invariants(t, spoil(slices.Clone(events)))[name]; result.Verdict != check.Violation {
					t.Errorf("%s, with an event that breaks it: %s: %s", name, result.Verdict, result.Summary)
				}
			}
		})
	}
}

func invariants(t *testing.T, events []history.NodeEvent) map[string]check.Result {
	t.Helper()
	results := map[string]check.Result{}
	for _, c := range traces.Invariants() {
		in := &check.Input{History: &history.History{Nodes: events}}
		results[c.Name()] = c.Check(context.Background(), in)
	}
	return results
}

// spoilt breaks each of Raft's guarantees in what nodes told.
func spoilt() map[string]func([]history.NodeEvent) []history.NodeEvent {
	last := func(events []history.NodeEvent, is func(*history.NodeEvent) bool) *history.NodeEvent {
		for i := len(events) - 1; i >= 0; i-- {
			if is(&events[i]) {
				return &events[i]
			}
		}
		return &history.NodeEvent{}
	}
	another := func(node string) string { return map[string]string{"n1": "n2", "n2": "n3", "n3": "n1"}[node] }
	leads := func(e *history.NodeEvent) bool { return e.Leads() }
	agreed := func(kind string) func(*history.NodeEvent) bool {
		return func(e *history.NodeEvent) bool { return e.Kind == kind && e.Index%64 == 0 && e.Hash != "" }
	}
	return map[string]func([]history.NodeEvent) []history.NodeEvent{
		"election-safety": func(events []history.NodeEvent) []history.NodeEvent {
			e := *last(events, leads)
			e.Node = another(e.Node)
			return append(events, e)
		},
		"vote-safety": func(events []history.NodeEvent) []history.NodeEvent {
			e := *last(events, func(e *history.NodeEvent) bool { return e.Kind == history.EventVote })
			e.Vote = another(e.Vote)
			return append(events, e)
		},
		"log-agreement": func(events []history.NodeEvent) []history.NodeEvent {
			last(events, agreed(history.EventCommit)).Hash = "0123456789abcdef"
			return events
		},
		"state-agreement": func(events []history.NodeEvent) []history.NodeEvent {
			last(events, agreed(history.EventState)).Hash = "0123456789abcdef"
			return events
		},
		"term-monotonic": func(events []history.NodeEvent) []history.NodeEvent {
			e := *last(events, leads)
			e.Term, e.Role = 1, history.RoleFollower
			return append(events, e)
		},
		"commit-monotonic": func(events []history.NodeEvent) []history.NodeEvent {
			e := *last(events, agreed(history.EventCommit))
			e.Index--
			return append(events, e)
		},
		"leader-completeness": func(events []history.NodeEvent) []history.NodeEvent {
			last(events, leads).Index = 1
			return events
		},
	}
}

// savedTraces reads the traces in a folder, NODE-BOOT.jsonl, as those of servers.
func savedTraces(t *testing.T, dir string) (events []history.NodeEvent) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%s has %d traces, %v", dir, len(files), err)
	}
	for _, file := range files {
		m := regexp.MustCompile(`(n\d+)-(\d+)\.jsonl$`).FindStringSubmatch(file)
		if m == nil {
			t.Fatalf("the name of %s", file)
		}
		boot, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		reader := tracer{node: m[1], named: func(name string) bool { return slices.Contains([]string{"n1", "n2", "n3"}, name) }}
		piece := reader.take(boot, data, math.MaxInt64/2)
		if piece.silent != "" || reader.lines.open() || len(piece.events) == 0 {
			t.Errorf("%s: %d events, then silent: %q", file, len(piece.events), piece.silent)
		}
		events = append(events, piece.events...)
	}
	slices.SortStableFunc(events, func(a, b history.NodeEvent) int { return int(a.Time - b.Time) })
	return events
}

// withStarts are the events with the start of each boot before its first.
func withStarts(events []history.NodeEvent) (all []history.NodeEvent) {
	seen := map[string]bool{}
	for _, e := range events {
		if boot := fmt.Sprint(e.Node, e.Boot); !seen[boot] {
			seen[boot] = true
			all = append(all, history.NodeEvent{Node: e.Node, Boot: e.Boot, Kind: history.EventStart, Time: e.Time})
		}
		all = append(all, e)
	}
	return all
}
