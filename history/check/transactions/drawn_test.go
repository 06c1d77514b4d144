package transactions

import (
	"slices"
	"strings"
	"testing"

	"squall/history/check"
)

// isDrawn holds a violation to this: one that is told as a circle has it as edges, each of
// which says what Adya calls it and goes on where the one before ended.
func isDrawn(t *testing.T, res check.Result) {
	t.Helper()
	circle := strings.Contains(res.Explanation, "So none of them can be the first.") || res.Anomaly == "lost update"
	if circle != (len(res.Cycle) > 1) {
		t.Errorf("%s has %d edges: %s", res.Anomaly, len(res.Cycle), res.Explanation)
	}
	inTime := false
	for i, e := range res.Cycle {
		timed := e.Kind == "rt" || e.Kind == "process"
		inTime = inTime || timed
		next := res.Cycle[(i+1)%len(res.Cycle)]
		if e.To != next.From || e.From < 0 || e.From >= len(res.Witness) || timed != (e.On == "") || !slices.Contains([]string{"wr", "ww", "rw", "rt", "process"}, e.Kind) {
			t.Errorf("%s: edge %d is %+v, and the next %+v", res.Anomaly, i, e, next)
		}
	}
	if named := strings.HasSuffix(res.Anomaly, "-realtime") || strings.HasSuffix(res.Anomaly, "-process"); inTime && !named {
		t.Errorf("%s has an edge of time: %+v", res.Anomaly, res.Cycle)
	}
}

// TestTheEdgesOfACircle: a read skew is a read of what another wrote, and of what it replaced.
func TestTheEdgesOfACircle(t *testing.T) {
	res := checkRegisters(t, Mini(), appended(rw("r x, w x 1, r y, w y 2", 1, 9), rw("r x 1, r y", 1, 9)))
	want := []check.CycleEdge{{From: 0, To: 1, Kind: "rw", On: "y"}, {From: 1, To: 0, Kind: "wr", On: "x"}} // the read is told first
	if !slices.Equal(res.Cycle, want) {
		t.Errorf("its edges are %+v, want %+v", res.Cycle, want)
	}
}
