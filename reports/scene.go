package reports

import (
	"encoding/json"
	"html/template"
	"slices"
	"strconv"

	"squall/internal/plain"
)

// maxName bounds names in the pages' data: they stand in pictures.
const maxName = 80

// scene is what the pictures of both pages have in common, for the pages'
// scripts: the faults, and who led when. All times are micros.
type scene struct {
	From        micros      `json:"from"` // the time that is shown
	To          micros      `json:"to"`
	Nodes       []string    `json:"nodes"`
	Faults      []sceneBand `json:"faults"`
	Leaderships []sceneSpan `json:"reigns"`
	Stale       []sceneSpan `json:"stale"` // who still took itself for the leader
	Outages     []sceneSpan `json:"outages"`
	Candidates  []sceneSpan `json:"candidates"`
	NoLeader    []sceneSpan `json:"noLeader"`
	Unavailable []sceneSpan `json:"unavailable"`
	NoTrace     bool        `json:"noTrace,omitempty"` // who led is not known
	Logged      []sceneSpan `json:"logged,omitempty"`  // who led by the servers' logs
}

// micros is a time in ns, written in µs: fine enough to see, and short.
type micros int64

func (m micros) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, int64(m)/1000, 10), nil }

// sceneBand is a fault that took effect.
type sceneBand struct {
	ID    int    `json:"id"`
	Label string `json:"label"`
	Short string `json:"short"`
	Class string `json:"class"`
	From  micros `json:"from"`
	To    micros `json:"to"`
}

// sceneSpan is a time of a node, or of the cluster.
type sceneSpan struct {
	Node int    `json:"n"` // index in Nodes
	From micros `json:"from"`
	To   micros `json:"to"`
	Text string `json:"text"` // a term, a cause, a length
}

func newScene(fig *figures) scene {
	s := scene{From: micros(fig.shown.Begin), To: micros(max(fig.shown.End, fig.shown.Begin+1e6)), Nodes: []string{}, Faults: []sceneBand{},
		Leaderships: []sceneSpan{}, Stale: []sceneSpan{}, Outages: []sceneSpan{}, Candidates: []sceneSpan{}, NoLeader: []sceneSpan{}, Unavailable: []sceneSpan{}, NoTrace: fig.elections.NoTrace}
	for _, n := range fig.nodes {
		s.Nodes = append(s.Nodes, plain.Clip(n, maxName))
	}
	for _, f := range fig.faults {
		if !f.Verified {
			continue // what did not take effect has no band
		}
		w := faultWindow(f, fig.shown.End)
		s.Faults = append(s.Faults, sceneBand{f.ID, plain.Clip(bandLabels(f)[0], maxName), plain.Clip(f.Name, maxName), string(f.Class()), micros(w.Begin), micros(w.End)})
	}
	for _, r := range fig.elections.Leaderships {
		end := r.End
		if end == 0 {
			end = fig.shown.End
		}
		s.Leaderships = append(s.Leaderships, sceneSpan{fig.node(r.Node), micros(r.Begin), micros(end), strconv.FormatUint(r.Term, 10)})
	}
	for _, r := range fig.stale {
		end := r.End
		if end == 0 {
			end = fig.shown.End
		}
		s.Stale = append(s.Stale, sceneSpan{fig.node(r.Node), micros(r.Begin), micros(end), strconv.FormatUint(r.Term, 10)})
	}
	for _, r := range fig.logged {
		end := r.End
		if end == 0 {
			end = fig.shown.End
		}
		term := ""
		if r.Term > 0 {
			term = strconv.FormatUint(r.Term, 10)
		}
		s.Logged = append(s.Logged, sceneSpan{fig.node(r.Node), micros(r.Begin), micros(end), term})
	}
	for _, o := range fig.outages {
		s.Outages = append(s.Outages, sceneSpan{fig.node(o.Node), micros(o.Begin), micros(o.End), o.Cause})
	}
	for _, c := range fig.candidates {
		s.Candidates = append(s.Candidates, sceneSpan{Node: fig.node(c.node), From: micros(c.at), To: micros(c.at)})
	}
	for _, g := range noLeaderGaps(fig) {
		s.NoLeader = append(s.NoLeader, sceneSpan{From: micros(g.Begin), To: micros(g.End), Text: g.label})
	}
	for _, g := range unavailableGaps(fig) {
		s.Unavailable = append(s.Unavailable, sceneSpan{From: micros(g.Begin), To: micros(g.End), Text: g.label})
	}
	return s
}

// node is the lane of a node; -1 of one that the history does not name.
func (fig *figures) node(name string) int { return slices.Index(fig.nodes, name) }

// charts is the data of the charts in the report.
type charts struct {
	Scene   scene       `json:"scene"`
	X       []micros    `json:"x"` // middles of the buckets
	OK      []chartLine `json:"ok"`
	Others  []chartLine `json:"others"`
	Latency []chartLine `json:"latency"`
	Dots    []chartDots `json:"dots"`
	Low     float64     `json:"low"` // of the latencies, ms
	High    float64     `json:"high"`
}

// chartLine is a line of a chart; look names its colour and its dashes.
type chartLine struct {
	Name string `json:"name"`
	Look string `json:"look"`
	Y    levels `json:"y"`
}

// levels are values, of which those below 0 are not there.
type levels []float64

func (l levels) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i, v := range l {
		if i > 0 {
			b = append(b, ',')
		}
		if v < 0 {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, v, 'g', 5, 64)
		}
	}
	return append(b, ']'), nil
}

// chartDots are operations that look alike, by time of return.
type chartDots struct {
	Name    string   `json:"name"`
	Look    string   `json:"look"`
	Outcome string   `json:"outcome"`
	T       []micros `json:"t"`
	Y       levels   `json:"y"` // ms
}

func newCharts(fig *figures) charts {
	c := charts{Scene: newScene(fig), X: []micros{}, OK: []chartLine{}, Others: []chartLine{}, Latency: []chartLine{}, Dots: []chartDots{},
		High: max(fig.cloud.high, 2*shortest)}
	c.Low, _ = fig.cloud.floor()
	s := fig.series
	for i := range s.Len() {
		c.X = append(c.X, micros(s.At(i)))
	}
	rates := func(counts []int64) levels {
		l := make(levels, len(counts))
		for i, n := range counts {
			l[i] = s.PerSecond(n)
		}
		return l
	}
	funcs := funcsOf(fig.does, s)
	if len(funcs) > 1 {
		c.OK = append(c.OK, chartLine{"all", "total", rates(s.Total())})
	}
	for _, f := range funcs[:min(len(funcs), 12)] {
		c.OK = append(c.OK, chartLine{plain.Clip(string(f), maxName), lookOf(fig.does, f).class(), rates(s.OK[f])})
	}
	c.Others = []chartLine{{"failed", "fail", rates(s.Fail)}, {"unknown", "info", rates(s.Info)}}
	for i, q := range quantilesOf(lightTheme()) {
		l := make(levels, s.Len())
		for b, of := range s.Latency {
			if l[b] = -1; of.Count > 0 {
				l[b] = max(float64(q.of(of)), shortest)
			}
		}
		c.Latency = append(c.Latency, chartLine{[]string{"slowest", "99 %", "90 %", "median"}[i], []string{"max", "p99", "p90", "p50"}[i], l})
	}
	c.addDots(fig)
	return c
}

func (c *charts) addDots(fig *figures) {
	at := map[look]int{}
	for _, d := range fig.cloud.dots {
		k, l := look{d.outcome, d.f}, lookOf(fig.does, d.f)
		if l == otherLook {
			k.f = "other"
		}
		i, ok := at[k]
		if !ok {
			i = len(c.Dots)
			at[k] = i
			c.Dots = append(c.Dots, chartDots{Name: plain.Clip(string(k.f), maxName), Look: l.class(), Outcome: outcomeClass(string(d.outcome))})
		}
		c.Dots[i].T = append(c.Dots[i].T, micros(d.at))
		c.Dots[i].Y = append(c.Dots[i].Y, d.ms)
	}
}

// dataBlock makes data of what a script reads. encoding/json writes <, > and & as
// escapes, so that nothing in it can end the element that it stands in.
func dataBlock(v any) (template.JS, error) {
	text, err := json.Marshal(v)
	return template.JS(text), err
}
