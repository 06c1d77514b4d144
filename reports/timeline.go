package reports

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
	"squall/internal/plain"
)

// timeline is the geometry of the small picture of a witness: a lane for each
// process, a bar for each operation, the faults behind. Of node events it has a lane for
// each node and a bar for each event. Units are those of the
// picture's view box.
//
// What matters in a witness is the order of calls and returns. Its operations
// take a millisecond, and may lie seconds apart, so the axis is not to scale:
// the wider a gap, the less of its width it gets.
type timeline struct {
	Width, Height, Left int
	Foot                int // where the bands end and the times stand
	Lanes               []lane
	Bars                []bar
	Bands               []band
	Leaders             []leaderLane // who led, and below who only thought that it did
	Times               []moment
	OfEvents            bool
}

type lane struct {
	Y    int
	Name string
}

type bar struct {
	X, Y, W, H     int
	TextX, TextY   int
	NumX, NumY     int
	AtEnd          bool // the text ends at TextX
	Number         int
	Text, Outcome  string
	Open           bool // it never returned
	OpenX0, OpenX1 int  // where it goes on
}

type band struct {
	X, W, LabelX int
	Kind, Label  string
}

// leaderLane is the lane of the leaders, or of a node that still took itself for one.
type leaderLane struct {
	Y     int
	Name  string
	Stale bool
	Bars  []leaderBar
}

type leaderBar struct {
	X, W, TextX int
	Odd         bool
	Text        string
}

type moment struct {
	X    int
	Text string
}

const (
	tlWidth    = 960
	tlLeft     = 128 // at least: names of lanes are never cut
	tlRight    = 28
	tlHead     = 26
	tlLane     = 46
	tlBar      = 14
	tlLetter   = 7.3 // width of a letter of the texts
	tlShortest = 10
)

// squeeze maps times to places, order-preserving, not to scale.
type squeeze struct {
	times  []int64
	places []float64
}

func newSqueeze(times []int64, x0, x1 float64) squeeze {
	slices.Sort(times)
	times = slices.Compact(times)
	s := squeeze{times: times, places: make([]float64, len(times))}
	total := 0.0
	for i := 1; i < len(times); i++ {
		total += 1 + math.Log10(1+float64(times[i]-times[i-1])/1e5)
		s.places[i] = total
	}
	for i := range s.places {
		if total > 0 {
			s.places[i] = x0 + s.places[i]/total*(x1-x0)
		} else {
			s.places[i] = x0
		}
	}
	return s
}

// x is where t lies; a time between two known ones in proportion.
func (s squeeze) x(t int64) int {
	i, found := slices.BinarySearch(s.times, t)
	switch {
	case len(s.times) == 0:
		return 0
	case found:
		return int(math.Round(s.places[i]))
	case i == 0:
		return int(math.Round(s.places[0]))
	case i == len(s.times):
		return int(math.Round(s.places[i-1]))
	}
	part := float64(t-s.times[i-1]) / float64(s.times[i]-s.times[i-1])
	return int(math.Round(s.places[i-1] + part*(s.places[i]-s.places[i-1])))
}

// eventsTimeline draws node events, whose times are of the clock that read mono at the
// start of the test.
func eventsTimeline(events []history.NodeEvent, mono int64, fig *figures) *timeline {
	lanes := map[string]int64{}
	witness := make([]check.WitnessOp, len(events))
	for i := range events {
		e := &events[i]
		lane, known := lanes[e.Node]
		if !known {
			lane = int64(len(lanes))
			lanes[e.Node] = lane
		}
		at := e.Time - mono
		witness[i] = check.WitnessOp{Process: lane, Node: e.Node, Text: e.Kind + ": " + eventText(e), Outcome: string(history.OK), Call: at, Return: at}
	}
	t := newTimeline(witness, func(w check.WitnessOp) string { return plain.Fit(w.Node, 12) }, fig)
	t.OfEvents = true
	return t
}

// newTimeline draws operations; name names the lane of one.
func newTimeline(witness []check.WitnessOp, name func(check.WitnessOp) string, fig *figures) *timeline {
	var times []int64
	for _, w := range witness {
		times = append(times, w.Call)
		if w.Outcome != string(history.Info) {
			times = append(times, w.Return)
		}
	}
	stale := staleAt(fig.stale, times)
	t := &timeline{Width: tlWidth, Left: leftOf(witness, name, stale)}
	s := newSqueeze(times, float64(t.Left+16), tlWidth-tlRight-16)
	t.placeOps(witness, name, s)
	t.placeLeaders(fig.elections.Leaderships, stale, s)
	t.Height = t.Foot + 24
	t.placeBands(fig.faults, s)
	t.placeTimes(s)
	return t
}

// placeOps gives every process a lane, and another where its operations would
// be on top of each other.
func (t *timeline) placeOps(witness []check.WitnessOp, name func(check.WitnessOp) string, s squeeze) {
	type row struct {
		process int64
		free    int // from here on
	}
	var rows []row
	order := make([]int, len(witness))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(witness[a].Call, witness[b].Call) })
	for _, i := range order {
		w := witness[i]
		open := w.Outcome == string(history.Info)
		x0, x1 := s.x(w.Call), s.x(w.Return)
		if open {
			x1 = min(max(x0+40, x1), tlWidth-tlRight)
		}
		x1 = max(x1, x0+tlShortest)
		text := plain.Fit(w.Text, 60)
		width := int(float64(utf8.RuneCountInString(text)) * tlLetter)
		from, to := x0, max(x1, x0+width)
		atEnd := to > tlWidth-4
		if atEnd {
			from, to = min(x0, x1-width), x1
		}
		k := slices.IndexFunc(rows, func(r row) bool { return r.process == w.Process && r.free <= from })
		if k < 0 {
			k = len(rows)
			rows = append(rows, row{process: w.Process})
			y := tlHead + k*tlLane
			t.Lanes = append(t.Lanes, lane{Y: y + tlLane - 14, Name: name(w)})
		}
		rows[k].free = to + 10
		y := tlHead + k*tlLane
		b := bar{X: x0, Y: y + tlLane - 14 - tlBar/2, W: x1 - x0, H: tlBar, TextX: x0, TextY: y + 20,
			AtEnd: atEnd, Number: i + 1, Text: text, Outcome: outcomeClass(w.Outcome), Open: open}
		if atEnd {
			b.TextX = x1
		}
		b.OpenX0, b.OpenX1 = x1, tlWidth-tlRight
		b.NumX, b.NumY = x0-4, b.Y+tlBar-3
		t.Bars = append(t.Bars, b)
	}
}

func processName(w check.WitnessOp) string {
	name := "process " + strconv.FormatInt(w.Process, 10)
	if w.Node != "" {
		name += " · " + plain.Fit(w.Node, 6)
	}
	return name
}

func outcomeClass(outcome string) string {
	switch history.Outcome(outcome) {
	case history.OK, history.Fail:
		return outcome
	}
	return string(history.Info)
}

// placeBands shows the faults that were in force between the first call and
// the last return.
func (t *timeline) placeBands(faults []measure.FaultRun, s squeeze) {
	if len(s.times) == 0 {
		return
	}
	first, last := s.times[0], s.times[len(s.times)-1]
	free := 0
	for _, f := range faults {
		w := faultWindow(f, last+1)
		if !f.Verified || w.End < first || w.Begin > last {
			continue
		}
		x0, x1 := s.x(w.Begin), s.x(w.End)
		if w.Begin < first {
			x0 = t.Left
		}
		if w.End > last {
			x1 = tlWidth - tlRight
		}
		b := band{X: x0, W: max(x1-x0, 2), LabelX: max(x0, free) + 4, Kind: string(f.Class())}
		label := plain.Fit(bandLabels(f)[0], 40)
		if end := b.LabelX + int(float64(utf8.RuneCountInString(label))*tlLetter); end < tlWidth && b.LabelX < x1 {
			b.Label, free = label, end
		}
		t.Bands = append(t.Bands, b)
	}
}

// placeTimes writes as many of the times as there is room for.
func (t *timeline) placeTimes(s squeeze) {
	free := 0
	for i, at := range s.times {
		x := int(s.places[i])
		if x-34 < free || x+34 > tlWidth {
			continue
		}
		t.Times = append(t.Times, moment{X: x, Text: seconds(at)})
		free = x + 34 + 8
	}
}
