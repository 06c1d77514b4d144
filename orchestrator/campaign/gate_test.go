package campaign

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"squall/history/check"
	"squall/history/ledger"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
)

func TestThresholdsGoToEveryCell(t *testing.T) {
	p := mustPlan(t, "test: {threshold: 'throughput > 10/s'}\nmatrix: {nodes: [3, 5]}\nthresholds: ['availability > 99%']\n")
	for _, c := range p.Cells {
		if want := "throughput > 10/s; availability > 99%"; c.Settings["threshold"] != want {
			t.Errorf("%s: %q, want %q", c.ID, c.Settings["threshold"], want)
		}
		if !strings.Contains(c.Command, "'throughput > 10/s; availability > 99%'") {
			t.Errorf("command %s", c.Command)
		}
	}
	for text, want := range map[string]string{
		"thresholds: ['throughput > 10/s', 'througput > 1/s']\n": "c.yaml:1:35: thresholds: threshold",
		"campaign-thresholds: [{a: b}]\n":                        `c.yaml:1:23: campaign-thresholds: expected a bound such as "latency p(99) < 50ms", found a mapping`,
		"tolerance: 3\n":                                         "c.yaml:1:12: tolerance: expected a share",
		"baseline: []\n":                                         "c.yaml:1:11: baseline: expected the directory",
	} {
		if _, err := planOf(text, Overrides{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v\nwant one with %s", err, want)
		}
	}
}

// withOps runs campaigns whose cells did so many operations a second.
func (l *lab) withOps(perSecond float64, thresholds bool) Config {
	cfg := l.config()
	cfg.Run = func(ctx context.Context, p *testplan.Plan, progress orchestrator.Progress, stop <-chan struct{}) (*orchestrator.Outcome, error) {
		o, err := l.run(ctx, p, progress, stop)
		if err != nil {
			return o, err
		}
		noise := float64(l.count("", 0)+len(l.runs)) / 10
		o.Results.Ops.OK = int64((perSecond + noise) * o.Results.Ops.LoadSeconds)
		o.Results.Ops.Total, o.Results.Ops.Throughput = o.Results.Ops.OK, perSecond+noise
		if thresholds && p.Test.Nodes == 5 {
			o.Results.Thresholds = []check.Threshold{{Text: "availability > 99%"}}
		}
		return o, check.WriteResults(o.Dir, o.Results)
	}
	return cfg
}

func TestACampaignIsJudgedAsAWhole(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		plan := mustPlan(t, twoByTwo+"campaign-thresholds: [throughput > 100/s, throughput < 100/s]\n")
		o, err := Run(t.Context(), plan, l.withOps(200, true))
		if err != nil {
			t.Fatal(err)
		}
		if th := o.Record.Thresholds; len(th) != 2 || !th[0].Met || th[1].Met {
			t.Errorf("thresholds %+v", th)
		}
		for _, c := range o.Record.Cells {
			if a := c.Last(); (len(a.Missed) == 1) != (c.Nodes == 5) || a.Figures["throughput"] < 200 {
				t.Errorf("%s: missed %v, figures %v", c.ID, a.Missed, a.Figures)
			}
		}
		if s := Count(o.Record); s.Missed != 2 {
			t.Errorf("%d cells missed a threshold", s.Missed)
		}
	})
}

func TestALossAgainstTheBaselineFails(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		text := "test: {nemesis: none, time: 10s}\nrepeats: 6\njobs: 1\nname: c\n"
		old, err := Run(t.Context(), mustPlan(t, text), l.withOps(200, false))
		if err != nil {
			t.Fatal(err)
		}
		against := func(perSecond float64) *ledger.Baseline {
			t.Helper()
			plan, err := planOf(text, Overrides{Baseline: old.Dir, Tolerance: "10%"})
			if err != nil {
				t.Fatal(err)
			}
			o, err := Run(t.Context(), plan, l.withOps(perSecond, false))
			if err != nil {
				t.Fatal(err)
			}
			return o.Record.Baseline
		}
		lost := func(b *ledger.Baseline) bool {
			for _, row := range b.Rows {
				if row.Metric == "throughput" {
					return row.Lost
				}
			}
			t.Fatalf("no row of the throughput: %+v", b)
			return false
		}
		if lost(against(195)) {
			t.Error("a loss within the tolerance fails")
		}
		if !lost(against(100)) {
			t.Error("half of the throughput is lost, and it passes")
		}
	})
}

func TestABaselineThatCannotBeReadIsKnownBeforeAnythingRuns(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ledger.FileName), []byte(`{"schemaVersion": 99}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for baseline, want := range map[string]string{filepath.Join(dir, "none"): "the baseline", dir: "schema version 99"} {
		if _, err := planOf("seeds: 1\n", Overrides{Baseline: baseline}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", baseline, err)
		}
	}
}

// TestKilledBeforeItsFiguresWereJudged: results.json is written before the
// thresholds are judged, and squall was killed between the two.
func TestKilledBeforeItsFiguresWereJudged(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		plan := mustPlan(t, "test: {nemesis: none, time: 10s}\nthresholds: availability > 99%\n")
		l.leave(t, plan, func(dir string) {
			if err := check.WriteResults(dir, resultsOf(check.Pass, 10*time.Second)); err != nil {
				t.Error(err)
			}
		})
		l.checked = resultsOf(check.Pass, 10*time.Second)
		l.checked.Thresholds = []check.Threshold{{Text: "availability > 99%"}}
		o, err := l.start(t.Context(), plan)
		if err != nil || states(o.Record) != "s1:done,pass" || len(o.Record.Cells[0].Last().Missed) != 1 {
			t.Errorf("%v, %s, %+v", err, states(o.Record), o.Record.Cells[0].Last())
		}
	})
}
