package crash

import (
	"math/bits"
	"slices"

	"squall/history"
)

// Moment is when the power is cut.
type Moment struct {
	At  int64 `json:"at"`  // ns of the machines' clock
	Why Why   `json:"why"` // what had just happened
}

// Why says what had just happened at a moment.
type Why string

// What makes a moment a bad one, from what has found most.
const (
	WhyAcknowledged Why = "acknowledgement" // a client had just been told that a change was made
	WhyNames        Why = "names"           // files had just been made, renamed or removed: segments, snapshots
	WhySync         Why = "sync"            // a sync was about to return
	WhySnapshot     Why = "snapshot"        // a snapshot had just been taken or installed
	WhyElection     Why = "election"        // a vote had just been given, a leader elected
	WhyTear         Why = "tear"            // a write that a disk may tear was about to be synced
	WhyCut          Why = "cut"             // a file had just been made shorter
	WhySpread       Why = "spread"          // nothing: moments evenly over the load
)

// Whys are all of them.
func Whys() []Why {
	return []Why{WhyAcknowledged, WhyNames, WhyTear, WhySync, WhySnapshot, WhyElection, WhyCut, WhySpread}
}

// spreadMoments is how many moments there are that nothing recommends.
const spreadMoments = 1 << 10

// moments are all that are worth a try, worst first: of each kind in turn; within a kind first those at which something
// is pending on some disk, and in an order that is spread over the load however early it ends. Moments at which disks and
// acknowledgements are the same are one.
func (s *Storm) moments(v *survey) ([]Moment, error) {
	from, to, err := s.window()
	if err != nil {
		return nil, err
	}
	from = max(from, v.began(), s.firstAcknowledged()) // before, there is nothing that could be missing
	var kinds [][]Moment
	taken := map[int64]bool{}
	for _, why := range Whys() {
		kinds = append(kinds, s.kind(v, why, s.candidates(v, why, from, to), from, to, taken))
	}
	var all []Moment
	for i, more := 0, true; more; i++ {
		more = false
		for _, list := range kinds {
			if i < len(list) {
				all, more = append(all, list[i]), true
			}
		}
	}
	return all, nil
}

// afterElection is how many operations on disks after a vote or an election are moments, too: the first entries of the term are
// on some disks then, and not yet on others.
const afterElection = 12

// kind makes the moments of a kind from times.
func (s *Storm) kind(v *survey, why Why, times []int64, from, to int64, taken map[int64]bool) []Moment {
	slices.Sort(times)
	var dirty, clean []Moment
	for _, at := range times {
		if at < from || at >= to {
			continue
		}
		at = v.settle(at, to-1)
		if taken[at] {
			continue
		}
		taken[at] = true
		if m := (Moment{at, why}); v.pendingAt(at) > 0 {
			dirty = append(dirty, m)
		} else {
			clean = append(clean, m)
		}
	}
	return append(spread(dirty), spread(clean)...)
}

// candidates are the times of a kind, ns.
func (s *Storm) candidates(v *survey, why Why, from, to int64) (times []int64) {
	switch why {
	case WhyAcknowledged:
		for i := range s.History.Ops {
			if op := &s.History.Ops[i]; s.History.Functions.Changed(op) {
				times = append(times, op.Return)
			}
		}
	case WhySnapshot, WhyElection:
		for i := range s.History.Nodes {
			e := &s.History.Nodes[i]
			if of(e) != why {
				continue
			}
			times = append(times, e.Time)
			if why == WhyElection {
				times = append(times, v.after(e.Time, afterElection)...)
			}
		}
	case WhySpread:
		for i := range int64(spreadMoments) {
			times = append(times, from+(to-from)/spreadMoments*i)
		}
	default:
		for i := range v.nodes {
			times = append(times, v.nodes[i].of(why)...)
		}
	}
	return times
}

// of is the kind of moment that an event makes; "" for none.
func of(e *history.NodeEvent) Why {
	switch {
	case e.Kind == history.EventSnapshot:
		return WhySnapshot
	case e.Kind == history.EventVote, e.Leads():
		return WhyElection
	}
	return ""
}

// of are the times of a kind of which the journal tells.
func (s *nodeSurvey) of(why Why) []int64 {
	switch why {
	case WhyNames:
		return s.names
	case WhyTear:
		return s.tears
	case WhyCut:
		return s.cuts
	}
	var times []int64
	for _, at := range s.syncs {
		times = append(times, at-1)
	}
	return times
}

// spread puts a list into an order whose every beginning is spread evenly over it.
func spread(list []Moment) []Moment {
	if len(list) < 2 {
		return list
	}
	width := bits.Len(uint(len(list) - 1))
	out := make([]Moment, 0, len(list))
	for i := range 1 << width {
		if at := int(bits.Reverse64(uint64(i)) >> (64 - width)); at < len(list) {
			out = append(out, list[at])
		}
	}
	return out
}
