package checkbench

import (
	"testing"

	"squall/history"
	"squall/history/check"
)

// TestCasesAreRight: what is measured is right, by the check and, of few operations, by
// porcupine; and it holds as many operations as it says.
func TestCasesAreRight(t *testing.T) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			scale := 300 / float64(c.Ops)
			h := c.History(scale)
			unknown := 0
			for i := range h.Ops {
				if h.Ops[i].Outcome == history.Info {
					unknown++
				}
			}
			if len(h.Ops) != 300 || (unknown > 0) != (c.shape.pending > 0) {
				t.Errorf("%d operations, %d of unknown outcome", len(h.Ops), unknown)
			}
			if r := c.Measure(t.Context(), scale, false); r.Verdict != check.Pass || r.PeakMB <= 0 {
				t.Errorf("%+v", r)
			}
			if c.Rival() && c.shape.pending == 0 && c.shape.clients == 10 {
				if r := c.Measure(t.Context(), 60/float64(c.Ops), true); r.Verdict != check.Pass {
					t.Errorf("porcupine: %+v", r)
				}
			}
		})
	}
}
