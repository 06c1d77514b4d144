package measure

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"squall/history"
)

func TestCountOps(t *testing.T) {
	s := newScript().load(1000, 3000)
	s.op(900, 950, history.Read, history.OK) // before the load
	for i := int64(1); i <= 100; i++ {
		s.op(1000+i, 1000+2*i, history.Read, history.OK) // latencies 1…100 ms
	}
	s.op(1500, 1510, history.Write, history.Fail).op(1600, 2600, history.CAS, history.Info)
	s.op(3100, 3110, history.Write, history.OK) // after the load
	s.op(3300, 3310, history.Read, history.OK)
	s.in.Ops[len(s.in.Ops)-1].Final = true

	want := Ops{Total: 102, Beside: 3, OK: 100, Fail: 1, Info: 1, LoadSeconds: 2, Throughput: 50, Keys: 1, Availability: 100.0 / 102, NoSuccessMax: 1800, // from 1200 to the end at 3000
		ByFunc: map[string]FuncOps{
			"read":  {OK: 100, Latency: Quantiles{Count: 100, P50: 50, P90: 90, P99: 99, Max: 100}},
			"write": {Fail: 1},
			"cas":   {Info: 1},
		}}
	got := Summarize(s.in).Ops
	read := got.ByFunc["read"]
	h, err := ReadHistogram(read.Histogram)
	if err != nil || h.TotalCount() != 100 || h.ValueAtPercentile(50)/100 != 500 {
		t.Errorf("histogram %q: %v, error %v", read.Histogram, h, err)
	}
	read.Histogram = ""
	got.ByFunc["read"] = read
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOver(t *testing.T) {
	s := newScript().load(1000, 3200)
	s.op(1000, 1400, history.Read, history.OK).op(1000, 1600, history.Read, history.OK)
	s.op(1000, 1700, history.Write, history.OK).op(1000, 2100, history.Write, history.Fail)
	s.op(1000, 2999, history.CAS, history.Info).op(3000, 3100, history.Read, history.OK) // in the rest
	got := Over(s.in, 500*time.Millisecond)
	if got.Len() != 4 || got.At(0) != 1250*ms || got.PerSecond(3) != 6 {
		t.Errorf("len %d, at %d, rate %g", got.Len(), got.At(0), got.PerSecond(3))
	}
	if !slices.Equal(got.OK[history.Read], []int64{1, 1, 0, 0}) || !slices.Equal(got.OK[history.Write], []int64{0, 1, 0, 0}) ||
		!slices.Equal(got.Fail, []int64{0, 0, 1, 0}) || !slices.Equal(got.Info, []int64{0, 0, 0, 1}) ||
		!slices.Equal(got.Total(), []int64{1, 2, 0, 0}) || got.Latency[0].P50 != 400 {
		t.Errorf("%+v", got)
	}
}

func TestJoinFaults(t *testing.T) {
	s := newScript().fault(7, "kill", "leader", 5000, 8000, nil, "n1").fault(9, "pause", "one", 9000, 0, nil, "n2")
	s.fault(11, "partition", "halves", 12000, 15000, nil)
	s.in.Faults[3].Err = "n4: rule refused"
	s.in.Faults[4].Err = "n5 still cannot connect"
	want := []FaultRun{
		{ID: 7, Name: "kill", Variant: "leader", Targets: []string{"n1"}, Begin: 5000 * ms, Bitten: 5050 * ms,
			HealAt: 8000 * ms, Healed: 8050 * ms, Verified: true, Proof: []string{"bites"}, HealProof: []string{"healed"}},
		{ID: 9, Name: "pause", Variant: "one", Targets: []string{"n2"}, Begin: 9000 * ms, Bitten: 9050 * ms,
			Verified: true, Proof: []string{"bites"}},
		{ID: 11, Name: "partition", Variant: "halves", Begin: 12000 * ms, HealAt: 15000 * ms,
			Proof: []string{"bites"}, HealProof: []string{"healed"}, Err: "n4: rule refused; n5 still cannot connect"},
	}
	if diff := cmp.Diff(want, Summarize(s.in).Faults); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOutages(t *testing.T) {
	s := newScript().load(1000, 20000).
		fault(1, "kill", "one", 2000, 4000, nil, "n1").event(4010, "n1", history.EventStart, "").
		fault(2, "pause", "one", 3000, 5000, nil, "n2").event(5005, "n2", history.EventResume, "").
		isolate(3, "n3", 6000, 7000).fault(4, "kill", "majority", 8000, 0, nil, "n3", "n4", "n5")
	want := []Outage{
		{"n1", CauseKilled, Window{2000 * ms, 4010 * ms}},
		{"n2", CausePaused, Window{3000 * ms, 5005 * ms}},
		{"n3", CauseCutOff, Window{6000 * ms, 7000 * ms}},
		{"n3", CauseKilled, Window{8000 * ms, 20200 * ms}},
		{"n4", CauseKilled, Window{8000 * ms, 20200 * ms}},
		{"n5", CauseKilled, Window{8000 * ms, 20200 * ms}},
	}
	if diff := cmp.Diff(want, Outages(s.in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMedian(t *testing.T) {
	if got := median([]Millis{9, 1, 3, 5}); got != 4 {
		t.Errorf("even: %v", got)
	}
	if got := median([]Millis{9, 1, 3}); got != 3 {
		t.Errorf("odd: %v", got)
	}
}

// Whatever a history says, the figures stay sane: nothing negative, no loss
// outside the test, no leadership longer than what follows it in the same node.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newScript()
		node := rapid.SampledFrom(s.in.Header.Nodes)
		when := rapid.Int64Range(0, 30000)
		n := rapid.IntRange(0, 60).Draw(t, "things")
		for i := range n {
			at := when.Draw(t, "at")
			switch rapid.IntRange(0, 6).Draw(t, "kind") {
			case 0:
				s.leader(at, node.Draw(t, "node"), rapid.Uint64Range(1, 9).Draw(t, "term"))
			case 1:
				s.follower(at, node.Draw(t, "node"), rapid.Uint64Range(1, 9).Draw(t, "term"), "")
			case 2:
				s.candidate(at, node.Draw(t, "node"), rapid.Uint64Range(1, 9).Draw(t, "term"))
			case 3:
				s.event(at, node.Draw(t, "node"), rapid.SampledFrom([]string{"start", "exit", "pause", "resume"}).Draw(t, "e"), "")
			case 4:
				s.fault(i, rapid.SampledFrom([]string{"kill", "pause"}).Draw(t, "f"), "one", at, at+2000, nil, node.Draw(t, "node"))
			case 5:
				s.isolate(i, node.Draw(t, "node"), at, at+2000)
			case 6:
				s.succeeds(at, at+500)
			}
		}
		if rapid.Bool().Draw(t, "marks") {
			s.load(1000, 20000)
		}
		got, end := Summarize(s.in), TestEnd(s.in)
		for _, l := range got.Elections.Losses {
			if l.NoLeader < 0 || l.Unavailable < 0 || l.At < 0 || l.At > end || l.Cause == "" {
				t.Fatalf("loss %+v, test ends %d", l, end)
			}
			if l.Detection < 0 || l.Election < 0 || l.Rounds < l.SplitVotes || l.Clients.Max < l.Clients.Median ||
				l.Candidate != "" && l.NewLeader != "" && math.Abs(float64(l.Detection+l.Election-l.NoLeader)) > 1e-6 {
				t.Fatalf("phases of %+v", l)
			}
			if l.NewLeader != "" && l.NewTerm <= l.Term {
				t.Fatalf("followed by a lower term: %+v", l)
			}
		}
		for _, r := range got.Elections.Leaderships {
			if r.End != 0 && r.End < r.Begin {
				t.Fatalf("leadership %+v", r)
			}
		}
		for _, o := range Outages(s.in) {
			if o.End <= o.Begin || o.Cause == "" {
				t.Fatalf("outage %+v", o)
			}
		}
	})
}
