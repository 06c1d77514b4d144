package reports

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"squall/history/check"
	"squall/history/measure"
	"squall/internal/plain"
)

// staleAt are the times of stale leaders that reach into those of a witness, a few of
// them at most, and none twice for one node.
func staleAt(stale []measure.Leadership, times []int64) []measure.Leadership {
	const most = 4
	if len(times) == 0 {
		return nil
	}
	first, last := slices.Min(times), slices.Max(times)
	var in []measure.Leadership
	for _, s := range stale {
		known := slices.ContainsFunc(in, func(o measure.Leadership) bool { return o.Node == s.Node })
		if len(in) < most && !known && s.Begin <= last && (s.End == 0 || s.End >= first) {
			in = append(in, s)
		}
	}
	return in
}

const staleName = ", stale leader"

// leftOf is the room for the names of lanes: as much as the longest takes.
func leftOf(witness []check.WitnessOp, name func(check.WitnessOp) string, stale []measure.Leadership) int {
	longest := 0
	for _, w := range witness {
		longest = max(longest, utf8.RuneCountInString(name(w)))
	}
	for _, s := range stale {
		longest = max(longest, utf8.RuneCountInString(plain.Fit(s.Node, 12)+staleName))
	}
	return max(tlLeft, int(float64(longest)*tlLetter)+20)
}

// placeLeaders shows who led between the first call and the last return, and who still
// took itself for the leader: a lane of its own for each.
func (t *timeline) placeLeaders(leaderships, stale []measure.Leadership, s squeeze) {
	const height = 24
	t.Foot = tlHead + len(t.Lanes)*tlLane + 12
	add := func(lane leaderLane, of []measure.Leadership) {
		lane.Y = t.Foot
		for _, r := range of {
			if b, ok := t.leaderBar(r, lane.Stale, s); ok {
				lane.Bars = append(lane.Bars, b)
			}
		}
		t.Leaders = append(t.Leaders, lane)
		t.Foot += height
	}
	add(leaderLane{Name: "leader"}, leaderships)
	for i := range stale {
		add(leaderLane{Name: plain.Fit(stale[i].Node, 12) + staleName, Stale: true}, stale[i:i+1])
	}
	t.Foot += 2
}

// leaderBar is the time of a leader as far as it is in the picture.
func (t *timeline) leaderBar(r measure.Leadership, stale bool, s squeeze) (leaderBar, bool) {
	if len(s.times) == 0 {
		return leaderBar{}, false
	}
	first, last := s.times[0], s.times[len(s.times)-1]
	end := r.End
	if end == 0 {
		end = last + 1
	}
	if end < first || r.Begin > last {
		return leaderBar{}, false
	}
	x0, x1 := s.x(r.Begin), s.x(end)
	if r.Begin < first {
		x0 = t.Left
	}
	if end > last {
		x1 = tlWidth - tlRight
	}
	b := leaderBar{X: x0, W: max(x1-x0, 3), TextX: x0 + 5, Odd: r.Term%2 == 1}
	text := fmt.Sprintf("%s · term %d", plain.Fit(r.Node, 12), r.Term)
	if stale {
		text = fmt.Sprintf("still in term %d", r.Term)
	}
	if float64(utf8.RuneCountInString(text))*tlLetter+8 < float64(b.W) {
		b.Text = text
	}
	return b, true
}
