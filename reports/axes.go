package reports

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"squall/history/measure"
	"squall/internal/number"
)

// timeAxis maps a time (ns since the start of the test) to a place.
type timeAxis struct {
	measure.Window
	x0, x1 vg.Length
}

func newTimeAxis(w measure.Window) timeAxis {
	if w.End <= w.Begin {
		w.End = w.Begin + 1e9
	}
	return timeAxis{w, marginLeft, sheetWidth - marginEdge}
}

// x is where t lies, at the edge when it lies outside.
func (a timeAxis) x(t int64) vg.Length {
	f := float64(t-a.Begin) / float64(a.End-a.Begin)
	return a.x0 + vg.Length(min(max(f, 0), 1))*(a.x1-a.x0)
}

// tick is a place on an axis and what it says; "" for a line without words.
type tick struct {
	at    float64
	label string
}

// ticks are round times, in seconds, or in minutes when the test is long.
func (a timeAxis) ticks() (ticks []tick, unit string) {
	length := float64(a.End-a.Begin) / 1e9
	unit, per := "s", 1.0
	if length > 900 {
		unit, per = "min", 60
	}
	step := niceStep(length/per, 11)
	from, to := float64(a.Begin)/1e9/per, float64(a.End)/1e9/per
	for v := math.Ceil(from/step-1e-9) * step; v <= to+step*1e-6; v += step {
		ticks = append(ticks, tick{v * per * 1e9, number.Decimals(v, mostDecimals)})
	}
	return ticks, unit
}

// niceStep is 1, 2 or 5 times a power of ten, so that about n steps fill span.
func niceStep(span float64, n int) float64 {
	if span <= 0 {
		return 1
	}
	raw := span / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= raw*0.999 {
			return m * power
		}
	}
	return 10 * power
}

// mostDecimals is how many a number on an axis has at most.
const mostDecimals = 6

// scale maps a value to a height, linear from 0 or logarithmic.
type scale struct {
	low, high float64
	log       bool
	y0, y1    vg.Length
}

func (s scale) y(v float64) vg.Length {
	var f float64
	if s.log {
		f = math.Log(max(v, s.low)/s.low) / math.Log(s.high/s.low)
	} else {
		f = (v - s.low) / (s.high - s.low)
	}
	return s.y0 + vg.Length(min(max(f, 0), 1))*(s.y1-s.y0)
}

// linearScale goes from 0 to a round number above top.
func linearScale(top float64, y0, y1 vg.Length, steps int) (scale, []tick) {
	if top <= 0 {
		top = 1
	}
	step := niceStep(top*1.03, steps)
	if step < 1 && top >= 1 {
		step = 1
	}
	high := math.Ceil(top*1.03/step) * step
	var ticks []tick
	for v := 0.0; v <= high+step*1e-6; v += step {
		ticks = append(ticks, tick{v, number.Decimals(v, mostDecimals)})
	}
	return scale{0, high, false, y0, y1}, ticks
}

// logScale covers low to high with some air; its ticks are the powers of ten,
// with unlabelled ones between.
func logScale(low, high float64, y0, y1 vg.Length) (scale, []tick) {
	if low <= 0 || high < low {
		low, high = 1, 10
	}
	low, high = low/1.3, high*1.3
	if high/low < 10 {
		mid := math.Sqrt(low * high)
		low, high = mid/math.Sqrt(10), mid*math.Sqrt(10)
	}
	var ticks []tick
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
		for m := 1.0; m < 10; m++ {
			v := m * math.Pow(10, e)
			if v < low || v > high {
				continue
			}
			t := tick{at: v}
			if m == 1 || high/low < 100 && (m == 2 || m == 5) {
				t.label = number.Decimals(v, mostDecimals)
			}
			ticks = append(ticks, t)
		}
	}
	return scale{low, high, true, y0, y1}, ticks
}

// drawTimeGrid draws upright lines at the round times between y0 and y1.
func (s *sheet) drawTimeGrid(a timeAxis, y0, y1 vg.Length) {
	ticks, _ := a.ticks()
	for _, t := range ticks {
		x := a.x(int64(t.at))
		s.line(x, y0, x, y1, 0.6, s.theme.grid)
	}
}

// drawTimeAxis draws the axis line, its ticks and its title below y.
func (s *sheet) drawTimeAxis(a timeAxis, y vg.Length) {
	ticks, unit := a.ticks()
	s.line(a.x0, y, a.x1, y, 0.9, s.theme.axis)
	for _, t := range ticks {
		x := a.x(int64(t.at))
		s.line(x, y, x, y-4, 0.9, s.theme.axis)
		s.text(x, y-6, t.label, lettering{size: sizeText, color: s.theme.muted, x: text.XCenter, y: text.YTop})
	}
	s.text((a.x0+a.x1)/2, y-21, fmt.Sprintf("time since the test began (%s)", unit),
		lettering{size: sizeText, color: s.theme.muted, x: text.XCenter, y: text.YTop})
}

// drawScale draws the lines, ticks and title of an upright axis.
func (s *sheet) drawScale(a timeAxis, sc scale, ticks []tick, title string) {
	for _, t := range ticks {
		y := sc.y(t.at)
		width := vg.Length(0.6)
		if t.label == "" {
			width = 0.3
		}
		s.line(a.x0, y, a.x1, y, width, s.theme.grid)
		s.text(a.x0-6, y, t.label, lettering{size: sizeText, color: s.theme.muted, x: text.XRight, y: text.YCenter})
	}
	s.text(marginEdge+5, (sc.y0+sc.y1)/2, title, lettering{
		size: sizeText, color: s.theme.muted, x: text.XCenter, y: text.YCenter, turned: true})
}
