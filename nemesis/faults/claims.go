package faults

import (
	"fmt"
	"math"
	"slices"
	"time"

	"squall/history"
	"squall/nemesis"
)

// claim is something that must be measured on links.
type claim struct {
	what string
	unit string
	// each is measured on every link by itself; else the sums of all links are,
	// since shares of few datagrams mean little.
	each bool
	// value of a flow; ok is false when it cannot be told.
	value  func(nemesis.Flow) (v float64, ok bool)
	lo, hi float64 // what holds
	// healed is the bound that must hold when the fault is gone.
	healed float64
	shown  bool // only shown: nothing is claimed
}

func (c claim) want() string {
	switch {
	case c.shown:
		return ""
	case math.IsInf(c.hi, 1):
		return "≥ " + figure(c.lo)
	case c.lo <= 0:
		return "≤ " + figure(c.hi)
	}
	return figure(c.lo) + " to " + figure(c.hi)
}

func figure(v float64) string { return nemesis.Figure(v) }

func (c claim) holds(v float64) bool { return c.shown || v >= c.lo && v <= c.hi }

// whole are the claims of links that no fault is on any more.
func whole(claims []claim) []claim {
	healed := slices.Clone(claims)
	for i, c := range claims {
		switch {
		case c.shown:
		case math.IsInf(c.healed, 1): // what the fault bounds from above is beyond it again
			healed[i].lo, healed[i].hi = c.hi, c.healed
		default:
			healed[i].lo, healed[i].hi = 0, c.healed
		}
	}
	return healed
}

// holdAgainst measures every claim and says which do not hold.
func holdAgainst(flows map[history.Link]nemesis.Flow, claims []claim) (measured []history.Measure, wrong []string) {
	for _, c := range claims {
		parts := map[string]nemesis.Flow{}
		if c.each {
			for link, f := range flows {
				parts[nemesis.Arrow(link)] = f
			}
		} else {
			parts[fmt.Sprintf("%d links together", len(flows))] = sum(flows)
		}
		for _, where := range sortedKeys(parts) {
			v, ok := c.value(parts[where])
			if !ok && c.shown {
				continue // there is no figure, and none is needed
			}
			if !ok {
				wrong = append(wrong, fmt.Sprintf("%s: %s cannot be told: of %d datagrams %d arrived",
					where, c.what, parts[where].Sent, parts[where].Received))
				continue
			}
			m := history.Measure{What: c.what, Where: where, Value: round(v), Unit: c.unit, Want: c.want()}
			if !c.holds(v) {
				wrong = append(wrong, fmt.Sprintf("%s: %s is %s %s, wanted %s", where, c.what, figure(v), c.unit, c.want()))
			}
			measured = append(measured, m)
		}
	}
	return measured, wrong
}

// tell puts the figures into the proof: for people the range of each, not
// twenty lines.
func tell(h *nemesis.Hit, measured []history.Measure) {
	for _, m := range measured {
		h.Note(m)
	}
	for _, s := range history.Spans(measured) {
		where, value := s.Where[0], figure(s.Lo)
		if len(s.Where) > 1 {
			where, value = fmt.Sprintf("%d links", len(s.Where)), figure(s.Lo)+" to "+figure(s.Hi)
		}
		text := fmt.Sprintf("%s on %s: %s %s", s.What, where, value, s.Unit)
		if s.Want != "" {
			text += " (wanted " + s.Want + ")"
		}
		h.Say("%s", text)
	}
}

// sum adds flows up, for shares; delays and rates make no sense in it.
func sum(flows map[history.Link]nemesis.Flow) (all nemesis.Flow) {
	for _, f := range flows {
		all.Sent += f.Sent
		all.Received += f.Received
		all.Duplicates += f.Duplicates
		all.Reordered += f.Reordered
		all.Corrupted += f.Corrupted
	}
	return all
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// round leaves what can be known of a measurement.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// How much a healed link may still show.
const (
	healedDelay = 25.0 // ms, median: a busy machine is late, too
	leastDelay  = 2.0  // ms
	healedShare = 2.0  // %: of what is sent a busy machine loses some
)

// delayed claims that the median of the way is at least so long, or for another
// reason at most so long.
func delayed(d, jitter time.Duration) []claim {
	lo := ms(d - jitter/2)
	// Half of it would not be this fault. A median of much less cannot be
	// told from a busy machine.
	healed := min(healedDelay, max(lo/2, leastDelay))
	return []claim{
		{what: "one way", unit: "ms", each: true, lo: lo * 0.95, hi: math.Inf(1), healed: healed,
			value: func(f nemesis.Flow) (float64, bool) { return ms(f.OneWay), f.Received > 0 }},
		{what: "round trip", unit: "ms", each: true, shown: true,
			value: func(f nemesis.Flow) (float64, bool) { return ms(f.RoundTrip), f.RoundTrip > 0 }},
	}
}

// share claims that a share of the datagrams met a fate: so many that with n of
// them sent it is within five standard deviations, and one at least.
func share(what string, p float64, n int, count func(nemesis.Flow) (k, of int)) claim {
	sigma := math.Sqrt(p * (1 - p) / float64(n))
	return claim{what: what, unit: "%",
		lo: 100 * max(p-5*sigma, 0.5/float64(n)), hi: 100 * min(p+5*sigma, 1), healed: healedShare,
		value: func(f nemesis.Flow) (float64, bool) {
			k, of := count(f)
			return 100 * float64(k) / float64(max(of, 1)), of > 0
		}}
}

func lost(f nemesis.Flow) (int, int)       { return f.Sent - f.Received, f.Sent }
func duplicated(f nemesis.Flow) (int, int) { return f.Duplicates, f.Received }
func reordered(f nemesis.Flow) (int, int)  { return f.Reordered, f.Received }
func corrupted(f nemesis.Flow) (int, int)  { return f.Corrupted, f.Received }
