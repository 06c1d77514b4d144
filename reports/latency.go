package reports

import (
	"fmt"
	"image/color"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"squall/history"
	"squall/history/measure"
	"squall/internal/number"
)

// drawLatency draws every operation by when it returned and how long it took,
// and the median and the 99th percentile of those that succeeded.
func drawLatency(fig *figures, th theme, st studio) *sheet {
	s := newSheet(430, th, st)
	a := newTimeAxis(fig.shown)
	p50 := stroke{color: th.ink, width: 1.6}
	p99 := stroke{color: th.ink, width: 1.2, dashes: []vg.Length{4, 2}}

	subtitle := "no operation succeeded"
	if q := fig.latency; q.Count > 0 {
		subtitle = fmt.Sprintf("of the operations that succeeded: median %s, 99 %% within %s, slowest %s",
			number.Millis(q.P50), number.Millis(q.P99), number.Millis(q.Max))
	}
	if c := fig.cloud; len(c.dots) < c.total {
		subtitle += fmt.Sprintf("; %s of %s are drawn, and all that stand out", number.Count(len(c.dots)), number.Count(c.total))
	}
	top := s.drawHead("Latency", subtitle, s.latencyLegend(fig, p50, p99)) - bandTab - bandRows*bandRow
	const foot = 40

	low, _ := fig.cloud.floor()
	sc, ticks := logScale(low, max(fig.cloud.high, low), foot, top)
	s.drawBands(a, fig.faults, foot, top)
	s.drawTimeGrid(a, foot, top)
	s.drawScale(a, sc, ticks, "latency (ms, log scale)")
	if fig.cloud.total == 0 {
		s.drawNothing(a, foot, top, "no operations")
	}
	s.drawDots(a, sc, fig, history.OK)
	s.drawQuantile(a, sc, fig.series, p50, func(q measure.Quantiles) measure.Millis { return q.P50 })
	s.drawQuantile(a, sc, fig.series, p99, func(q measure.Quantiles) measure.Millis { return q.P99 })
	s.drawDots(a, sc, fig, history.Fail)
	s.drawDots(a, sc, fig, history.Info)
	s.drawBandHeads(a, fig.faults, top)
	s.drawTimeAxis(a, foot)
	return s
}

func (s *sheet) latencyLegend(fig *figures, p50, p99 stroke) []legendEntry {
	var legend []legendEntry
	for _, f := range funcsSeen(fig.does, fig.cloud.dots) {
		legend = append(legend, legendEntry{string(f), func(s *sheet, x, y vg.Length) {
			s.glyphs(s.theme.muted, 3, lookOf(fig.does, f), []vg.Point{{X: x + swatchWidth - 5, Y: y + swatchHeight/2}})
		}})
	}
	for _, o := range []struct {
		label string
		color color.NRGBA
	}{{"ok", s.theme.ok}, {"failed", s.theme.fail}, {"outcome unknown (when the client gave up)", s.theme.info}} {
		legend = append(legend, legendEntry{o.label, func(s *sheet, x, y vg.Length) {
			s.fill(x+swatchWidth-swatchHeight, y, x+swatchWidth, y+swatchHeight, o.color)
		}})
	}
	legend = append(legend, lineLegend("median", p50), lineLegend("99th percentile", p99))
	return append(legend, bandLegend(fig.faults)...)
}

// funcsSeen are the functions of the dots.
func funcsSeen(does history.Functions, dots []dot) []history.Func {
	seen := map[history.Func]bool{}
	for _, d := range dots {
		seen[d.f] = true
	}
	return inOrder(does, slices.Collect(maps.Keys(seen)))
}

// drawDots draws the operations of one outcome, those that look alike in one
// go.
func (s *sheet) drawDots(a timeAxis, sc scale, fig *figures, outcome history.Outcome) {
	dots := fig.cloud.dots
	c, radius := s.theme.ok, vg.Length(1.3)
	switch {
	case outcome == history.Fail:
		c, radius = s.theme.fail, 2.1
	case outcome == history.Info:
		c, radius = s.theme.info, 2.1
	case len(dots) > 4000:
		c = withAlpha(c, 120)
	default:
		c = withAlpha(c, 180)
	}
	at := map[history.Func][]vg.Point{}
	for _, d := range dots {
		if d.outcome == outcome {
			at[d.f] = append(at[d.f], vg.Point{X: a.x(d.at), Y: sc.y(d.ms)})
		}
	}
	for _, f := range funcsSeen(fig.does, dots) {
		s.glyphs(c, radius, lookOf(fig.does, f), at[f])
	}
}

// glyphs fills one shape at many points: a circle for the first function of the
// header, a triangle for the second, a square for the third, a diamond for any other.
func (s *sheet) glyphs(c color.Color, r vg.Length, f funcLook, at []vg.Point) {
	const batch = 250 // filling takes time with the square of it
	s.SetColor(c)
	for len(at) > 0 {
		n := min(batch, len(at))
		var p vg.Path
		for _, pt := range at[:n] {
			appendGlyph(&p, pt, r, f)
		}
		s.Fill(p)
		at = at[n:]
	}
}

func appendGlyph(p *vg.Path, pt vg.Point, r vg.Length, f funcLook) {
	corners := func(ds ...vg.Point) {
		p.Move(pt.Add(ds[0]))
		for _, d := range ds[1:] {
			p.Line(pt.Add(d))
		}
		p.Close()
	}
	switch f {
	case 0:
		p.Move(vg.Point{X: pt.X + r, Y: pt.Y})
		p.Arc(pt, r, 0, 2*math.Pi)
		p.Close()
	case 1:
		corners(vg.Point{X: 0, Y: 1.25 * r}, vg.Point{X: -1.15 * r, Y: -0.8 * r}, vg.Point{X: 1.15 * r, Y: -0.8 * r})
	case 2:
		corners(vg.Point{X: -r, Y: -r}, vg.Point{X: r, Y: -r}, vg.Point{X: r, Y: r}, vg.Point{X: -r, Y: r})
	default:
		corners(vg.Point{X: 0, Y: 1.3 * r}, vg.Point{X: -1.3 * r, Y: 0}, vg.Point{X: 0, Y: -1.3 * r}, vg.Point{X: 1.3 * r, Y: 0})
	}
}

// drawQuantile draws a quantile of each bucket, with a break where nothing
// succeeded.
func (s *sheet) drawQuantile(a timeAxis, sc scale, series measure.Series, st stroke, of func(measure.Quantiles) measure.Millis) {
	style := draw.LineStyle{Color: st.color, Width: st.width, Dashes: st.dashes}
	var run []vg.Point
	flush := func() {
		if len(run) > 1 {
			s.StrokeLines(style, run)
		}
		run = nil
	}
	for i, q := range series.Latency {
		if q.Count == 0 {
			flush()
			continue
		}
		run = append(run, vg.Point{X: a.x(series.At(i)), Y: sc.y(max(float64(of(q)), shortest))})
	}
	flush()
}
