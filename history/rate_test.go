package history

import (
	"math"
	"testing"
)

func TestDemand(t *testing.T) {
	const s = int64(1e9)
	marks := []Mark{
		{Name: MarkLoadBegin, Time: 0},
		{Name: MarkRate, Time: 0, Rate: &Rate{From: 100, To: 100, For: 10 * s}},
		{Name: MarkRate, Time: 10 * s, Rate: &Rate{For: 5 * s}},
		{Name: MarkOverloaded, Time: 12 * s},
		{Name: MarkRate, Time: 15 * s, Rate: &Rate{From: 100, To: 300, For: 10 * s}},
		{Name: MarkRate, Time: 26 * s, Rate: &Rate{From: 5}}, // a second late: the ramp's end lasts until then
	}
	demand := DemandOf(marks)
	for _, tt := range []struct {
		from, to int64
		want     float64
	}{
		{0, 10 * s, 1000},
		{-5 * s, s, 100},
		{8 * s, 12 * s, 200},
		{10 * s, 15 * s, 0},
		{11 * s, 14 * s, 0},
		{15 * s, 20 * s, 750},
		{15 * s, 25 * s, 2000},
		{25 * s, 26 * s, 300},
		{26 * s, 36 * s, 50},
		{0, 36 * s, 1000 + 2000 + 300 + 50},
		{20 * s, 20 * s, 0},
		{20 * s, 19 * s, 0},
	} {
		if got := demand.Between(tt.from, tt.to); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("from %d to %d: %g, want %g", tt.from/s, tt.to/s, got, tt.want)
		}
	}
	if got := DemandOf(marks[:1]).Between(0, s); !math.IsInf(got, 1) {
		t.Errorf("of a load that waits for answers: %g", got)
	}
}
