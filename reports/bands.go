package reports

import (
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"squall/history/measure"
)

// bandRows is how many rows of labels stand above a plot, and bandRow how high
// one of them is.
const (
	bandRows = 2
	bandRow  = vg.Length(13)
	bandTab  = vg.Length(5) // the strip of full colour at a band's head
	// maxLabels is how many faults are named; of more, names would fit over
	// some only, and one could not say over which.
	maxLabels = 32
)

// faultWindow is when a fault was in force; it lasts to the end when it was never
// healed.
func faultWindow(f measure.FaultRun, end int64) measure.Window {
	w := measure.Window{Begin: f.Begin, End: end}
	if f.Healed > 0 {
		w.End = f.Healed
	} else if f.HealAt > 0 {
		w.End = f.HealAt
	}
	return w
}

// faultBand is a fault's place on a time axis.
type faultBand struct {
	x0, x1 vg.Length
	fault  *measure.FaultRun
}

// bandsOf are the bands to draw, in order of the faults. What did not take effect
// has none. Neither has a fault that would lie on one of its class to the eye: so
// there are never more bands than the axis has room for, whatever the history holds.
func bandsOf(a timeAxis, faults []measure.FaultRun) []faultBand {
	const least = vg.Length(1) // a band is at least so wide
	var bands []faultBand
	last := map[measure.FaultClass]vg.Length{} // where the last one of a class begins
	for i := range faults {
		f := &faults[i]
		w := faultWindow(*f, a.End)
		if !f.Verified || w.End < a.Begin || w.Begin > a.End {
			continue
		}
		x0, x1 := a.x(w.Begin), a.x(w.End)
		if before, ok := last[f.Class()]; ok && x0 >= before && x0-before < least/2 && x1-x0 <= least {
			continue
		}
		x1 = max(x1, x0+least)
		last[f.Class()] = x0
		bands = append(bands, faultBand{x0, x1, f})
	}
	return bands
}

// drawBands paints the faults behind a plot that reaches from y0 to y1.
func (s *sheet) drawBands(a timeAxis, faults []measure.FaultRun, y0, y1 vg.Length) {
	for _, b := range bandsOf(a, faults) {
		x0, x1, f := b.x0, b.x1, b.fault
		c := bandColor(f.Class())
		s.fill(x0, y0, x1, y1, withAlpha(c, s.theme.band))
		if x1-x0 > 8 { // else the lines would be all that is seen
			s.hatch(x0, y0, x1, y1, 8, f.Class(), withAlpha(edge(c), s.theme.strokes))
			s.line(x0, y0, x0, y1, 0.7, withAlpha(edge(c), 200))
			s.line(x1, y0, x1, y1, 0.7, withAlpha(edge(c), 200), 2, 2)
		}
	}
}

// drawBandHeads paints the tabs above y and the names over them.
func (s *sheet) drawBandHeads(a timeAxis, faults []measure.FaultRun, y vg.Length) {
	var heads []bandHead
	for _, b := range bandsOf(a, faults) {
		x0, x1, f := b.x0, b.x1, b.fault
		c := bandColor(f.Class())
		s.fill(x0, y, x1, y+bandTab, c)
		s.frame(x0, y, x1, y+bandTab, 0.6, edge(c))
		heads = append(heads, bandHead{x: x0, names: slices.DeleteFunc(bandLabels(*f), tooLong), color: edge(c)})
	}
	if len(heads) > maxLabels {
		return
	}
	l := lettering{size: sizeSmall, color: s.theme.ink, x: text.XLeft, y: text.YBottom}
	base := y + bandTab + 3
	for _, p := range placeLabels(heads, a.x1, func(txt string) vg.Length { return s.widthOf(txt, l) }) {
		up := vg.Length(p.row) * bandRow
		if p.row > 0 { // a line leads to it
			s.line(p.stem, y+bandTab, p.stem, base+up+bandRow-6, 0.6, p.color)
		}
		s.text(p.x, base+up, p.text, l)
	}
}

// bandHead is where a band begins and what it may be called, the most telling
// name first.
type bandHead struct {
	x     vg.Length
	names []string
	color color.Color
}

// placedLabel is a name in its place; a name above the lowest row stands beside
// a line that leads down to its band at stem.
type placedLabel struct {
	x, width, stem vg.Length
	row            int
	text           string
	color          color.Color
}

// placeLabels puts names over bands so that no two touch: the longest that
// ends before the next band begins; else, in the lowest row with room, what is
// free beside the names before it. A band without room for any keeps its
// colour, and its line in the table of faults.
func placeLabels(heads []bandHead, end vg.Length, width func(string) vg.Length) []placedLabel {
	const air = vg.Length(5)
	var placed []placedLabel
	var free [bandRows]vg.Length // from here on, in each row
	for i, h := range heads {
		next := end
		if i+1 < len(heads) {
			next = heads[i+1].x - 3
		}
		p, ok := placedLabel{x: h.x, stem: h.x, color: h.color}, false
		for _, p.text = range h.names {
			if p.width = width(p.text); h.x >= free[0] && h.x+p.width <= next {
				ok = true
				break
			}
		}
		for n := 0; !ok && n < len(h.names)*bandRows; n++ {
			p.text, p.row = h.names[n/bandRows], n%bandRows
			p.x, p.width = h.x, width(p.text)
			if p.row > 0 {
				p.x += 3 // beside its line, which passes through row 0
			}
			ok = h.x >= free[0] && p.x >= free[p.row] && p.x+p.width <= end
		}
		if !ok {
			continue
		}
		free[0] = max(free[0], p.stem+air)
		free[p.row] = p.x + p.width + air
		placed = append(placed, p)
	}
	return placed
}

// tooLong is a name for which no picture has room: measuring it would only take time,
// and a history from elsewhere may name a fault as it likes.
func tooLong(name string) bool { return len(name) > 500 }

// bandLabels are the names of a fault, the most telling first.
func bandLabels(f measure.FaultRun) []string {
	full := strings.TrimSpace(f.Name + " " + f.Variant)
	labels := []string{full, f.Name}
	if len(f.Targets) == 1 && !strings.Contains(f.Variant, f.Targets[0]) {
		labels = append([]string{full + " (" + f.Targets[0] + ")"}, labels...)
	}
	return labels
}

// faultClasses are the classes that occurred, in order of appearance.
func faultClasses(faults []measure.FaultRun) []measure.FaultClass {
	var classes []measure.FaultClass
	for _, f := range faults {
		if c := f.Class(); f.Verified && !slices.Contains(classes, c) {
			classes = append(classes, c)
		}
	}
	return classes
}
