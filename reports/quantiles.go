package reports

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gonum.org/v1/plot/vg"

	"squall/history/measure"
)

// quantile is a line of the figure of quantiles.
type quantile struct {
	label  string
	of     func(measure.Quantiles) measure.Millis
	stroke stroke
}

// quantilesOf are the lines that are drawn, each with a rhythm of its own.
func quantilesOf(th theme) []quantile {
	return []quantile{
		{"slowest", func(q measure.Quantiles) measure.Millis { return q.Max }, stroke{th.fail, 1, []vg.Length{1.2, 2}}},
		{"99th percentile", func(q measure.Quantiles) measure.Millis { return q.P99 }, stroke{th.info, 1.4, []vg.Length{5, 2}}},
		{"90th percentile", func(q measure.Quantiles) measure.Millis { return q.P90 }, stroke{th.colorOf(2), 1.4, []vg.Length{7, 2, 1.6, 2}}},
		{"median", func(q measure.Quantiles) measure.Millis { return q.P50 }, stroke{th.ink, 1.6, nil}},
	}
}

// drawQuantiles draws quantiles of the latency of what succeeded, a point for
// each bucket.
func drawQuantiles(fig *figures, th theme, st studio) *sheet {
	s := newSheet(340, th, st)
	a := newTimeAxis(fig.shown)
	var legend []legendEntry
	lines := quantilesOf(th)
	low, high := math.Inf(1), 0.0
	for _, q := range lines {
		legend = append(legend, lineLegend(q.label, q.stroke))
		for _, b := range fig.series.Latency {
			if b.Count > 0 {
				v := max(float64(q.of(b)), shortest)
				low, high = min(low, v), max(high, v)
			}
		}
	}
	legend = append(legend, bandLegend(fig.faults)...)
	subtitle := fmt.Sprintf("of the operations that succeeded, by when they returned; buckets of %s", stepText(fig.series))
	top := s.drawHead("Quantiles of the latency", subtitle, legend) - bandTab - bandRows*bandRow
	const foot = 40
	sc, ticks := logScale(low, high, foot, top)
	s.drawBands(a, fig.faults, foot, top)
	s.drawTimeGrid(a, foot, top)
	s.drawScale(a, sc, ticks, "latency (ms, log scale)")
	if high == 0 {
		s.drawNothing(a, foot, top, "no operation succeeded")
	}
	for _, q := range lines {
		s.drawQuantile(a, sc, fig.series, q.stroke, q.of)
	}
	s.drawBandHeads(a, fig.faults, top)
	s.drawTimeAxis(a, foot)
	return s
}

// stepText is the width of the buckets of a series.
func stepText(series measure.Series) string {
	return strings.ReplaceAll(time.Duration(series.Step).String(), "ms", " ms")
}
