package reports

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"strings"
	"unicode/utf8"

	"squall/history"
	"squall/history/check"
	"squall/internal/plain"
)

// The geometry of the picture of a cycle, in units of its view box.
const (
	cycleWidth   = 760
	cycleBoxW    = 190
	cycleBoxH    = 46
	cycleMargin  = 14
	cycleMost    = 8 // transactions that are drawn: of more, nobody sees anything
	maxCycleText = 26
)

// cyclePicture is a cycle of transactions: a box for each, and an arrow from each to the next.
type cyclePicture struct {
	Width, Height int
	Boxes         []cycleBox
	Arrows        []cycleArrow
}

type cycleBox struct {
	X, Y, W, H       int
	MidX             int
	Name, Text, Kind string
}

type cycleArrow struct {
	Line, Head   string // paths
	Kind, Text   string
	TextX, TextY int
	RoomX, RoomW int // of the text, in which the line is not seen
}

// cycleFigure draws the cycle of a violation. It draws nothing where there is none, or one that
// is none: results are not trusted.
func cycleFigure(c *check.Result) template.HTML {
	if !isCycle(c) {
		return ""
	}
	var b bytes.Buffer
	if err := cycleTemplate.Execute(&b, newCyclePicture(c)); err != nil {
		return ""
	}
	return template.HTML(strings.ToValidUTF8(b.String(), "\uFFFD")) // the template escaped what is not its own
}

func isCycle(c *check.Result) bool {
	n := len(c.Cycle)
	if n < 2 || n > cycleMost {
		return false
	}
	for i, e := range c.Cycle {
		if e.From < 0 || e.From >= len(c.Witness) || e.To != c.Cycle[(i+1)%n].From {
			return false
		}
	}
	return true
}

func newCyclePicture(c *check.Result) *cyclePicture {
	n := len(c.Cycle)
	rx, ry := float64(cycleWidth-cycleBoxW)/2-cycleMargin, 44+26*float64(n)
	begin := -math.Pi / 2 // the first is at the top; of two, at the left
	if n == 2 {
		begin, ry = math.Pi, cycleBoxH
	}
	p := &cyclePicture{Width: cycleWidth, Height: int(2*ry) + cycleBoxH + 2*cycleMargin}
	at := make([]xy, n)
	for i, e := range c.Cycle {
		turn := begin + 2*math.Pi*float64(i)/float64(n)
		at[i] = xy{math.Round(cycleWidth/2 + rx*math.Cos(turn)), math.Round(float64(p.Height)/2 + ry*math.Sin(turn))}
		w := &c.Witness[e.From]
		told := "answered by " + plain.Clip(w.Node, maxCycleText) + " at " + seconds(w.Return)
		if w.Outcome != string(history.OK) {
			told = "called on " + plain.Clip(w.Node, maxCycleText) + " at " + seconds(w.Call)
		}
		p.Boxes = append(p.Boxes, cycleBox{X: int(at[i].x) - cycleBoxW/2, Y: int(at[i].y) - cycleBoxH/2, W: cycleBoxW, H: cycleBoxH, MidX: int(at[i].x),
			Name: fmt.Sprintf("T%d (#%d)", i+1, e.From+1), Text: plain.Clip(told, 2*maxCycleText), Kind: plain.Clip(w.Outcome, maxName)})
	}
	for i, e := range c.Cycle {
		a := arrowBetween(at[i], at[(i+1)%n], n == 2)
		a.Kind = plain.Clip(e.Kind, maxName)
		a.Text = strings.TrimSpace(a.Kind + " " + plain.Clip(e.On, maxCycleText))
		a.RoomW = 8*utf8.RuneCountInString(a.Text) + 6
		a.RoomX = a.TextX - a.RoomW/2
		p.Arrows = append(p.Arrows, a)
	}
	return p
}

type xy struct{ x, y float64 }

// arrowBetween goes from the edge of one box to that of another; bent, it leaves room for
// the one that comes back.
func arrowBetween(from, to xy, bent bool) cycleArrow {
	const head, bow = 9.0, 46.0
	length := math.Hypot(to.x-from.x, to.y-from.y)
	d := xy{(to.x - from.x) / length, (to.y - from.y) / length}
	// How far it is from the middle of a box to its edge, in this direction.
	out := math.Min(cycleBoxW/2/math.Max(math.Abs(d.x), 1e-9), cycleBoxH/2/math.Max(math.Abs(d.y), 1e-9)) + 3
	side := xy{d.y, -d.x} // to the left of its way
	shift := 0.0
	if bent {
		shift = cycleBoxH / 4
	}
	begin := xy{from.x + d.x*out + side.x*shift, from.y + d.y*out + side.y*shift}
	end := xy{to.x - d.x*out + side.x*shift, to.y - d.y*out + side.y*shift}
	mid := xy{(begin.x + end.x) / 2, (begin.y + end.y) / 2}
	a := cycleArrow{TextX: int(mid.x), TextY: int(mid.y) + 4}
	if bent {
		bend := xy{mid.x + side.x*bow, mid.y + side.y*bow}
		a.Line = fmt.Sprintf("M%.0f %.0fQ%.0f %.0f %.0f %.0f", begin.x, begin.y, bend.x, bend.y, end.x, end.y)
		a.TextY = int(mid.y+side.y*bow/2) + 4
		length = math.Hypot(end.x-bend.x, end.y-bend.y)
		d = xy{(end.x - bend.x) / length, (end.y - bend.y) / length}
	} else {
		a.Line = fmt.Sprintf("M%.0f %.0fL%.0f %.0f", begin.x, begin.y, end.x, end.y)
	}
	a.Head = fmt.Sprintf("M%.0f %.0fL%.1f %.1fL%.1f %.1fZ", end.x, end.y,
		end.x-d.x*head-d.y*head/2, end.y-d.y*head+d.x*head/2, end.x-d.x*head+d.y*head/2, end.y-d.y*head-d.x*head/2)
	return a
}

// cycleTemplate is the figure. An arrow of time is dashed.
var cycleTemplate = template.Must(template.New("cycle").Parse(`
  <figure tabindex="0"><svg class="tl" viewBox="0 0 {{.Width}} {{.Height}}" role="img" aria-label="The cycle of transactions: each comes before the next.">
  {{- range .Boxes}}
  <rect x="{{.X}}" y="{{.Y}}" width="{{.W}}" height="{{.H}}" rx="6" style="fill:none;stroke:var(--ink);stroke-width:1.5{{if ne .Kind "ok"}};stroke-dasharray:4 2{{end}}"/><text class="n" x="{{.MidX}}" y="{{.Y}}" dy="19" text-anchor="middle">{{.Name}}</text><text class="axis" x="{{.MidX}}" y="{{.Y}}" dy="36" text-anchor="middle" style="font-size:11px">{{.Text}}</text>{{end}}
  {{- range .Arrows}}
  <path d="{{.Line}}" style="fill:none;stroke:var(--{{if eq .Kind "rw"}}violation{{else}}ink{{end}});stroke-width:1.5{{if or (eq .Kind "rt") (eq .Kind "process")}};stroke-dasharray:5 4{{end}}"/><path d="{{.Head}}" style="fill:var(--{{if eq .Kind "rw"}}violation{{else}}ink{{end}})"/><rect x="{{.RoomX}}" y="{{.TextY}}" width="{{.RoomW}}" height="17" transform="translate(0 -13)" style="fill:var(--card)"/><text x="{{.TextX}}" y="{{.TextY}}" text-anchor="middle" style="font-weight:700">{{.Text}}</text>{{end}}
</svg><figcaption>Each transaction comes before the one that its arrow leads to, so none can be the first. <b>wr</b>: that one read what this one wrote. <b>ww</b>: it replaced what this one wrote. <b>rw</b>: it replaced what this one read. <b>rt</b>: this one had been answered before that one was called. <b>process</b>: one process ran both. The numbers are those of the table.</figcaption></figure>`))
