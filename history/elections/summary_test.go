package elections

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMedianInterval(t *testing.T) {
	// The ranks are those of the tables: of 100 values the 40th and the 61st.
	for n, want := range map[int][2]Millis{5: {0, 0}, 6: {1, 6}, 10: {2, 9}, 30: {10, 21}, 100: {40, 61}, 1000: {469, 532}} {
		var values []Millis
		for i := range n {
			values = append(values, Millis(i+1))
		}
		if low, high := MedianInterval(values); (low != want[0] || high != want[1]) && n != 1000 {
			t.Errorf("of %d: %v to %v, want %v", n, low, high, want)
		} else if n == 1000 && (low < 465 || low > 472 || low+high != 1001) {
			t.Errorf("of %d: %v to %v, want about %v", n, low, high, want)
		}
	}
}

func TestSampleOf(t *testing.T) {
	var values []Millis
	for i := range 101 {
		values = append(values, Millis(100-i))
	}
	want := Sample{N: 101, Min: 0, P50: 50, P90: 90, P99: 99, Max: 100, Mean: 50}
	if diff := cmp.Diff(want, SampleOf(values)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if (SampleOf(nil) != Sample{}) {
		t.Error("of nothing something was made")
	}
	if got := Quantile([]Millis{10, 20, 30, 50}, 0.5); got != 25 {
		t.Errorf("between 20 and 30 lies %v", got)
	}
}

func TestSummarize(t *testing.T) {
	r := record()
	r.Net = Net{OneWay: Spread{0, 10}, Bare: Sample{P50: 1}}
	r.Ranges = []Range{{Min: 150, Max: 155, Heartbeat: 75, Seconds: 5, Trials: []Trial{
		{Outcome: Elected, Asked: 5, Found: Found{NoLeader: 300, Rounds: 2, Split: 1, Waited: 6}},
		{Outcome: Invalid, Why: "no", Found: Found{NoLeader: 9}},
		{Outcome: Undecided, Found: Found{NoLeader: 700, Rounds: 4}},
	}}}
	s := r.Summarize(500)[0]
	if s.Name != "150-155ms" || s.Times.N != 2 || s.Times.P50 != 500 || s.Invalid != 1 || s.Undecided != 1 ||
		s.Split != 1 || s.Rounds != 3 || s.Overhead != 2 || s.Overshoot.Max != 1 {
		t.Errorf("%+v", s)
	}
	if s.Paper == nil || s.Paper.P50 != 287 || s.Ratio < 1.74 || s.Ratio > 1.75 {
		t.Errorf("beside the paper: %+v, ratio %v", s.Paper, s.Ratio)
	}
	if s.Simple < 129.1 || s.Simple > 129.2 { // 150 + 5/3 - 37.5 + 15
		t.Errorf("without split votes %v", s.Simple)
	}
	// The delays of the links alone make the paper's median, give or take.
	if s.Model.P50 < 200 || s.Model.P50 > 400 {
		t.Errorf("the model's median is %v", s.Model.P50)
	}
	if _, ok := PaperOf(Range{Min: 1, Max: 2}); ok {
		t.Error("the paper has a range that it has not")
	}
}

func TestReason(t *testing.T) {
	paper := &Sample{P50: 100}
	for want, s := range map[string]Summary{
		"":                        {Ratio: 1.15, Times: Sample{N: 9, P50: 115}, Low: 110, High: 120},
		"too few trials to tell":  {Ratio: 1.3, Times: Sample{N: 9, P50: 130}, Low: 90, High: 140},
		"follows from what links": {Ratio: 1.3, Times: Sample{N: 9, P50: 130}, Low: 120, High: 140, Model: Sample{P50: 125}},
		"is due to the machine":   {Ratio: 1.3, Times: Sample{N: 9, P50: 130}, Low: 120, High: 140, Model: Sample{P50: 110}},
		"-30 % off the paper's":   {Ratio: 0.7, Times: Sample{N: 4, P50: 70}},
	} {
		s.Paper = paper
		if got := s.Reason(); got == "" != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q, want something of %q", got, want)
		}
	}
}

// TestModelEnds: servers of one timeout, on links that never vary, never elect a
// leader; the model gives up on them.
func TestModelEnds(t *testing.T) {
	m := Model{Survivors: 4, Eligible: 2, OneWay: Spread{5, 5}, VoterWrites: 1}
	times := m.Times(Range{Min: 150, Max: 150}, 4000, 1)
	if len(times) == 0 || len(times) == 4000 || times[0] < modelLimit {
		t.Errorf("%d trials, the first of %v ms", len(times), times[0])
	}
}

func TestParseRanges(t *testing.T) {
	got, err := ParseRanges("150-300ms, 12ms-24ms,1-1.5s")
	want := []Range{{Min: 150, Max: 300, Heartbeat: 75}, {Min: 12, Max: 24, Heartbeat: 6}, {Min: 1000, Max: 1500, Heartbeat: 500}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for text, part := range map[string]string{"": "not a range", "150ms": "not a range", "a-bms": "not a range", "150-300": "not a range",
		"300-150ms": "ascends", "1-3ms": "at least", "1s-2h": "at most", "150-300ms,150-300ms": "twice"} {
		if got, err := ParseRanges(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, %v; want an error with %q", text, got, err, part)
		}
	}
}

func TestReadRefusesWhatIsNoRecord(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "not a run of `squall elections`") {
		t.Errorf("without a record: %v", err)
	}
	for text, part := range map[string]string{"{": "damaged", `{"schemaVersion": 9}`: "schema version 9",
		`{"schemaVersion": 1}`: "names 0 nodes",
		`{"schemaVersion": 1, "nodes": ["a","b","c"], "ranges": [{"min": 0, "max": 0}]}`:              "from 0 to 0 ms",
		`{"schemaVersion": 1, "nodes": ["a","b","c"], "net": {"oneWay": {"min": 5, "max": 1}}}`:       "is out of range",
		`{"schemaVersion": 1, "nodes": ["a","b","c"], "disk": {"min": -1, "max": 1}, "ranges": null}`: "is out of range",
	} {
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", text, err)
		}
	}
	r := record()
	r.SchemaVersion = SchemaVersion
	r.Ranges = []Range{{Min: 10, Max: 20, Trials: []Trial{{Outcome: Elected, Leader: "n1"}}}}
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if diff := cmp.Diff(r, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
