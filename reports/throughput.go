package reports

import (
	"fmt"
	"image/color"
	"maps"
	"slices"
	"time"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"squall/history"
	"squall/history/measure"
	"squall/internal/number"
)

// stroke is how a line looks.
type stroke struct {
	color  color.NRGBA
	width  vg.Length
	dashes []vg.Length
}

// bucketStep is how wide the buckets of a load should be: fine enough to show
// an election, coarse enough that a bucket holds some operations, and no more
// of them than the figure has room for.
func bucketStep(load measure.Window, ok int64) time.Duration {
	length := time.Duration(load.End - load.Begin)
	perSecond := float64(ok) / max(length.Seconds(), 1e-9)
	for _, step := range []time.Duration{
		50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	} {
		if length/step <= 320 && (perSecond*step.Seconds() >= 8 || step == 500*time.Millisecond) {
			return step
		}
	}
	step := 500 * time.Millisecond
	for length/step > 640 {
		step *= 2
	}
	return step
}

// funcsOf are the functions that occurred.
func funcsOf(does history.Functions, series measure.Series) []history.Func {
	return inOrder(does, slices.Collect(maps.Keys(series.OK)))
}

// drawThroughput draws operations per second by function, and under it, on the
// same time axis, those that failed and those of unknown outcome.
func drawThroughput(fig *figures, th theme, st studio) *sheet {
	s := newSheet(430, th, st)
	series := fig.series
	a := newTimeAxis(fig.shown)
	funcs := funcsOf(fig.does, series)

	total := stroke{color: th.ink, width: 1.1}
	failed, unknown := stroke{th.fail, 1.4, nil}, stroke{th.info, 1.4, []vg.Length{4, 2}}
	legend := []legendEntry{}
	if len(funcs) > 1 {
		legend = append(legend, lineLegend("all that succeeded", total))
	}
	for _, f := range funcs {
		legend = append(legend, lineLegend(string(f), th.strokeOf(lookOf(fig.does, f))))
	}
	legend = append(legend, lineLegend("failed", failed), lineLegend("outcome unknown", unknown))
	legend = append(legend, bandLegend(fig.faults)...)

	subtitle := fmt.Sprintf("%s operations succeeded in %s s of load: %s a second; buckets of %s",
		number.Count(fig.ops.OK), number.Decimals(fig.ops.LoadSeconds, 1), number.Digits(fig.ops.Throughput, 3),
		stepText(series))
	top := s.drawHead("Throughput", subtitle, legend) - bandTab - bandRows*bandRow
	const foot = 40
	split := foot + vg.Length(64)
	upper, lower := [2]vg.Length{split + 14, top}, [2]vg.Length{foot, split}

	s.drawBands(a, fig.faults, lower[0], upper[1])
	s.drawTimeGrid(a, lower[0], lower[1])
	s.drawTimeGrid(a, upper[0], upper[1])
	s.drawUpper(a, fig, funcs, total, upper)
	s.drawLower(a, series, failed, unknown, lower)
	s.drawBandHeads(a, fig.faults, top)
	s.drawTimeAxis(a, foot)
	return s
}

func (s *sheet) drawUpper(a timeAxis, fig *figures, funcs []history.Func, total stroke, y [2]vg.Length) {
	series := fig.series
	sums := series.Total()
	sc, ticks := linearScale(series.PerSecond(highest(sums)), y[0], y[1], 5)
	s.drawScale(a, sc, ticks, "succeeded (ops/s)")
	s.line(a.x0, y[0], a.x1, y[0], 0.9, s.theme.axis)
	if highest(sums) == 0 {
		s.drawNothing(a, y[0], y[1], "no operation succeeded")
		return
	}
	s.drawArea(a, sc, series, sums, withAlpha(s.theme.muted, 18))
	if len(funcs) > 1 {
		s.drawSeries(a, sc, series, sums, total)
	}
	for _, f := range funcs {
		s.drawSeries(a, sc, series, series.OK[f], s.theme.strokeOf(lookOf(fig.does, f)))
	}
}

func (s *sheet) drawLower(a timeAxis, series measure.Series, failed, unknown stroke, y [2]vg.Length) {
	sc, ticks := linearScale(series.PerSecond(max(highest(series.Fail), highest(series.Info))), y[0], y[1], 2)
	s.drawScale(a, sc, ticks, "other (ops/s)")
	if series.Len() == 0 {
		return
	}
	s.drawSeries(a, sc, series, series.Fail, failed)
	s.drawSeries(a, sc, series, series.Info, unknown)
}

// points are the middles of the buckets.
func points(a timeAxis, sc scale, series measure.Series, counts []int64) []vg.Point {
	pts := make([]vg.Point, len(counts))
	for i, n := range counts {
		pts[i] = vg.Point{X: a.x(series.At(i)), Y: sc.y(series.PerSecond(n))}
	}
	return pts
}

func (s *sheet) drawSeries(a timeAxis, sc scale, series measure.Series, counts []int64, st stroke) {
	width := st.width
	if len(counts) > 320 {
		width *= 0.6
	}
	s.StrokeLines(draw.LineStyle{Color: st.color, Width: width, Dashes: st.dashes}, points(a, sc, series, counts))
}

func (s *sheet) drawArea(a timeAxis, sc scale, series measure.Series, counts []int64, c color.Color) {
	pts := points(a, sc, series, counts)
	pts = append(pts, vg.Point{X: pts[len(pts)-1].X, Y: sc.y0}, vg.Point{X: pts[0].X, Y: sc.y0})
	s.FillPolygon(c, pts)
}

func highest(counts []int64) int64 {
	if len(counts) == 0 {
		return 0
	}
	return slices.Max(counts)
}
