package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"squall/history/gate"
	"squall/internal/number"
	"squall/internal/plain"
)

// sideBySide holds the systems of a campaign against each other: for each thing that they
// all had to stand, a line for each figure and in it a box for each system. A campaign of
// one system has none.
type sideBySide struct {
	Systems []string
	Tests   []sideTest
	Columns int // of the table
}

// sideTest is what several systems were put through.
type sideTest struct {
	Name  string
	Lines []sideLine
}

type sideLine struct {
	Name, Doc string
	Boxes     []sideBox // by system
}

// sideBox is one figure of one system: squares, or a text.
type sideBox struct {
	Squares []square
	Text    string
	Quiet   string // what stands behind it, or in its place
}

// mostSides bounds the systems that stand beside each other.
const mostSides = 12

func newSideBySide(c *storms) sideBySide {
	var s sideBySide
	var tests []string
	cells := map[[2]string][]*stormCell{} // by test and system
	for i := range c.cells {
		cell := &c.cells[i]
		if !slices.Contains(s.Systems, cell.System) {
			s.Systems = append(s.Systems, cell.System)
		}
		test := testName(cell)
		if !slices.Contains(tests, test) {
			tests = append(tests, test)
		}
		key := [2]string{test, cell.System}
		cells[key] = append(cells[key], cell)
	}
	if len(s.Systems) < 2 {
		return sideBySide{}
	}
	s.Systems = s.Systems[:min(len(s.Systems), mostSides)]
	s.Columns = 1 + len(s.Systems)
	for _, test := range tests {
		t := sideTest{Name: test}
		for i, kind := range sideLines() {
			line := sideLine{Name: kind.name, Doc: kind.doc}
			for _, system := range s.Systems {
				box := sideBox{Quiet: "–"}
				if i == 0 {
					box.Quiet = "not tested"
				}
				if of := cells[[2]string{test, system}]; len(of) > 0 {
					box = kind.of(of)
				}
				line.Boxes = append(line.Boxes, box)
			}
			t.Lines = append(t.Lines, line)
		}
		s.Tests = append(s.Tests, t)
	}
	for i := range s.Systems {
		s.Systems[i] = plain.Fit(s.Systems[i], 80)
	}
	return s
}

// testName is what a cell's system was put through.
func testName(cell *stormCell) string {
	parts := []string{cell.Workload, plural(cell.Nodes, "node"), cmp.Or(cell.Nemesis, "no faults")}
	if cell.Mutant != "" {
		parts = append(parts, "with "+cell.Mutant)
	}
	return plain.Fit(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " · "), 160)
}

// sideKind is a line of every test.
type sideKind struct {
	name, doc string
	of        func(cells []*stormCell) sideBox
}

func sideLines() []sideKind {
	return []sideKind{
		{"verdict", "a square is a cell; it leads to its report", func(cells []*stormCell) sideBox {
			var b sideBox
			for _, c := range cells {
				b.Squares = append(b.Squares, squareOf(c))
			}
			return b
		}},
		{"throughput", "the median of the cells", medianBox("throughput")},
		{"latency, median", "the median of the cells", medianBox("latency p(50)")},
		{"latency, 99 %", "the median of the cells", medianBox("latency p(99)")},
		{"leaders", "how often one was lost, and how long it took to the next: by traces. Logs only tell who led", leadersBox},
		{"no success for", "the longest time in the load without a success by any client; the longest of all cells", longestBox},
	}
}

// figuresOf are a figure's values in some cells, ascending.
func figuresOf(cells []*stormCell, key string) (values []float64) {
	for _, c := range cells {
		if v, ok := c.figure(key); ok {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return values
}

func medianOf(values []float64) float64 {
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// middleHalf is where the middle half of ordered values lies.
func middleHalf(values []float64) (from, to float64) {
	n := len(values)
	return values[n/4], values[n-1-n/4]
}

func unitOf(key string) string {
	for _, f := range gate.ShownFigures() {
		if f.Key == key {
			return f.Unit
		}
	}
	return ""
}

func medianBox(key string) func([]*stormCell) sideBox {
	return func(cells []*stormCell) sideBox {
		values := figuresOf(cells, key)
		if len(values) == 0 {
			return sideBox{Quiet: "no data"}
		}
		b := sideBox{Text: gate.Format(medianOf(values), unitOf(key))}
		if n := len(values); n > 1 {
			b.Quiet = gate.Format(values[0], unitOf(key)) + " to " + gate.Format(values[n-1], unitOf(key))
		}
		return b
	}
}

func longestBox(cells []*stormCell) sideBox {
	values := figuresOf(cells, "no-success")
	if len(values) == 0 {
		return sideBox{Quiet: "no data"}
	}
	return sideBox{Text: gate.Format(values[len(values)-1], unitOf("no-success"))}
}

// leadersBox tells of elections what is known of them, and from where.
func leadersBox(cells []*stormCell) sideBox {
	sum := func(values []float64) (n int) {
		for _, v := range values {
			n += int(v)
		}
		return n
	}
	if lost := figuresOf(cells, "leaders-lost"); len(lost) > 0 {
		b := sideBox{Text: number.Count(sum(lost)) + " lost"}
		if took := figuresOf(cells, "election p(50)"); len(took) > 0 {
			b.Quiet = fmt.Sprintf("%s to the next, median", gate.Format(medianOf(took), unitOf("election p(50)")))
		}
		return b
	}
	if told := figuresOf(cells, "logged-leaders"); len(told) > 0 {
		return sideBox{Text: number.Count(sum(told)) + " led", Quiet: "from logs, not timed"}
	}
	return sideBox{Quiet: "not known: no trace"}
}
