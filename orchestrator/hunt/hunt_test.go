package hunt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/internal/atomicfile"
	"squall/internal/machinetest"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

var stale = Finding{"linearizable", check.KindStaleRead}

// came is the outcome of a plan: a violation of the finding, seen at that time of the load,
// or the verdict alone.
func came(p *testplan.Plan, v check.Verdict, f Finding, at time.Duration) *orchestrator.Outcome {
	const loadBegan = 700 * time.Millisecond
	results := &check.Results{Verdict: v}
	if v == check.Violation {
		first := (loadBegan + at).Seconds()
		results.Checks = []check.Result{{Name: f.Check, Kind: f.Kind, Verdict: v, FirstAt: &first}}
	}
	h := &history.History{Header: history.Header{Mono: 1e12}, Marks: []history.Mark{{Name: history.MarkLoadBegin, Time: 1e12 + loadBegan.Nanoseconds()}}}
	return &orchestrator.Outcome{Plan: p, Checked: &check.Checked{Results: results, History: h}}
}

func planOf(t *testing.T, seed uint64, nemesis string) *testplan.Plan {
	t.Helper()
	test := testplan.DefaultTest()
	test.Seed, test.Nemesis, test.Out, test.Time = seed, nemesis, t.TempDir(), testplan.Duration(time.Minute)
	p, err := testplan.NewPlan(test, "test", "squall")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUntilStopsAtTheFirstFind(t *testing.T) {
	verdicts := map[uint64]check.Verdict{12: check.Invalid, 17: check.Violation}
	var told []uint64
	u := Until{First: 10, Max: 50, Plan: func(seed uint64) (*testplan.Plan, error) { return planOf(t, seed, "partition"), nil },
		Trials: Trials{Jobs: 1, Told: func(tr Trial) { told = append(told, tr.Plan.Test.Seed) },
			Run: func(_ context.Context, p *testplan.Plan, stop <-chan struct{}) (*orchestrator.Outcome, error) {
				v := verdicts[p.Test.Seed]
				if v == "" {
					v = check.Pass
				}
				return came(p, v, stale, time.Second), nil
			}}}
	h, err := u.Hunt(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h.Found == nil || h.Found.Plan.Test.Seed != 17 {
		t.Fatalf("found %+v, want seed 17", h.Found)
	}
	if h.Rate != (Rate{1, 7}) || h.Others != 1 || len(told) != 8 {
		t.Errorf("%+v after %v, want one violation in seven tests, and one test that did not count", h, told)
	}
}

// What runs when something is found is ended, and says nothing.
func TestOthersAreEndedAndNotCounted(t *testing.T) {
	begun := make(chan struct{})
	u := Until{First: 1, Max: 2, Plan: func(seed uint64) (*testplan.Plan, error) { return planOf(t, seed, "partition"), nil },
		Trials: Trials{Jobs: 2, Run: func(_ context.Context, p *testplan.Plan, stop <-chan struct{}) (*orchestrator.Outcome, error) {
			if p.Test.Seed == 1 {
				close(begun)
				<-stop
				return came(p, check.Pass, stale, 0), nil
			}
			<-begun
			return came(p, check.Violation, stale, 0), nil
		}}}
	h, err := u.Hunt(t.Context())
	if err != nil || h.Found == nil || h.Rate != (Rate{1, 1}) || h.Others != 0 {
		t.Errorf("%+v, %v, want one find in one test", h, err)
	}
}

func TestNothingFound(t *testing.T) {
	broken := errors.New("no engine")
	for _, tc := range []struct {
		name string
		run  Run
		err  error
		want Hunted
	}{
		{"passes", func(_ context.Context, p *testplan.Plan, _ <-chan struct{}) (*orchestrator.Outcome, error) {
			return came(p, check.Pass, stale, 0), nil
		}, nil, Hunted{Rate: Rate{0, 5}}},
		{"cannot be decided", func(_ context.Context, p *testplan.Plan, _ <-chan struct{}) (*orchestrator.Outcome, error) {
			return came(p, check.Unknown, stale, 0), nil
		}, nil, Hunted{Others: 5}},
		{"cannot begin", func(context.Context, *testplan.Plan, <-chan struct{}) (*orchestrator.Outcome, error) {
			return nil, broken
		}, broken, Hunted{}},
	} {
		u := Until{First: 1, Max: 5, Plan: func(seed uint64) (*testplan.Plan, error) { return planOf(t, seed, "partition"), nil }, Trials: Trials{Run: tc.run, Jobs: 2}}
		if h, err := u.Hunt(t.Context()); *h != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: %+v, %v; want %+v, %v", tc.name, h, err, tc.want, tc.err)
		}
	}
}

func TestRepeat(t *testing.T) {
	for _, tc := range []struct {
		name  string
		shows []string // of each trial
		times int
		want  Repeated
	}{
		{"always: early", []string{"stale", "stale", "stale", "stale"}, 20, Repeated{Rate: Rate{4, 4}}},
		{"never", []string{"pass", "pass", "pass"}, 3, Repeated{Rate: Rate{0, 3}}},
		{"another one", []string{"lost", "stale", "pass"}, 3, Repeated{Rate: Rate{1, 3}, Different: 1}},
		{"invalid ones are made up for", []string{"invalid", "pass", "stale", "pass"}, 3, Repeated{Rate: Rate{1, 3}, Others: 1}},
		{"invalid without an end", slices.Repeat([]string{"invalid"}, 9), 3, Repeated{Others: 6}},
	} {
		n := 0
		a := Again{Plan: planOf(t, 1, "partition"), Finding: stale, Times: tc.times,
			Trials: Trials{Jobs: 1, Run: func(_ context.Context, p *testplan.Plan, _ <-chan struct{}) (*orchestrator.Outcome, error) {
				n++
				switch word := tc.shows[n-1]; word {
				case "stale":
					return came(p, check.Violation, stale, 0), nil
				case "lost":
					return came(p, check.Violation, Finding{"linearizable", check.KindLostWrite}, 0), nil
				default:
					return came(p, check.Verdict(word), stale, 0), nil
				}
			}}}
		tc.want.Finding = stale
		if got, err := a.Repeat(t.Context()); err != nil || *got != tc.want {
			t.Errorf("%s: %+v, %v; want %+v", tc.name, got, err, tc.want)
		}
	}
}

func TestRate(t *testing.T) {
	for _, tc := range []struct {
		rate      Rate
		low, high float64 // by R's prop.test(…, correct = FALSE)
	}{
		{Rate{3, 10}, 0.1078, 0.6032},
		{Rate{0, 10}, 0, 0.2775},
		{Rate{10, 10}, 0.7225, 1},
		{Rate{0, 0}, 0, 1},
	} {
		low, high := tc.rate.Interval()
		if fmt.Sprintf("%.4f %.4f", low, high) != fmt.Sprintf("%.4f %.4f", tc.low, tc.high) {
			t.Errorf("%v: %.4f to %.4f, want %.4f to %.4f", tc.rate, low, high, tc.low, tc.high)
		}
	}
	for _, tc := range []struct {
		rate           Rate
		shows, decided bool
	}{{Rate{1, 1}, false, false}, {Rate{2, 2}, true, true}, {Rate{0, 4}, false, false}, {Rate{0, 5}, false, true}, {Rate{1, 8}, false, false}, {Rate{1, 10}, false, true}} {
		if shows, decided := tc.rate.decide(); shows != tc.shows && decided || decided != tc.decided {
			t.Errorf("%v: %v, %v; want %v, %v", tc.rate, shows, decided, tc.shows, tc.decided)
		}
	}
}

// buggy shows a violation when one fault of a plan is there for long enough, one second
// after it began, and with so many clients.
func buggy(id int, least time.Duration, clients int) Run {
	return func(_ context.Context, p *testplan.Plan, _ <-chan struct{}) (*orchestrator.Outcome, error) {
		dir, err := testplan.NewRunDir(p, time.Now())
		if err != nil {
			return nil, err
		}
		outcome := came(p, check.Pass, stale, 0)
		for _, f := range p.Schedule {
			seen := f.At() + time.Second
			if f.ID == id && time.Duration(f.ForMs)*time.Millisecond >= least && p.Test.Clients >= clients && seen < time.Duration(p.Test.Time) {
				outcome = came(p, check.Violation, stale, seen)
			}
		}
		outcome.Dir = dir
		return outcome, atomicfile.WriteJSON(filepath.Join(dir, testplan.PlanFile), p)
	}
}

func TestShrink(t *testing.T) {
	plan := planOf(t, 3, "storm")
	if len(plan.Schedule) < 20 {
		t.Fatalf("the storm has only %d faults", len(plan.Schedule))
	}
	culprit := plan.Schedule[12]
	dir, err := Place(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var tries []Try
	s := Shrink{Plan: plan, Finding: stale, FirstAt: (culprit.At() + time.Second).Seconds(), Dir: dir,
		Trials: Trials{Run: buggy(culprit.ID, 400*time.Millisecond, 3), Jobs: 2}, Tried: func(t Try) { tries = append(tries, t) }}
	out, err := s.Smallest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if out.Shows == nil || out.To.Faults != 1 || out.Shows.Plan.Schedule[0].ID != culprit.ID || out.To.Clients < 3 || out.To.Clients > 5 || out.To.Seconds > 6 {
		t.Errorf("the smallest is %+v, want fault %d alone, for some seconds, with 3 to 5 clients; tried %+v", out.To, culprit.ID, tries)
	}
	if held := out.Shows.Plan.Schedule[0].ForMs; held < 400 || held >= 800 {
		t.Errorf("it holds for %d ms, want 400 to 800", held)
	}
	if len(tries) != len(out.Tries) || len(tries) < 5 {
		t.Errorf("told of %d tries of %d", len(tries), len(out.Tries))
	}
	kept, err := testplan.ReadPlan(filepath.Join(dir, SmallestFolder))
	if err != nil || len(kept.Schedule) != 1 || kept.Test.Out != plan.Test.Out || kept.Test.Schedule == "" {
		t.Errorf("the plan that is kept is %+v, %v", kept, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left behind: %v, want the smallest run alone", left)
	}
}

// A violation that comes by chance is not made smaller: nothing could be concluded.
func TestShrinkWantsItAgain(t *testing.T) {
	dir, err := Place(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := Shrink{Plan: planOf(t, 3, "partition"), Finding: stale, FirstAt: -1, Dir: dir, Trials: Trials{Jobs: 2, Run: buggy(-1, 0, 0)}}
	out, err := s.Smallest(t.Context())
	if !errors.Is(err, ErrNotAgain) || len(out.Tries) != 1 || out.Tries[0].Rate != (Rate{0, 5}) || out.Shows != nil {
		t.Errorf("%+v, %v; want that it does not show again", out, err)
	}
}
