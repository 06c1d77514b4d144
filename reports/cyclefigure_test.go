package reports

import (
	"fmt"
	"html"
	"strings"
	"testing"

	"squall/history/check"
)

// cycleOf is a violation of n transactions in a circle.
func cycleOf(n int, kinds ...string) *check.Result {
	c := &check.Result{Verdict: check.Violation}
	for i := range n {
		c.Witness = append(c.Witness, check.WitnessOp{Node: fmt.Sprintf("n%d", i+1), Outcome: "ok", Return: int64(i+1) * 1e9})
		c.Cycle = append(c.Cycle, check.CycleEdge{From: i, To: (i + 1) % n, Kind: kinds[i%len(kinds)], On: "r" + fmt.Sprint(i)})
	}
	return c
}

// TestCyclesAreDrawn: a box for each transaction, an arrow for each edge with its name and its
// key, all of it within the picture.
func TestCyclesAreDrawn(t *testing.T) {
	kinds := []string{"wr", "ww", "rw", "rt", "process"}
	for n := 2; n <= cycleMost; n++ {
		c := cycleOf(n, kinds...)
		p, drawn := newCyclePicture(c), string(cycleFigure(c))
		for i, b := range p.Boxes {
			if b.X < 0 || b.Y < 0 || b.X+b.W > p.Width || b.Y+b.H > p.Height {
				t.Errorf("of %d, box %d is outside: %+v of %d×%d", n, i, b, p.Width, p.Height)
			}
			for k, other := range p.Boxes[:i] {
				if b.X < other.X+other.W && other.X < b.X+b.W && b.Y < other.Y+other.H && other.Y < b.Y+b.H {
					t.Errorf("of %d, boxes %d and %d lie on one another", n, k, i)
				}
			}
			if want := fmt.Sprintf("T%d (#%d)", i+1, i+1); !strings.Contains(drawn, want) {
				t.Errorf("of %d, %s is not drawn", n, want)
			}
			if want := kinds[i%len(kinds)] + " r" + fmt.Sprint(i); p.Arrows[i].Text != want || !strings.Contains(drawn, ">"+want+"<") {
				t.Errorf("of %d, arrow %d is %q, want %q", n, i, p.Arrows[i].Text, want)
			}
		}
	}
}

// TestWhatIsNoCycleIsNotDrawn: results are not trusted, and what they hold is text.
func TestWhatIsNoCycleIsNotDrawn(t *testing.T) {
	for name, spoil := range map[string]func(c *check.Result){
		"none":           func(c *check.Result) { c.Cycle = nil },
		"of one":         func(c *check.Result) { c.Cycle = c.Cycle[:1] },
		"broken":         func(c *check.Result) { c.Cycle[1].To = 1 },
		"out of nowhere": func(c *check.Result) { c.Cycle[0].From, c.Cycle[2].To = 7, 7 },
		"below":          func(c *check.Result) { c.Cycle[0].From, c.Cycle[2].To = -1, -1 },
		"too long":       func(c *check.Result) { *c = *cycleOf(cycleMost+1, "ww") },
	} {
		c := cycleOf(3, "ww")
		if spoil(c); cycleFigure(c) != "" {
			t.Errorf("%s: it is drawn", name)
		}
	}
	const evil = `"><script>x</script>`
	c := cycleOf(3, "ww")
	c.Cycle[0].Kind, c.Cycle[1].On, c.Witness[2].Node, c.Witness[1].Outcome = evil, evil, evil, evil
	if drawn := string(cycleFigure(c)); strings.Contains(drawn, "<script") || !strings.Contains(drawn, html.EscapeString("<script>")) {
		t.Errorf("a key is more than text: %s", drawn)
	}
}
