package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"squall/history/elections"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// TestElections makes a few trials for real, and finds the same in their history
// again.
func TestElections(t *testing.T) {
	s := newStorm(t, testplan.RuntimeLocal)
	if code := s.run("elections", "--runtime", s.runtime, "--timeouts", "100-200ms,50-100ms", "--trials", "2", "--seed", "5"); code != exitPass {
		t.Fatalf("exit code %d", code)
	}
	dir := s.trialsDir(t)
	record, err := elections.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(record.Ranges); n != 2 {
		t.Fatalf("%d ranges", n)
	}
	for _, r := range record.Ranges {
		holdTrials(t, record, r)
	}
	if n := record.Net; n.Broadcast.N == 0 || n.OneWay.Max == 0 {
		t.Errorf("the links were not delayed: %+v", n)
	} else if n.Broadcast.P50 <= n.Bare.P50 {
		// Where a broadcast takes most of what it is to take without any delay, the
		// delays are small, and the two medians differ by less than by chance.
		if n.Bare.P50 < n.Target/3 {
			t.Errorf("broadcasts did not take longer over delayed links: %+v", n)
		}
		t.Logf("this computer is too busy to show that the links are delayed: %+v", n)
	}
	for _, file := range []string{"elections-cdf.png", "elections-cdf.svg", "history.jsonl.zst", "results.json", "env.json", "nodes/n1/server.log"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	for _, part := range []string{"100-200ms", "paper p50", "verdict  pass", "repeat   squall elections --timeouts=100-200ms,50-100ms --trials=2 --seed=5"} {
		if !strings.Contains(s.text.String(), part) {
			t.Errorf("nothing was said of %q", part)
		}
	}
	s.again(t, dir, record)
}

// holdTrials holds what is recorded of a range against what the trials are.
func holdTrials(t *testing.T, record *elections.Record, r elections.Range) {
	t.Helper()
	valid := 0
	for _, trial := range r.Trials {
		if trial.Outcome == elections.Invalid { // a busy machine may spoil one
			t.Logf("%s: invalid: %s", r.Name(), trial.Why)
			continue
		}
		valid++
		eligible := 0
		for node, length := range trial.Lengths {
			behind := node == trial.Behind[0] || node == trial.Behind[1]
			if behind == (length >= trial.Index) {
				t.Errorf("%s: the log of %s reaches to %d, the entry is %d: %+v", r.Name(), node, length, trial.Index, trial)
			}
			if !behind {
				eligible++
			}
		}
		if eligible != 2 || len(trial.Lengths) != 4 || trial.Waited < trial.Asked || trial.Asked > r.Heartbeat ||
			trial.NoLeader <= 0 || trial.All < trial.NoLeader || trial.NewTerm <= trial.Term || trial.Rounds < 1 {
			t.Errorf("%s: %+v", r.Name(), trial)
		}
	}
	if valid != 2 {
		t.Errorf("%s: %d trials count", r.Name(), valid)
	}
}

// again has the run shown from its history, and compares the records.
func (s *storm) again(t *testing.T, dir string, record *elections.Record) {
	t.Helper()
	var out bytes.Buffer
	s.app.out = &out
	if code := s.run("elections", "--from", dir, "--json"); code != exitPass {
		t.Fatalf("exit code %d", code)
	}
	var shown electionsOutput
	if err := json.Unmarshal(out.Bytes(), &shown); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(record, shown.Record); diff != "" {
		t.Errorf("the history tells another tale (-recorded +found):\n%s", diff)
	}
	if len(shown.Summaries) != 2 || shown.Summaries[0].Paper == nil || shown.Run != dir {
		t.Errorf("%+v", shown.Summaries)
	}
}

// trialsDir is the run directory of the one run of trials.
func (s *storm) trialsDir(t *testing.T) string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(s.out, "elections", "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("%v, %v", dirs, err)
	}
	return dirs[0]
}

// someTrials is said when a trial counts: the first may be invalid, or the first
// that is told of may be a later one.
var someTrials = regexp.MustCompile(`\b[1-9][0-9]* of 1000 trials`)

// TestPlainElections kills leaders from outside; the first Ctrl-C keeps what was
// measured by then.
func TestPlainElections(t *testing.T) {
	s := newStorm(t, testplan.RuntimeLocal)
	s.runs.Go(func() {
		if err := s.text.until(s.ctx, someTrials); err != nil {
			t.Error(err)
		}
		s.signals <- os.Interrupt
	})
	if code := s.run("elections", "--runtime", s.runtime, "--plain", "--pre-vote", "--timeouts", "50-100ms", "--trials", "1000"); code != exitInterrupted {
		t.Fatalf("exit code %d", code)
	}
	record, err := elections.Read(s.trialsDir(t))
	if err != nil {
		t.Fatal(err)
	}
	summary := record.Summarize(100)[0]
	if !record.Interrupted || !record.Plain || summary.Times.N < 1 || summary.Times.N > 100 || summary.Times.P50 <= 0 {
		t.Errorf("%+v", summary)
	}
}

// TestElectionsWithoutAServer: a server that ends by itself ends the experiment,
// which is no pass; what was measured by then is shown.
func TestElectionsWithoutAServer(t *testing.T) {
	s := newStorm(t, testplan.RuntimeLocal)
	s.app.open = func(ctx context.Context, name string, log *slog.Logger) (opened, error) {
		o, err := openRuntime(ctx, name, log)
		o.Runtime = strikingRuntime{o.Runtime, s.text, t.Context()}
		return o, err
	}
	if code := s.run("elections", "--runtime", s.runtime, "--plain", "--timeouts", "50-100ms", "--trials", "1000"); code != exitInvalid {
		t.Fatalf("exit code %d", code)
	}
	if text := s.text.String(); !strings.Contains(text, "verdict  invalid") || !strings.Contains(text, "n3") {
		t.Error("it is not said what went wrong")
	}
}

// strikingRuntime takes a machine away in the middle of the trials.
type strikingRuntime struct {
	machines.Runtime
	text *syncBuffer
	test context.Context
}

func (r strikingRuntime) Up(ctx context.Context, spec machines.ClusterSpec) (machines.Cluster, error) {
	cluster, err := r.Runtime.Up(ctx, spec)
	if err == nil {
		go func() {
			_ = r.text.until(r.test, someTrials) // if it is never said, the verdict will be another
			_ = cluster.Machine("n3").Kill(context.Background())
		}()
	}
	return cluster, err
}
