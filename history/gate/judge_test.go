package gate

import (
	"math"
	"strings"
	"testing"

	"squall/history/check"
	"squall/history/measure"
)

// Two runs of which every figure is worked out by hand.
func twoRuns(t *testing.T) []*check.Results {
	first := run{seconds: 10, ok: 110, fail: 10, reads: upTo(100), writes: []float64{5, 5, 5, 5, 5, 5, 5, 5, 5, 200},
		losses: []measure.Loss{
			{At: 1, NewLeader: "n2", Candidate: "n2", NoLeader: 300, Detection: 250, Election: 50, Unavailable: 400, Rounds: 1,
				Clients: measure.Felt{Count: 3, Median: 350, Max: 600}},
			{At: 2, NewLeader: "n3", Candidate: "n1", NoLeader: 500, Detection: 200, Election: 300, Rounds: 3, SplitVotes: 2},
		},
		effects: []measure.FaultEffect{{Recovery: 700, Recovered: true}},
		blocks:  measure.Blocks{Seconds: 2, OK: []int64{20, 40, 10, 20, 20}}}
	second := run{seconds: 30, ok: 490, fail: 10, reads: upTo(100),
		losses:  []measure.Loss{{At: 3, NoLeader: 900, Candidate: "n1", Detection: 100, Unavailable: 1500}},
		effects: []measure.FaultEffect{{After: measure.Stretch{Begin: 1e9, End: 3e9}}},
		blocks:  measure.Blocks{Seconds: 1, OK: []int64{5}}}
	rs := []*check.Results{first.results(t), second.results(t)}
	rs[1].Ops.ByFunc["read"] = funcOps(t, upTo(100))
	return rs
}

// Results tell a bounded number of losses one by one: counts are of all of them, and
// a threshold on the others says of how many it knows nothing.
func TestJudgeSaysWhatIsLeftOut(t *testing.T) {
	rs := twoRuns(t)[:1]
	rs[0].Elections.LossCount, rs[0].Elections.SplitVotes = 1002, 40
	for text, want := range map[string]string{
		"leaders-lost < 1003":  "1,002 losses: 1,002",
		"split-votes < 41":     "1,002 losses: 40",
		"election max < 501ms": "max of 2 elections: 500 ms; the last 1,000 losses are in the history alone, and left out",
	} {
		thresholds, err := ParseAll(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := thresholds[0].Judge(rs...); !got.Met || got.Why != want {
			t.Errorf("%s: %+v, want %q", text, got, want)
		}
	}
}

// withSituations are two runs with a full trace, of which each reached one, and one with
// a basic trace.
func withSituations() []*check.Results {
	of := func(full bool, a, b int) *check.Results {
		return &check.Results{Situations: &check.Situations{Full: full, List: []check.Situation{
			{Name: "a", Count: a}, {Name: "b", Count: b}, {Name: "c"}, {Name: "d", Hidden: "the trace lacks config"}}}}
	}
	return []*check.Results{of(true, 7, 0), of(true, 0, 1), of(false, 1, 1)}
}

func TestJudge(t *testing.T) {
	rs := twoRuns(t)
	for _, c := range []struct {
		text  string
		runs  []*check.Results
		met   bool
		value float64
		why   string
	}{
		{"throughput > 10/s", rs[:1], true, 11, "110 successes in 10 s: 11/s"},
		{"throughput > 15/s", rs, false, 15, "600 successes in 40 s: 15/s"},
		{"throughput >= 15/s", rs, true, 15, ""},
		{"throughput min >= 6/s", rs[:1], false, 5, "min of 5 blocks: 5/s"},
		{"throughput max < 20/s", rs, false, 20, "max of 6 blocks: 20/s"},
		{"latency{op=write} p(99) < 50ms", rs[:1], false, 200, "p(99) of 10 write operations: 200 ms"},
		{"latency{op=write} p(90) < 50ms", rs, true, 5, ""},
		{"latency{op=read} p(99) < 100ms", rs, true, 99, "p(99) of 200 read operations: 99 ms"},
		{"latency{op=read} max < 100ms", rs, false, 100, ""},
		{"latency{op=read} avg <= 50.6ms", rs[:1], true, 50.5, ""},
		{"latency count > 209", rs, true, 210, "210 operations"},
		{"availability > 97%", rs, false, 100 * 600. / 620, "600 of 620 operations: 96.7742%"},
		{"failed < 2%", rs[1:], false, 2, "10 of 500 operations: 2%"},
		{"unknown == 0%", rs, true, 0, ""},
		{"operations > 619", rs, true, 620, "620 operations"},
		{"election p(50) < 400ms", rs[:1], false, 400, "p(50) of 2 elections: 400 ms"},
		{"election max < 1s", rs, true, 900, "1 has no observed end, and counts for the time observed"},
		{"election count < 3", rs, false, 3, "3 elections"},
		{"detection min > 100ms", rs, false, 100, ""},
		{"election-phase avg < 175ms", rs, false, 175, ""},
		{"unavailability max < 3s", rs, true, 1500, "max of 2 losses: 1,500 ms"},
		{"client-unavailability max < 350ms", rs, false, 350, "max of 1 loss"},
		{"client-unavailability-worst max > 500ms", rs, true, 600, ""},
		{"leaders-lost <= 2", rs, false, 3, "3 losses: 3"},
		{"split-votes == 2", rs, true, 2, ""},
		{"rounds max < 3", rs, false, 3, ""},
		{"situations > 40%", withSituations(), true, 100 * 2. / 3, "2 of 3 situations: 66.6667%; 1 more cannot be seen in this trace"},
		{"situations > 40%", withSituations()[:1], false, 100 * 1. / 3, "1 of 3 situations"},
		{"recovery p(50) < 1s", rs[:1], true, 700, "p(50) of 1 fault: 700 ms"},
		{"recovery max < 1s", rs, false, 2000, "1 has no observed end"},
	} {
		threshold, err := Parse(registers(), c.text)
		if err != nil {
			t.Fatal(err)
		}
		got := threshold.Judge(c.runs...)
		if got.Met != c.met || math.Abs(got.Value-c.value) > 0.001*c.value || !strings.Contains(got.Why, c.why) || got.Text != c.text {
			t.Errorf("%s: %+v; want met %t, value %g, %q", c.text, got, c.met, c.value, c.why)
		}
	}
}

// Over nothing a threshold is met, unless nothing is what is wrong.
func TestJudgeNothing(t *testing.T) {
	quiet := run{seconds: 5, ok: 10, reads: upTo(10)}.results(t)
	dead := run{seconds: 5, fail: 7}.results(t)
	dead.Ops.ByFunc["write"] = measure.FuncOps{Fail: 7}
	damaged := run{seconds: 5, ok: 10, reads: upTo(10)}.results(t)
	damaged.Ops.ByFunc["read"] = measure.FuncOps{OK: 10, Histogram: "AAAA"}
	for _, c := range []struct {
		text string
		run  *check.Results
		met  bool
		why  string
	}{
		{"election max < 1s", quiet, true, "nothing to judge: no leader was lost"},
		{"election max > 1s", quiet, true, "nothing to judge"},
		{"election count > 0", quiet, false, "0 elections"},
		{"unavailability max < 1s", quiet, true, "no leader was lost during the load"},
		{"recovery max < 1s", quiet, true, "no fault took effect"},
		{"latency{op=write} p(99) < 1s", quiet, true, "nothing to judge: there was no write"},
		{"latency{op=write} p(99) < 1s", dead, false, "none of 7 write operations succeeded"},
		{"latency p(99) < 1s", dead, false, "none of 7 operations succeeded"},
		{"throughput < 1/s", dead, true, "0 successes in 5 s: 0/s"},
		{"throughput < 1/s", &check.Results{}, false, "there was no load"},
		{"situations > 80%", quiet, true, "nothing to judge: no run has a full trace"},
		{"situations > 80%", withSituations()[2], true, "nothing to judge: no run has a full trace"},
		{"availability > 99%", &check.Results{}, true, "there was no operation"},
		{"latency p(99) < 1s", damaged, false, "cannot be judged: read a histogram"},
	} {
		threshold, err := Parse(registers(), c.text)
		if err != nil {
			t.Fatal(err)
		}
		got := threshold.Judge(c.run)
		if got.Met != c.met || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %+v; want met %t, %q", c.text, got, c.met, c.why)
		}
	}
}

func TestFigures(t *testing.T) {
	rs := twoRuns(t)
	figures := Figures(rs[0])
	for key, want := range map[string]float64{"throughput": 11, "election p(50)": 400, "election max": 500, "unavailability max": 400, "leaders-lost": 2, "operations": 120} {
		if figures[key] != want {
			t.Errorf("%s is %v, want %v", key, figures[key], want)
		}
	}
	if len(ShownFigures()) != len(shown()) {
		t.Error("not every figure has its description")
	}
	quiet := Figures(run{seconds: 5, ok: 10, reads: upTo(10)}.results(t))
	if _, there := quiet["election p(50)"]; there {
		t.Error("there was no election, and yet a figure")
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{71.26, "ms", "71.3 ms"}, {0.5, "ms", "0.5 ms"}, {1500, "ms", "1,500 ms"}, {12345, "ms", "12.3 s"}, {0, "ms", "0 ms"},
		{2034.4, "ops/s", "2,034/s"}, {99.9996, "%", "99.9996%"}, {100, "%", "100%"}, {1234567, "", "1,234,567"}, {-1234.6, "", "-1,235"},
	} {
		if got := Format(c.value, c.unit); got != c.want {
			t.Errorf("%v %s is written %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}
