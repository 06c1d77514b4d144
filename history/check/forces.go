package check

import (
	"cmp"
	"slices"

	"squall/history/measure"
)

// afterHeal is for how long after its heal a fault counts, ns: much of what it leaves
// behind shows only then.
const afterHeal = int64(1e9)

// forces tells which classes of faults were in force when. A class is a fault and the
// role of those that it hit.
type forces struct {
	classes []Under   // without counts
	begins  []int64   // of stretches in which the same classes are in force
	active  [][]int32 // which, in each
}

func newForces(faults []measure.FaultRun, leaderships []measure.Leadership, nodes int) *forces {
	f := &forces{}
	type step struct {
		at    int64
		class int32
		by    int
	}
	var steps []step
	for i := range faults {
		run := &faults[i]
		if !run.Verified {
			continue
		}
		class := f.class(Under{Fault: run.Name, Role: hitRole(run, leaderships, nodes)})
		steps = append(steps, step{run.Begin, class, 1})
		if end := max(run.Healed, run.HealAt); end > 0 {
			steps = append(steps, step{end + afterHeal, class, -1})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	open := make([]int, len(f.classes))
	for i, s := range steps {
		open[s.class] += s.by
		if i+1 < len(steps) && steps[i+1].at == s.at {
			continue
		}
		var active []int32
		for class, n := range open {
			if n > 0 {
				active = append(active, int32(class))
			}
		}
		f.begins, f.active = append(f.begins, s.at), append(f.active, active)
	}
	return f
}

func (f *forces) class(u Under) int32 {
	i := slices.Index(f.classes, u)
	if i < 0 {
		i = len(f.classes)
		f.classes = append(f.classes, u)
	}
	return int32(i)
}

// at are the classes in force at a time, ns since the start of the test.
func (f *forces) at(t int64) []int32 {
	i, found := slices.BinarySearch(f.begins, t)
	if found {
		i++
	}
	if i == 0 {
		return nil
	}
	return f.active[i-1]
}

// list makes a list of counts by class.
func (f *forces) list(counts map[int32]int) (list []Under) {
	for class, n := range counts {
		u := f.classes[class]
		u.Count = n
		list = append(list, u)
	}
	return list
}

// sortUnder sorts by counts, the largest first.
func sortUnder(list []Under) {
	slices.SortFunc(list, func(a, b Under) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Fault, b.Fault), cmp.Compare(a.Role, b.Role))
	})
}

// hitRole says what those nodes were that a fault hit, when it began.
func hitRole(run *measure.FaultRun, leaderships []measure.Leadership, nodes int) string {
	if len(run.Targets) == 0 || len(run.Targets) >= nodes {
		return HitAll
	}
	leader := leaderAt(leaderships, run.Begin)
	switch {
	case leader == "":
		return HitNoLeader
	case !slices.Contains(run.Targets, leader):
		return HitFollowers
	case len(run.Targets) == 1:
		return HitLeader
	}
	return HitBoth
}

// leaderAt is who led at a time, the newest leadership first; "" for nobody.
func leaderAt(leaderships []measure.Leadership, at int64) string {
	i, _ := slices.BinarySearchFunc(leaderships, at+1, func(l measure.Leadership, t int64) int { return cmp.Compare(l.Begin, t) })
	if i == 0 {
		return ""
	}
	if l := &leaderships[i-1]; l.End == 0 || l.End >= at {
		return l.Node
	}
	return ""
}
