package reports

import (
	"fmt"
	"image/color"
	"slices"
	"strconv"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"squall/history/measure"
	"squall/internal/number"
)

const (
	laneHeight = vg.Length(27)
	laneBar    = vg.Length(15)
)

// drawElections draws a lane for each node: when it led and in which term,
// when it stood for election, when it was hurt; and under them when the
// cluster had no leader and when the clients had no success.
func drawElections(fig *figures, th theme, st studio) *sheet {
	nodes := fig.nodes
	const foot, between = 40, vg.Length(12)
	lanes := vg.Length(max(len(nodes), 1)+2) * laneHeight
	probe := newSheet(10, th, st)
	legend := electionsLegend(fig)
	bands := otherBands(fig.faults)
	_, _, rows := probe.flow(legend, sheetWidth-2*marginEdge)
	_, _, more := probe.flow(bands, sheetWidth-2*marginEdge)
	head := 12 + sizeTitle + 6 + sizeText + 9 + legendRow*vg.Length(rows+more) + 4
	s := newSheet(foot+lanes+between+bandTab+bandRows*bandRow+head, th, st)
	a := newTimeAxis(fig.shown)

	top := s.drawHead("Leaders and elections", electionsSubtitle(fig.elections), legend, bands) - bandTab - bandRows*bandRow
	s.drawBands(a, fig.faults, foot, top)
	s.drawTimeGrid(a, foot, top)
	for i, node := range nodes {
		y := top - vg.Length(i+1)*laneHeight + laneHeight/2
		s.drawNodeLane(fig, a, node, y)
	}
	if len(nodes) == 0 {
		s.drawNothing(a, top-laneHeight, top, "no nodes are named in the history")
	}
	cluster, clients := foot+laneHeight*3/2, foot+laneHeight/2
	s.line(a.x0, foot+2*laneHeight+between/2, a.x1, foot+2*laneHeight+between/2, 0.9, th.axis)
	s.drawLaneName("no leader", cluster)
	s.drawLaneName("no success", clients)
	s.drawGaps(a, noLeaderGaps(fig), cluster, stroke{color: th.noLeader})
	s.drawGaps(a, unavailableGaps(fig), clients, stroke{color: th.unavailable})
	s.drawBandHeads(a, fig.faults, top)
	s.drawTimeAxis(a, foot)
	return s
}

func electionsSubtitle(e measure.Elections) string {
	if e.Logged != nil {
		return e.Logged.Text() + ".  No trace, so nothing is timed"
	}
	if e.NoTrace {
		return "no trace: who led is not known"
	}
	if len(e.Losses) == 0 {
		return fmt.Sprintf("%s elected, none lost", plural(e.Count, "leader"))
	}
	n := e.Lost()
	return fmt.Sprintf("%s lost.  Time to the next leader: %s.  Clients without a success: %s",
		plural(n, "leader"), spreadText(e.NoLeaderMedian, e.NoLeaderMax, n), spreadText(e.UnavailableMedian, e.UnavailableMax, n))
}

// spreadText is a median and the longest, or the one figure that there is.
func spreadText(median, most measure.Millis, samples int) string {
	if samples == 1 || median == most {
		return number.Millis(most)
	}
	return fmt.Sprintf("median %s, longest %s", number.Millis(median), number.Millis(most))
}

func electionsLegend(fig *figures) []legendEntry {
	box := func(label string, fault measure.FaultClass) legendEntry {
		return legendEntry{label, func(s *sheet, x, y vg.Length) { s.hatchedBox(x, y, x+swatchWidth, y+swatchHeight, fault) }}
	}
	outages := []legendEntry{box("killed", measure.ClassKill), box("paused", measure.ClassPause),
		box("cut off from a majority", measure.ClassPartition)}
	if fig.elections.Logged != nil {
		return append([]legendEntry{
			{"leader by its log, with its term", func(s *sheet, x, y vg.Length) {
				s.frame(x, y-1, x+swatchWidth, y+swatchHeight+1, 1.3, s.theme.leader)
				s.text(x+swatchWidth/2, y+swatchHeight/2, "7", lettering{size: sizeSmall, bold: true, color: s.theme.leader, x: text.XCenter, y: text.YCenter})
			}},
			{"candidate by its log", func(s *sheet, x, y vg.Length) { s.drawCandidate(x+swatchWidth/2, y+swatchHeight/2-1, 9) }},
		}, outages...)
	}
	if fig.elections.NoTrace {
		return outages
	}
	legend := append([]legendEntry{
		{"leader, with its term", func(s *sheet, x, y vg.Length) {
			s.fill(x, y-1, x+swatchWidth, y+swatchHeight+1, s.theme.leader)
			s.text(x+swatchWidth/2, y+swatchHeight/2, "7", lettering{
				size: sizeSmall, bold: true, color: s.theme.onLeader, x: text.XCenter, y: text.YCenter})
		}},
		{"candidate", func(s *sheet, x, y vg.Length) { s.drawCandidate(x+swatchWidth/2, y+swatchHeight/2-1, 9) }},
	}, outages...)
	if len(fig.elections.Losses) > 0 {
		legend = append(legend, plainLegend("no leader", func(t theme) color.NRGBA { return t.noLeader }),
			plainLegend("no client has a success", func(t theme) color.NRGBA { return t.unavailable }))
	}
	return legend
}

// otherBands explains the bands whose class no outage of a node has.
func otherBands(faults []measure.FaultRun) []legendEntry {
	shown := []string{string(measure.ClassKill), string(measure.ClassPause), string(measure.ClassPartition)}
	return slices.DeleteFunc(bandLegend(faults), func(e legendEntry) bool { return slices.Contains(shown, e.label) })
}

func plainLegend(label string, of func(theme) color.NRGBA) legendEntry {
	return legendEntry{label, func(s *sheet, x, y vg.Length) {
		s.fill(x+swatchWidth/2, y, x+swatchWidth, y+swatchHeight, of(s.theme))
	}}
}

func (s *sheet) drawLaneName(name string, y vg.Length) {
	l := lettering{size: sizeText, bold: true, color: s.theme.ink, x: text.XRight, y: text.YCenter}
	s.text(marginLeft-8, y, s.fit(name, l, marginLeft-10), l)
}

func (s *sheet) drawNodeLane(fig *figures, a timeAxis, node string, y vg.Length) {
	s.line(a.x0, y, a.x1, y, 0.8, withAlpha(s.theme.axis, 140))
	s.drawLaneName(node, y)
	for _, o := range fig.outages {
		if o.Node != node || o.End < a.Begin || o.Begin > a.End {
			continue
		}
		fault := measure.ClassKill
		switch o.Cause {
		case measure.CausePaused:
			fault = measure.ClassPause
		case measure.CauseCutOff:
			fault = measure.ClassPartition
		}
		x0 := a.x(o.Begin)
		s.hatchedBox(x0, y-laneBar/2+2, max(a.x(o.End), x0+1.5), y+laneBar/2-2, fault)
	}
	for _, r := range fig.elections.Leaderships {
		if r.Node == node {
			s.drawLeadership(fig, a, r, y)
		}
	}
	for _, r := range fig.logged {
		if r.Node == node {
			s.drawLogged(a, r, y)
		}
	}
	for _, c := range fig.candidates {
		if c.node == node && a.Holds(c.at) {
			s.drawCandidate(a.x(c.at), y, laneBar)
		}
	}
}

// drawLeadership draws a leader's bar; the term stands in it, or right of it when
// it is too short.
func (s *sheet) drawLeadership(fig *figures, a timeAxis, r measure.Leadership, y vg.Length) {
	end := r.End
	if end == 0 {
		end = a.End
	}
	if end < a.Begin || r.Begin > a.End {
		return
	}
	x0 := a.x(r.Begin)
	x1 := max(a.x(end), x0+2)
	c := s.theme.leader
	if r.Term%2 == 1 {
		c = s.theme.leaderAlt
	}
	s.fill(x0, y-laneBar/2, x1, y+laneBar/2, c)
	l := lettering{size: sizeText, bold: true, color: s.theme.onLeader, x: text.XCenter, y: text.YCenter}
	for _, label := range []string{"term " + strconv.FormatUint(r.Term, 10), strconv.FormatUint(r.Term, 10)} {
		if s.widthOf(label, l)+6 <= x1-x0 {
			s.text((x0+x1)/2, y, label, l)
			return
		}
	}
	l.color, l.x, l.size = s.theme.ink, text.XLeft, sizeSmall
	label := strconv.FormatUint(r.Term, 10)
	if x1+3+s.widthOf(label, l) < fig.nextInLane(a, r) {
		s.text(x1+2, y+laneBar/2, label, l)
	}
}

// drawLogged draws when a node led by its log: an outline, since nothing vouches for it.
func (s *sheet) drawLogged(a timeAxis, r measure.Leadership, y vg.Length) {
	end := r.End
	if end == 0 {
		end = a.End
	}
	if end < a.Begin || r.Begin > a.End {
		return
	}
	x0 := a.x(r.Begin)
	x1 := max(a.x(end), x0+2)
	s.frame(x0, y-laneBar/2, x1, y+laneBar/2, 1.3, s.theme.leader)
	l := lettering{size: sizeText, bold: true, color: s.theme.leader, x: text.XCenter, y: text.YCenter}
	if label := "term " + strconv.FormatUint(r.Term, 10); r.Term > 0 && s.widthOf(label, l)+6 <= x1-x0 {
		s.text((x0+x1)/2, y, label, l)
	}
}

// nextInLane is where the next mark in a leadership's lane stands, after it.
func (fig *figures) nextInLane(a timeAxis, r measure.Leadership) vg.Length {
	next := a.x1
	for _, o := range fig.elections.Leaderships {
		if o.Node == r.Node && o.Begin > r.Begin {
			next = min(next, a.x(o.Begin))
		}
	}
	for _, c := range fig.candidates {
		if c.node == r.Node && c.at > r.Begin {
			next = min(next, a.x(c.at)-3)
		}
	}
	return next
}

// drawCandidate marks a candidacy with a tick and a head.
func (s *sheet) drawCandidate(x, y, height vg.Length) {
	c := s.theme.candidate
	s.line(x, y-height/2-1, x, y+height/2+2, 1, c)
	s.glyphs(c, 2.2, otherLook, []vg.Point{{X: x, Y: y + height/2 + 2}})
}

// gap is a time without something.
type gap struct {
	measure.Window
	label string
}

// noLeaderGaps are the times from the loss of a leader to the next.
func noLeaderGaps(fig *figures) []gap {
	var gaps []gap
	for _, l := range fig.lost {
		label := number.Millis(l.NoLeader)
		if l.NewLeader == "" {
			label = "none until the end"
		}
		gaps = append(gaps, gap{measure.Window{Begin: l.At, End: l.At + int64(float64(l.NoLeader)*1e6)}, label})
	}
	return gaps
}

// unavailableGaps are the times without a success around the losses; two
// losses may share one.
func unavailableGaps(fig *figures) []gap {
	var gaps []gap
	for _, l := range fig.lost {
		if l.Unavailable == 0 || len(gaps) > 0 && gaps[len(gaps)-1].Begin == l.UnavailableAt {
			continue
		}
		gaps = append(gaps, gap{measure.Window{
			Begin: l.UnavailableAt, End: l.UnavailableAt + int64(float64(l.Unavailable)*1e6),
		}, number.Millis(l.Unavailable)})
	}
	return gaps
}

// drawGaps draws a lane of gaps, with their lengths where there is room.
func (s *sheet) drawGaps(a timeAxis, gaps []gap, y vg.Length, st stroke) {
	s.line(a.x0, y, a.x1, y, 0.8, withAlpha(s.theme.axis, 140))
	l := lettering{size: sizeSmall, color: s.theme.ink, x: text.XLeft, y: text.YCenter}
	for i, g := range gaps {
		if g.Begin > a.End || g.End < a.Begin {
			continue
		}
		x0 := a.x(g.Begin)
		x1 := max(a.x(g.End), x0+2)
		s.fill(x0, y-laneBar/2, x1, y+laneBar/2, st.color)
		room := a.x1 - x1 - 3
		if i+1 < len(gaps) {
			room = a.x(gaps[i+1].Begin) - x1 - 6
		}
		if width := s.widthOf(g.label, l); width <= room {
			s.fill(x1+1.5, y-5.5, x1+width+4.5, y+5.5, withAlpha(s.theme.paper, 170))
			s.text(x1+3, y, g.label, l)
		} else if inside := l; width+6 <= x1-x0 {
			inside.color, inside.x = s.theme.paper, text.XCenter
			s.text((x0+x1)/2, y, g.label, inside)
		}
	}
}
