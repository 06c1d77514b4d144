package reports

import (
	"testing"

	"squall/history/measure"
)

// A loss and a gain are told apart, whichever way the figure goes; what chance may
// explain is neither; and what is better than during the warm-up is no gain.
func TestLossesAndGains(t *testing.T) {
	change := func(metric string, value float64, sure bool) measure.Change {
		return measure.Change{Metric: metric, Unit: "ms", To: "during", Value: value, Sure: sure}
	}
	for _, tt := range []struct {
		name   string
		change measure.Change
		begin  int64 // of the time before, ns after the load began
		at     int   // which metric
		want   felt
	}{
		{"less throughput", change("throughput", -50, true), 5e9, 0, felt{"−50 %", worse}},
		{"more throughput", change("throughput", 50, true), 5e9, 0, felt{"+50 %", better}},
		{"more than while it warmed up", change("throughput", 50, true), 1e9, 0, felt{"+50 %", ""}},
		{"less than while it warmed up", change("throughput", -50, true), 1e9, 0, felt{"−50 %", worse}},
		{"by chance", change("throughput", -50, false), 5e9, 0, felt{"−50 %", ""}},
		{"slower", change("latency p50", 30, true), 5e9, 2, felt{"×4", worse}},
		{"quicker", change("latency p50", -5, true), 5e9, 2, felt{"−50 %", better}},
		{"without an interval", change("latency p99", 1, true), 5e9, 2, felt{"±0 %", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const load = int64(3e9)
			stretch := measure.Stretch{Begin: load + tt.begin, Throughput: 100, Availability: 1, Latency: measure.Quantiles{Count: 9, P50: 10, P99: 20}}
			rows := effectRows([]measure.FaultEffect{{ID: 4, Name: "kill", Before: stretch, During: stretch, After: stretch, Changes: []measure.Change{tt.change}}},
				[]measure.FaultRun{{ID: 4, Name: "kill", Variant: "leader", Targets: []string{"n2"}}}, load)
			if got := rows[0].Metrics[tt.at].Felt; got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if warm := rows[0].Warm != ""; warm != (tt.begin < warmUp) {
				t.Errorf("warm-up: %v", warm)
			}
			if rows[0].Name != "kill leader (n2)" {
				t.Errorf("the row is called %q", rows[0].Name)
			}
		})
	}
}

func TestBars(t *testing.T) {
	if got, want := bars(200, 1, 0), [3]int{barHeight, 1, 0}; got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := bars(0, 0, 0); got != [3]int{} {
		t.Errorf("of nothing: %v", got)
	}
}
