package gate

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"squall/history/check"
	"squall/history/ledger"
	"squall/history/measure"
)

// course is a run whose load goes up and down as an AR(1) series does: each
// second leans on the one before it by rho. base is the successes in a second,
// slow is added to every latency, in ms.
func course(r *rand.Rand, seconds int, rho, base, slow float64) *check.Results {
	res := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: check.Pass}
	b := measure.Blocks{Seconds: 1, P50: map[string][]measure.Millis{}, P99: map[string][]measure.Millis{}}
	x := r.NormFloat64()
	for range seconds {
		ok := int64(base + 100*x)
		b.OK, b.Fail, b.Info = append(b.OK, ok), append(b.Fail, 0), append(b.Info, 0)
		b.P50[""] = append(b.P50[""], measure.Millis(5-0.3*x+slow))
		b.P99[""] = append(b.P99[""], measure.Millis(9-0.5*x+slow))
		res.Ops.OK += ok
		x = rho*x + math.Sqrt(1-rho*rho)*r.NormFloat64()
	}
	res.Ops.Total, res.Ops.LoadSeconds = res.Ops.OK, float64(seconds)
	res.Blocks = b
	return res
}

func one(r *check.Results) []*check.Results { return []*check.Results{r} }

func row(t *testing.T, rows []ledger.Row, metric string) ledger.Row {
	t.Helper()
	i := slices.IndexFunc(rows, func(r ledger.Row) bool { return r.Metric == metric })
	if i < 0 {
		t.Fatalf("there is no row of %s", metric)
	}
	return rows[i]
}

// Two runs of the same setting are called different about as often as alpha
// says, however much their seconds hang together.
func TestFalseAlarms(t *testing.T) {
	const pairs, most = 200, 0.12 // 0.05 is meant; this is 4.5 standard errors over it
	for _, seconds := range []int{10, 30, 75} {
		for _, rho := range []float64{0, 0.3, 0.6, 0.8, 0.9} {
			r := rand.New(rand.NewPCG(uint64(seconds), uint64(rho*100)))
			alarms := 0
			for range pairs {
				old, now := course(r, seconds, rho, 2000, 0), course(r, seconds, rho, 2000, 0)
				old.Blocks.P50, old.Blocks.P99 = nil, nil // the throughput is enough
				got := Compare("", one(old), one(now), 0)
				if w := row(t, got, "throughput"); w.Worse || w.Better {
					alarms++
				}
			}
			share := float64(alarms) / pairs
			t.Logf("%d seconds, rho %.1f: %.3f", seconds, rho, share)
			if share > most {
				t.Errorf("%d seconds, rho %.1f: %.3f of equal pairs are called different", seconds, rho, share)
			}
		}
	}
}

// And 20 ms of delay are seen, in the seconds of single runs.
func TestDelayIsSeen(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		rows := Compare("", one(course(r, 30, 0.5, 2000, 0)), one(course(r, 30, 0.5, 420, 20)), DefaultTolerance)
		for _, metric := range []string{"throughput", "latency p(50)", "latency p(99)"} {
			w := row(t, rows, metric)
			if !w.Worse || !w.Lost || w.Better || w.P > 0.05 || !strings.Contains(w.Note, "compares these runs only") {
				t.Fatalf("%s: %+v", metric, w)
			}
		}
		back := Compare("", one(course(r, 30, 0.5, 420, 20)), one(course(r, 30, 0.5, 2000, 0)), DefaultTolerance)
		if w := row(t, back, "latency p(50)"); !w.Better || w.Lost {
			t.Fatalf("the other way round: %+v", w)
		}
	}
}

// A delay that comes and goes is no chance either: the seconds with it hang
// together because the fault holds, and not of themselves.
func TestDelayThatComesAndGoes(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	missed := 0
	const pairs = 50
	for range pairs {
		old, now, slow := course(r, 30, 0.3, 2000, 0), course(r, 30, 0.3, 2000, 0), course(r, 30, 0.3, 420, 20)
		for begin := 2; begin < 30; begin += 6 { // 4 s with, 2 s without
			now.Faults = append(now.Faults, measure.FaultRun{ID: begin, Verified: true, Begin: int64(begin) * 1e9, Healed: int64(begin+4)*1e9 - 1})
			for i := begin; i < min(begin+4, 30); i++ {
				now.Blocks.OK[i] = slow.Blocks.OK[i]
				now.Blocks.P50[""][i], now.Blocks.P99[""][i] = slow.Blocks.P50[""][i], slow.Blocks.P99[""][i]
			}
		}
		rows := Compare("", one(old), one(now), DefaultTolerance)
		if !row(t, rows, "throughput").Lost && !row(t, rows, "latency p(99)").Lost {
			missed++
		}
	}
	if missed > pairs/10 {
		t.Errorf("%d of %d were not seen", missed, pairs)
	}
}

// A run against itself differs in nothing.
func TestCompareWithItself(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		runs := []*check.Results{}
		for range rapid.IntRange(1, 6).Draw(rt, "runs") {
			res := course(r, rapid.IntRange(0, 40).Draw(rt, "seconds"), rapid.Float64Range(0, 0.95).Draw(rt, "rho"), 1000, 0)
			for range rapid.IntRange(0, 5).Draw(rt, "losses") {
				res.Elections.Losses = append(res.Elections.Losses, measure.Loss{NewLeader: "n1", NoLeader: measure.Millis(r.Float64() * 500)})
			}
			runs = append(runs, res)
		}
		for _, w := range Compare("g", runs, runs, 0) {
			if w.Better || w.Worse || w.Lost || w.P < 0.05 || w.Old != w.New {
				rt.Fatalf("%+v", w)
			}
			if _, err := json.Marshal(w); err != nil { // infinities have no JSON
				rt.Fatal(err)
			}
		}
	})
}

// With four runs on each side a sample is a run; with three the note says why
// nothing can be told of what has no samples within.
func TestSamples(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var old, slower []*check.Results
	for range 5 {
		old, slower = append(old, course(r, 20, 0, 2000, 0)), append(slower, course(r, 20, 0, 1700, 0))
	}
	w := row(t, Compare("", old, slower, 0.05), "throughput")
	if w.Old.Count != 5 || w.Note != "" || !w.Lost || w.Delta > -10 || w.Delta < -20 {
		t.Errorf("five runs: %+v", w)
	}
	if w := row(t, Compare("", old, slower, 0.5), "throughput"); !w.Worse || w.Lost {
		t.Errorf("within the tolerance: %+v", w)
	}
	for i := range 3 {
		old[i].Elections.Losses = []measure.Loss{{NewLeader: "n1", NoLeader: 100}}
		slower[i].Elections.Losses = []measure.Loss{{NewLeader: "n1", NoLeader: 900}}
	}
	w = row(t, Compare("", old[:3], slower[:3], 0.05), "election p(50)")
	if w.Worse || !strings.Contains(w.Note, "too few samples: 3 and 3") {
		t.Errorf("three losses: %+v", w)
	}
	w = row(t, Compare("", old[:3], one(course(r, 20, 0, 2000, 0)), 0.05), "election p(50)")
	if w.Worse || !strings.Contains(w.Note, "no data for this in the new") {
		t.Errorf("no losses in the new: %+v", w)
	}
}

// Ten seconds of a load that drifts say next to nothing, and too few is said.
func TestTooFew(t *testing.T) {
	old, slower := course(rand.New(rand.NewPCG(1, 2)), 2, 0, 2000, 0), course(rand.New(rand.NewPCG(1, 3)), 2, 0, 1000, 0)
	w := row(t, Compare("", one(old), one(slower), 0), "throughput")
	if w.Worse || !strings.Contains(w.Note, "too few samples") {
		t.Errorf("%+v", w)
	}
}

func save(t *testing.T, dir string, r *check.Results) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := check.WriteResults(dir, r); err != nil {
		t.Fatal(err)
	}
}

// campaignDir is a campaign of two groups, two seeds each.
func campaignDir(t *testing.T, base float64) string {
	t.Helper()
	dir := t.TempDir()
	c := &ledger.Campaign{SchemaVersion: ledger.SchemaVersion, Name: "nightly"}
	r := rand.New(rand.NewPCG(uint64(base), 9))
	for _, group := range []string{"nodes-3", "nodes-5"} {
		for seed := uint64(1); seed <= 2; seed++ {
			id := group + "_s" + string('0'+rune(seed))
			save(t, filepath.Join(dir, "cells", id), course(r, 30, 0.2, base, 0))
			c.Cells = append(c.Cells, ledger.Cell{ID: id, Seed: seed, Repeat: 1, State: ledger.Done,
				Attempts: []ledger.Attempt{{Dir: "cells/" + id, Verdict: check.Pass}}})
		}
	}
	if err := ledger.Write(dir, c); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBaseline(t *testing.T) {
	old, now := campaignDir(t, 2000), campaignDir(t, 1000)
	side, err := Load(now)
	if err != nil {
		t.Fatal(err)
	}
	base, err := AgainstBaseline(old, side, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	lost := Lost(base.Rows)
	if len(lost) != 2 || lost[0].Group != "nodes-3" || lost[1].Group != "nodes-5" || lost[0].Metric != "throughput" {
		t.Errorf("lost: %+v", lost)
	}
	// A damaged cell is left out and said; another schema is refused.
	if err := os.WriteFile(filepath.Join(old, "cells", "nodes-5_s1", check.ResultsName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if side, err = Load(old); err != nil || len(side.Skipped) != 1 || !strings.HasPrefix(side.Skipped[0], "nodes-5_s1: ") {
		t.Errorf("%+v, %v", side, err)
	}
	if err := os.WriteFile(filepath.Join(old, ledger.FileName), []byte(`{"schemaVersion": 99}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := CheckBaseline(old); !errors.Is(err, ledger.ErrVersion) {
		t.Errorf("another schema: %v", err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(5, 5))
	for _, name := range []string{"a/1", "a/2", "b/1"} {
		save(t, filepath.Join(dir, name), course(r, 5, 0, 100, 0))
	}
	invalid := course(r, 5, 0, 100, 0)
	invalid.Verdict = check.Invalid
	save(t, filepath.Join(dir, "b/2"), invalid)
	if err := os.Symlink("a/2", filepath.Join(dir, "latest")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{".": 3, "a": 2, "a/1": 1, "latest": 1, "b": 1, "b/1/results.json": 1} {
		side, err := Load(filepath.Join(dir, path))
		if err != nil || len(side.Groups) != 1 || len(side.Groups[0].Runs) != want {
			t.Errorf("%s: %+v, %v; want %d runs", path, side, err, want)
		}
	}
	for path, words := range map[string]string{
		"b/2": "there is no run in it to compare with\n  ", "nowhere": "no such file", "b/2/results.json": "the run is invalid"} {
		if _, err := Load(filepath.Join(dir, path)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", path, err)
		}
	}
	other := filepath.Join(dir, "old.json")
	if err := os.WriteFile(other, []byte(`{"schemaVersion": 1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(other); err == nil || !strings.Contains(err.Error(), "schema version 1") {
		t.Errorf("another schema: %v", err)
	}
}

// The operations to compare are those of the histories, in the order of their
// headers. A name in results.json that is none is left out.
func TestOperationsAreThoseOfTheHistories(t *testing.T) {
	with := func(functions ...string) *check.Results {
		return &check.Results{Ops: measure.Ops{Functions: functions}}
	}
	for _, tt := range []struct {
		rs   []*check.Results
		want string
	}{
		{nil, ""},
		{[]*check.Results{with()}, "read write cas delete"},
		{[]*check.Results{with("txn"), with("read", "append", "txn")}, "txn read append"},
		{[]*check.Results{with("", "a b", "x}", "\x1b[2J", "ok")}, "ok"},
	} {
		if got := strings.Join(Operations(tt.rs), " "); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
