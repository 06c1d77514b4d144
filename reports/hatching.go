package reports

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"squall/history/measure"
)

// slants are the directions of the strokes of each class of faults, so that its
// colour is not alone: x to the right, y downwards. The pages have the same
// (assets/scene.js, assets/report.css).
var slants = map[measure.FaultClass][][2]float64{
	measure.ClassKill:       {{1, 1}},
	measure.ClassPause:      {{0, 1}},
	measure.ClassPartition:  {{1, -1}},
	measure.ClassPackets:    {{2, 1}},
	measure.ClassClock:      {{2, -1}},
	measure.ClassStarve:     {{1, 2}},
	measure.ClassMembership: {{0, 1}, {1, 0}},
	measure.ClassOther:      {{1, 0}},
}

// hatch strokes a box as its class is stroked, the strokes gap apart.
func (s *sheet) hatch(x0, y0, x1, y1, gap vg.Length, class measure.FaultClass, c color.Color) {
	directions, ok := slants[class]
	if !ok {
		directions = slants[measure.ClassOther]
	}
	var p vg.Path
	for _, d := range directions {
		appendStrokes(&p, x0, y0, x1, y1, gap, d)
	}
	if len(p) == 0 {
		return // a box without room for a stroke
	}
	s.SetLineStyle(draw.LineStyle{Color: c, Width: 0.7})
	s.Stroke(p)
}

// appendStrokes appends the parallels in a box, cut to it. Those of neighbouring
// boxes meet: all are counted from where the sheet begins.
func appendStrokes(p *vg.Path, x0, y0, x1, y1, gap vg.Length, d [2]float64) {
	// A stroke is where n·(x, y) is a multiple of the gap; y grows upwards here.
	length := math.Hypot(d[0], d[1])
	dx, dy := vg.Length(d[0]/length), vg.Length(-d[1]/length)
	nx, ny := -dy, dx
	low, high := vg.Length(math.Inf(1)), vg.Length(math.Inf(-1))
	for _, at := range []vg.Length{nx*x0 + ny*y0, nx*x0 + ny*y1, nx*x1 + ny*y0, nx*x1 + ny*y1} {
		low, high = min(low, at), max(high, at)
	}
	for k := vg.Length(math.Ceil(float64(low / gap))); k*gap <= high; k++ {
		px, py := nx*k*gap, ny*k*gap
		from, to := vg.Length(math.Inf(-1)), vg.Length(math.Inf(1))
		from, to = within(from, to, px, dx, x0, x1)
		from, to = within(from, to, py, dy, y0, y1)
		if to-from > 0.5 {
			p.Move(vg.Point{X: px + from*dx, Y: py + from*dy})
			p.Line(vg.Point{X: px + to*dx, Y: py + to*dy})
		}
	}
}

// within cuts the part of a line, at + t·d for t from from to to, that lies
// between a and b.
func within(from, to, at, d, a, b vg.Length) (vg.Length, vg.Length) {
	if math.Abs(float64(d)) < 1e-9 {
		if at < a || at > b {
			return 0, 0
		}
		return from, to
	}
	t0, t1 := (a-at)/d, (b-at)/d
	return max(from, min(t0, t1)), min(to, max(t0, t1))
}

// hatchedBox is a box of a class of faults: pale, with its strokes and an edge.
func (s *sheet) hatchedBox(x0, y0, x1, y1 vg.Length, class measure.FaultClass) {
	c := bandColor(class)
	s.fill(x0, y0, x1, y1, withAlpha(c, s.theme.hatched))
	s.hatch(x0, y0, x1, y1, 3.6, class, edge(c))
	s.frame(x0, y0, x1, y1, 0.7, edge(c))
}
