package reports

import (
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"squall/history/measure"
)

// legendEntry is a swatch and what it means. draw paints the swatch into a box
// of swatchWidth by swatchHeight whose lower left corner is (x, y).
type legendEntry struct {
	label string
	draw  func(s *sheet, x, y vg.Length)
}

const (
	swatchWidth  = vg.Length(20)
	swatchHeight = vg.Length(9)
	legendRow    = vg.Length(17)
)

// bandLegend explains the colours and strokes of the faults.
func bandLegend(faults []measure.FaultRun) []legendEntry {
	var entries []legendEntry
	for _, class := range faultClasses(faults) {
		entries = append(entries, legendEntry{string(class), func(s *sheet, x, y vg.Length) {
			s.hatchedBox(x, y-1, x+swatchWidth, y+swatchHeight+1, class)
		}})
	}
	return entries
}

// lineLegend explains a line of a plot.
func lineLegend(label string, st stroke) legendEntry {
	return legendEntry{label, func(s *sheet, x, y vg.Length) {
		mid := y + swatchHeight/2
		s.line(x, mid, x+swatchWidth, mid, st.width, st.color, st.dashes...)
	}}
}

// flow sets the entries of a legend in rows of the width that there is and
// returns where each goes, by row, counted from the top.
func (s *sheet) flow(entries []legendEntry, width vg.Length) (xs []vg.Length, rows []int, count int) {
	l := s.legendLettering()
	x, row := vg.Length(0), 0
	for _, e := range entries {
		w := swatchWidth + 5 + s.widthOf(e.label, l)
		if x > 0 && x+w > width {
			x, row = 0, row+1
		}
		xs, rows = append(xs, x), append(rows, row)
		x += w + 18
	}
	if len(entries) > 0 {
		count = row + 1
	}
	return xs, rows, count
}

func (s *sheet) legendLettering() lettering {
	return lettering{size: sizeText, color: s.theme.ink, x: text.XLeft, y: text.YCenter}
}

// drawLegend sets the entries below top and returns the height they took.
func (s *sheet) drawLegend(entries []legendEntry, top vg.Length) vg.Length {
	left := vg.Length(marginEdge)
	xs, rows, count := s.flow(entries, sheetWidth-left-marginEdge)
	for i, e := range entries {
		y := top - legendRow*vg.Length(rows[i]+1) + (legendRow-swatchHeight)/2
		e.draw(s, left+xs[i], y)
		s.text(left+xs[i]+swatchWidth+5, y+swatchHeight/2, e.label, s.legendLettering())
	}
	return legendRow * vg.Length(count)
}

// drawHead sets title, subtitle and legend at the top of a sheet and returns
// the height that is left below them.
func (s *sheet) drawHead(title, subtitle string, legends ...[]legendEntry) vg.Length {
	y := s.height - 12
	s.text(marginEdge, y, title, lettering{size: sizeTitle, bold: true, color: s.theme.ink, x: text.XLeft, y: text.YTop})
	y -= sizeTitle + 6
	sub := lettering{size: sizeText, color: s.theme.muted, x: text.XLeft, y: text.YTop}
	s.text(marginEdge, y, s.fit(subtitle, sub, sheetWidth-2*marginEdge), sub)
	y -= sizeText + 9
	for _, entries := range legends {
		y -= s.drawLegend(entries, y)
	}
	return y - 4
}

// drawNothing says in a plot's place why it is empty.
func (s *sheet) drawNothing(a timeAxis, y0, y1 vg.Length, why string) {
	s.text((a.x0+a.x1)/2, (y0+y1)/2, why, lettering{size: 13, color: s.theme.muted, x: text.XCenter, y: text.YCenter})
}
