package reports

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"strings"
	"unicode"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"squall/history/elections"
	"squall/internal/atomicfile"
	"squall/internal/plain"
)

// The pictures of trials of elections, in their run directory.
const (
	ElectionsPNG = "elections-cdf.png"
	ElectionsSVG = "elections-cdf.svg"
)

// curve is one range of timeouts: ours as steps, the paper's as points.
type curve struct {
	name   string
	times  []elections.Millis // ascending
	paper  []point
	color  color.NRGBA
	dashes []vg.Length
}

// point is a time and the share of trials that were over by then.
type point struct{ ms, share float64 }

// Colours are Okabe and Ito's; with the strokes each curve has a look of its own
// without them too.
var (
	curveColors = []uint32{0x0072b2, 0xc67c00, 0x00805c, 0xb0568a, 0x1b2128, 0xc8320a}
	curveDashes = [][]vg.Length{nil, {7, 2.5}, {2, 2}, {9, 2, 2, 2}, {4, 1.5}}
)

// WriteElections draws into dir, as PNG and as SVG, how many trials had a new
// leader after what time, beside what is known of the paper's curves: once over
// the logarithm of time, and once, for what took less than a second, over time.
func WriteElections(dir string, r *elections.Record) error {
	curves := curvesOf(r)
	st := newStudio(sheetDPI)
	height := curvesHeight(curves, st)
	var png, svg bytes.Buffer
	for _, into := range []*bytes.Buffer{&png, &svg} {
		st.vector = into == &svg
		s := newSheet(height, lightTheme(), st)
		drawCurves(s, r, curves)
		if err := s.write(into); err != nil {
			return err
		}
	}
	for name, data := range map[string][]byte{ElectionsPNG: png.Bytes(), ElectionsSVG: svg.Bytes()} {
		if err := atomicfile.Write(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func curvesOf(r *elections.Record) []curve {
	var curves []curve
	for i, rg := range r.Ranges {
		c := curve{name: rg.Name(), times: elections.Times(rg),
			color: rgb(curveColors[i%len(curveColors)]), dashes: curveDashes[i%len(curveDashes)]}
		if p, ok := elections.PaperOf(rg); ok {
			for _, q := range []point{{float64(p.Sample.Min), 0}, {float64(p.P50), 0.5}, {float64(p.P90), 0.9}, {float64(p.P99), 0.99}, {float64(p.Sample.Max), 1}} {
				if q.ms > 0 {
					c.paper = append(c.paper, q)
				}
			}
		}
		curves = append(curves, c)
	}
	return curves
}

const (
	panelHeight = vg.Length(210)
	panelFoot   = vg.Length(44)
	linearMost  = 1000.0 // ms: what the linear panel shows at most
)

func curvesHeight(curves []curve, st studio) vg.Length {
	_, _, rows := newSheet(10, lightTheme(), st).flow(curvesLegend(curves), sheetWidth-2*marginEdge)
	return 12 + sizeTitle + 6 + sizeText + 9 + legendRow*vg.Length(rows) + 4 + 2*(panelHeight+panelFoot)
}

func curvesLegend(curves []curve) []legendEntry {
	var entries []legendEntry
	for _, c := range curves {
		entries = append(entries, legendEntry{c.name, func(s *sheet, x, y vg.Length) {
			mid := y + swatchHeight/2
			s.line(x, mid, x+swatchWidth, mid, 1.8, c.color, c.dashes...)
		}})
	}
	return append(entries, legendEntry{"what the paper has of the same range", func(s *sheet, x, y vg.Length) {
		mid := y + swatchHeight/2
		s.line(x, mid, x+swatchWidth, mid, 0.7, s.theme.muted, 1.5, 2)
		s.ring(x+swatchWidth/2, mid, s.theme.muted)
	}})
}

func (s *sheet) ring(x, y vg.Length, c color.Color) {
	s.DrawGlyph(draw.GlyphStyle{Color: c, Radius: 3.2, Shape: draw.RingGlyph{}}, vg.Point{X: x, Y: y})
}

// drawCurves draws both panels.
func drawCurves(s *sheet, r *elections.Record, curves []curve) {
	n := 0
	for _, c := range curves {
		n += len(c.times)
	}
	subtitle := fmt.Sprintf("%s, %d servers, %s; share of trials with a new leader after the crash of the old one", nameOf(r.System), len(r.Nodes), plural(n, "trial"))
	top := s.drawHead("Time without a leader", subtitle, curvesLegend(curves))
	low, high := extent(curves)
	upper := top - panelHeight
	axis := logPanel(low, high)
	s.drawPanel(axis, curves, upper, top-8, "time without a leader (ms, logarithmic)")
	lower := upper - panelFoot - panelHeight
	s.drawPanel(linearPanel(min(high, linearMost)), curves, lower, upper-panelFoot-8, "time without a leader (ms)")
}

// nameOf is a name as far as it can be drawn: a record may have been edited.
func nameOf(name string) string {
	const most = 40
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\ufffd'
	}, plain.Fit(name, most))
}

// extent is from the shortest to the longest time of all curves, in ms.
func extent(curves []curve) (low, high float64) {
	low, high = math.Inf(1), 0
	for _, c := range curves {
		if n := len(c.times); n > 0 {
			low, high = min(low, float64(c.times[0])), max(high, float64(c.times[n-1]))
		}
		for _, p := range c.paper {
			low, high = min(low, p.ms), max(high, p.ms)
		}
	}
	if high == 0 {
		return 10, 1000
	}
	return max(low, 1), max(high, 2)
}

// panelAxis is the axis of times of a panel. It is a scale laid on its side.
type panelAxis struct {
	scale
	ticks []tick
}

func logPanel(low, high float64) panelAxis {
	sc, ticks := logScale(low, high, marginLeft, sheetWidth-marginEdge)
	return panelAxis{sc, ticks}
}

func linearPanel(high float64) panelAxis {
	sc, ticks := linearScale(high, marginLeft, sheetWidth-marginEdge, 10)
	return panelAxis{sc, ticks}
}

// x is where a time lies; not ok when it is beyond the panel.
func (a panelAxis) x(ms float64) (x vg.Length, ok bool) { return a.y(ms), ms <= a.high }

func (s *sheet) drawPanel(a panelAxis, curves []curve, y0, y1 vg.Length, title string) {
	share := scale{0, 1, false, y0, y1}
	for _, t := range a.ticks {
		x, width := a.y(t.at), vg.Length(0.6)
		if t.label == "" {
			width = 0.3
		}
		s.line(x, y0, x, y1, width, s.theme.grid)
		s.text(x, y0-6, t.label, lettering{size: sizeText, color: s.theme.muted, x: text.XCenter, y: text.YTop})
	}
	for q := 0.0; q <= 1.001; q += 0.25 {
		y := share.y(q)
		s.line(a.y0, y, a.y1, y, 0.6, s.theme.grid)
		s.text(a.y0-6, y, fmt.Sprintf("%.0f %%", 100*q), lettering{size: sizeText, color: s.theme.muted, x: text.XRight, y: text.YCenter})
	}
	s.line(a.y0, y0, a.y1, y0, 0.9, s.theme.axis)
	s.text((a.y0+a.y1)/2, y0-21, title, lettering{size: sizeText, color: s.theme.muted, x: text.XCenter, y: text.YTop})
	s.text(marginEdge+5, (y0+y1)/2, "trials", lettering{size: sizeText, color: s.theme.muted, x: text.XCenter, y: text.YCenter, turned: true})
	for _, c := range curves {
		s.drawCurve(a, share, c)
	}
}

// drawCurve draws the paper's points of a range, and our trials over them.
func (s *sheet) drawCurve(a panelAxis, share scale, c curve) {
	var last vg.Point
	for i, p := range c.paper {
		x, ok := a.x(p.ms)
		if !ok {
			break // the joins are a help to the eye: none points beyond the panel
		}
		at := vg.Point{X: x, Y: share.y(p.share)}
		if i > 0 {
			s.line(last.X, last.Y, at.X, at.Y, 0.7, c.color, 1.5, 2)
		}
		s.ring(at.X, at.Y, c.color)
		last = at
	}
	n := float64(len(c.times))
	if n == 0 {
		return
	}
	first, _ := a.x(float64(c.times[0]))
	steps := []vg.Point{{X: first, Y: share.y(0)}}
	for i, t := range c.times {
		x, ok := a.x(float64(t))
		if !ok { // the rest lies beyond the panel
			steps = append(steps, vg.Point{X: a.y1, Y: share.y(float64(i) / n)})
			break
		}
		steps = append(steps, vg.Point{X: x, Y: share.y(float64(i) / n)}, vg.Point{X: x, Y: share.y(float64(i+1) / n)})
	}
	s.StrokeLines(draw.LineStyle{Color: c.color, Width: 1.8, Dashes: c.dashes}, steps)
}
