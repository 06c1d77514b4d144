package testplan

import (
	"slices"
	"time"

	"squall/nemesis"
	"squall/nemesis/schedule"
	"squall/workloads/systems"
)

// breathe makes the quiet between faults long enough for an election, where disks lose what was not synced and the test
// does not say how long it is to be: a power cut finds only what was acknowledged since the one before, and a cluster that has not elected
// yet acknowledges nothing. Of other faults, one during an election is as good as any.
func (t *Test) breathe(system systems.System, spec *schedule.Spec) {
	timer, tells := systems.As[systems.ElectionTimer](system)
	loses := slices.ContainsFunc(spec.Cards, func(c schedule.Card) bool { return slices.Contains(c.Fault.Needs, nemesis.NeedDisk) })
	if !tells || !loses || spec.Given {
		return
	}
	_, longest := timer.ElectionTimeout(t.SystemParams)
	if quiet := longest + longest/6; quiet > spec.Gap.Most() { // a vote takes time, too
		spec.Gap = schedule.Dist{Lo: quiet, Hi: quiet + longest/2}
		spec.Tail = max(spec.Tail, quiet+time.Second)
	}
}
