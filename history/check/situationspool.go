package check

import (
	"slices"

	"squall/history/situations"
)

// PoolSituations adds up the situations of several runs as if they were one: those of
// full traces, and others only where there is no full one. It is nil when no run has
// any. Where something occurred first is left out: it is in one run only.
func PoolSituations(runs []*Situations) *Situations {
	runs = slices.DeleteFunc(slices.Clone(runs), func(s *Situations) bool { return s == nil })
	if full := slices.DeleteFunc(slices.Clone(runs), func(s *Situations) bool { return !s.Full }); len(full) > 0 {
		runs = full
	}
	if len(runs) == 0 {
		return nil
	}
	pool := &Situations{Full: runs[0].Full}
	for _, run := range runs {
		pool.Events += run.Events
		for i := range run.List {
			pool.add(&run.List[i])
		}
	}
	pool.sumUp()
	return pool
}

// add adds what a run showed of a situation.
func (s *Situations) add(one *Situation) {
	i := slices.IndexFunc(s.List, func(o Situation) bool { return o.Name == one.Name })
	if i < 0 {
		s.List = append(s.List, Situation{Name: one.Name, Group: one.Group, Text: one.Text, Hidden: one.Hidden})
		i = len(s.List) - 1
	}
	sum := &s.List[i]
	sum.Count += one.Count
	if one.Hidden == "" {
		sum.Hidden = ""
	}
	for _, u := range one.Under {
		k := slices.IndexFunc(sum.Under, func(o Under) bool { return o.Fault == u.Fault && o.Role == u.Role })
		if k < 0 {
			sum.Under = append(sum.Under, u)
			continue
		}
		sum.Under[k].Count += u.Count
	}
}

// sumUp counts what was reached, and estimates what can be.
func (s *Situations) sumUp() {
	s.Reached, s.Visible = 0, 0
	var visible []int
	for i := range s.List {
		one := &s.List[i]
		sortUnder(one.Under)
		if one.Hidden != "" {
			continue
		}
		visible = append(visible, one.Count)
		s.Visible++
		if one.Count > 0 {
			s.Reached++
		}
	}
	s.Estimate = situations.Chao1(visible)
}
