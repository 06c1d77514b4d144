package elections

import (
	"math"
	"testing"
)

// TestPaperModel: what is known of the paper's servers explains its figure. The
// two narrowest ranges hang on how ties are broken, which no model knows.
func TestPaperModel(t *testing.T) {
	for _, p := range Papers() {
		r := Range{Min: p.Min, Max: p.Max}
		if p.Max-p.Min < 5 {
			continue
		}
		got := SampleOf(PaperModel().Times(r, 4000, 7))
		for _, c := range []struct {
			name      string
			got, want Millis
			tolerance float64
		}{{"median", got.P50, p.P50, 0.15}, {"mean", got.Mean, p.Mean, 0.25}, {"p90", got.P90, p.P90, 0.25}, {"p99", got.P99, p.P99, 0.30}} {
			if off := math.Abs(float64(c.got/c.want) - 1); off > c.tolerance {
				t.Errorf("%s: %s %.0f ms, the paper has %.0f", r.Name(), c.name, c.got, c.want)
			}
			t.Logf("%s: %s %.0f ms, the paper has %.0f", r.Name(), c.name, c.got, c.want)
		}
	}
}
