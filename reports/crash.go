package reports

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"squall/history/check"
	"squall/history/gate"
	"squall/internal/atomicfile"
	"squall/internal/number"
	"squall/internal/plain"
)

// CrashFile is the page of what a farm of crash states covered, in the run directory.
const CrashFile = "crash.html"

// CrashStates is what a farm covered of one run, for its page.
type CrashStates struct {
	Run      string // the run directory's name
	Squall   string // its version
	Verdict  check.Verdict
	Reason   string        // in a sentence; "" for a pass
	Command  string        // goes on, or boots the violation again
	Distinct int           // states whose disks differ
	Worth    int           // moments that are worth a try
	Took     time.Duration // all boots together
	Nodes    []string
	Kinds    []CrashKind // of moments, in their order
	Losses   []CrashLoss // that there were, in their order
	States   []CrashState
	Folder   string // where the violation is kept, from the run directory; "": there is none
}

// CrashKind is a kind of moments.
type CrashKind struct{ Name, Text string }

// CrashLoss is what a power cut leaves of a disk, and of how many disks of each node it was so.
type CrashLoss struct {
	Name, Text string
	Disks      []int // by node
}

// CrashState is a state that was judged.
type CrashState struct {
	ID      string
	At      float64 // s, from the history's zero
	Kind    string  // CrashKind.Name
	Verdict check.Verdict
	Check   string // that did not pass
	Text    string // what is wrong
	Again   string // what was done before the second start, where that is what did not pass
	Refused []string
	Lost    []CrashLost // of a state that did not pass
}

// CrashLost is what a node lost.
type CrashLost struct{ Node, Text string }

// WriteCrash writes the page into a run directory.
func WriteCrash(dir string, c *CrashStates) error {
	var page bytes.Buffer
	if err := renderCrash(&page, c); err != nil {
		return fmt.Errorf("write %s of %s: %w", CrashFile, dir, err)
	}
	return atomicfile.Write(filepath.Join(dir, CrashFile), page.Bytes(), 0o644)
}

func renderCrash(w io.Writer, c *CrashStates) error {
	return fill(w, "crash.html.tmpl", newCrashPage(c))
}

// crashPage is what the template shows.
type crashPage struct {
	Run, Outcome, Headline, Meaning string
	Command, CommandWord, Folder    string
	Facts                           []fact
	Cards                           []card
	Bad                             []crashBad
	MoreBad                         int
	Lanes                           []crashLane
	Ticks                           []stripTick
	Nodes                           []string
	Losses                          []CrashLoss
}

// crashBad is a state that did not pass.
type crashBad struct {
	Outcome, Word, ID, At, Kind, Check, Text, Again string
	Lost                                            []CrashLost
}

// crashLane is a kind of moments, and those of its that were tried.
type crashLane struct {
	Name, Text      string
	Moments, States int
	Verdicts        []outcomeCount
	Dots            []crashDot
	More            int // dots that are left out
}

type crashDot struct{ X, Outcome, Sign, Title string }

// Bounds of the page.
const (
	mostBadStates = 20
	mostDots      = 1500 // of a lane
)

func newCrashPage(c *CrashStates) crashPage {
	p := crashPage{Run: plain.Clip(c.Run, 200), Outcome: string(c.Verdict), Command: plain.Clip(c.Command, 4000), CommandWord: "Go on",
		Folder: plain.Clip(c.Folder, 500), Nodes: c.Nodes, Losses: c.Losses}
	p.Headline, p.Meaning = crashWords(c)
	if c.Folder != "" {
		p.CommandWord = "Boot it again"
	}
	p.Facts = slices.DeleteFunc([]fact{{"Nodes", number.Count(len(c.Nodes))}, {"squall", plain.Clip(c.Squall, 60)}, {"Boots took, together", c.Took.Round(time.Second).String()}},
		func(f fact) bool { return f.Value == "" })
	p.Bad, p.MoreBad = badStates(c)
	x := crashScale(c)
	p.Ticks = x.ticks("s")
	moments := 0
	for _, kind := range c.Kinds {
		if lane := newCrashLane(c, kind, x); lane.States > 0 {
			p.Lanes = append(p.Lanes, lane)
			moments += lane.Moments
		}
	}
	refused := 0
	for i := range c.States {
		if len(c.States[i].Refused) > 0 {
			refused++
		}
	}
	p.Cards = []card{{"States", number.Count(len(c.States)), number.Count(c.Distinct) + " distinct on disk"},
		{"Moments", number.Count(moments), "of " + number.Count(c.Worth) + " worth a try"}}
	for _, v := range []check.Verdict{check.Pass, check.Violation, check.Unknown} {
		if n := c.count(v); n > 0 || v != check.Unknown {
			p.Cards = append(p.Cards, card{capital(string(v)), number.Count(n), plural(n, "state")})
		}
	}
	if refused > 0 {
		p.Cards = append(p.Cards, card{"Refusals", number.Count(refused), "a node did not start, and named the file"})
	}
	return p
}

func (c *CrashStates) count(v check.Verdict) (n int) {
	for i := range c.States {
		if c.States[i].Verdict == v {
			n++
		}
	}
	return n
}

func crashWords(c *CrashStates) (headline, meaning string) {
	switch c.Verdict {
	case check.Pass:
		return "Pass", "Every state that was tried kept what was acknowledged."
	case check.Violation:
		return "Violation", plain.Clip(c.Reason, 2000)
	case check.Unknown:
		return "Unknown", plain.Clip(c.Reason, 2000)
	}
	return "Invalid", plain.Clip(c.Reason, 2000)
}

// badStates are those that did not pass, violations first.
func badStates(c *CrashStates) (list []crashBad, more int) {
	var bad []*CrashState
	for i := range c.States {
		if c.States[i].Verdict != check.Pass {
			bad = append(bad, &c.States[i])
		}
	}
	slices.SortStableFunc(bad, func(a, b *CrashState) int { return cmp.Compare(rank(b.Verdict), rank(a.Verdict)) })
	for i, s := range bad {
		if i == mostBadStates {
			return list, len(bad) - i
		}
		one := crashBad{Outcome: string(s.Verdict), Word: string(s.Verdict), ID: s.ID, At: atText(s.At), Kind: kindText(c, s.Kind), Check: plain.Clip(s.Check, 100), Text: plain.Clip(s.Text, 2000), Again: plain.Clip(s.Again, 1000)}
		for _, l := range s.Lost {
			one.Lost = append(one.Lost, CrashLost{plain.Clip(l.Node, 100), plain.Clip(l.Text, 1000)})
		}
		list = append(list, one)
	}
	return list, 0
}

func rank(v check.Verdict) int {
	return slices.Index([]check.Verdict{check.Pass, check.Invalid, check.Unknown, check.Violation}, v)
}

func kindText(c *CrashStates, name string) string {
	for _, k := range c.Kinds {
		if k.Name == name {
			return k.Text
		}
	}
	return name
}

func atText(s float64) string { return strconv.FormatFloat(s, 'f', 6, 64) + " s" }

// crashScale begins with the test, and ends behind the last moment that was tried.
func crashScale(c *CrashStates) stripScale {
	last := 0.0
	for i := range c.States {
		last = max(last, c.States[i].At)
	}
	return newStripScale(gate.Figure{Unit: "s"}, 0, last)
}

// newCrashLane has a dot for each moment, of the worst verdict of its states.
func newCrashLane(c *CrashStates, kind CrashKind, x stripScale) crashLane {
	lane := crashLane{Name: kind.Name, Text: kind.Text}
	worst := map[float64]check.Verdict{}
	states := map[float64]int{}
	counts := map[check.Verdict]int{}
	for i := range c.States {
		s := &c.States[i]
		if s.Kind != kind.Name {
			continue
		}
		lane.States++
		counts[s.Verdict]++
		states[s.At]++
		if was, there := worst[s.At]; !there || rank(s.Verdict) > rank(was) {
			worst[s.At] = s.Verdict
		}
	}
	lane.Moments = len(states)
	for _, v := range []check.Verdict{check.Violation, check.Unknown, check.Pass} {
		if counts[v] > 0 {
			lane.Verdicts = append(lane.Verdicts, outcomeCount{string(v), string(v), counts[v]})
		}
	}
	var times []float64
	for at := range states {
		times = append(times, at)
	}
	slices.SortFunc(times, func(a, b float64) int { // the worst are drawn last, over the others
		return cmp.Or(cmp.Compare(rank(worst[a]), rank(worst[b])), cmp.Compare(a, b))
	})
	lane.More = max(0, len(times)-mostDots)
	for _, at := range times[lane.More:] {
		dot := crashDot{X: x.at(at), Title: fmt.Sprintf("%s: %s, %s", atText(at), plural(states[at], "state"), worst[at])}
		if worst[at] != check.Pass {
			dot.Outcome, dot.Sign = string(worst[at]), map[check.Verdict]string{check.Violation: "✕", check.Unknown: "?", check.Invalid: "!"}[worst[at]]
		}
		lane.Dots = append(lane.Dots, dot)
	}
	return lane
}
