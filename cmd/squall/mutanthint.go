package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/nemesis/schedule"
	"squall/nodeimage/mutants"
	"squall/orchestrator/testplan"
)

// mutantHint says that the planted bug shows only with settings that a test does not have; "" where it has them, or the bug
// needs none.
func mutantHint(plan *testplan.Plan) string {
	if plan.Test.Mutant == "" || plan.Test.DiskJournal > 0 { // which is for `squall crash`
		return ""
	}
	m, err := mutants.Find(plan.Test.Mutant)
	if err != nil {
		return "" // it was refused, or is one that the list does not have
	}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(m.Settings)) {
		if value := m.Settings[name]; !has(plan, name, value) {
			missing = append(missing, fmt.Sprintf("--%s %s", name, value))
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("%s shows only with %s, which this test does not have", m.Name, strings.Join(missing, " "))
}

// has reports whether a test has a setting, or, of faults, one of those that it stands for.
func has(plan *testplan.Plan, name, value string) bool {
	option, known := testplan.FindOption(name)
	if !known {
		return true // nothing can be said
	}
	with := plan.Test
	if option.Set(&with, value) != nil || option.Get(&with) == option.Get(&plan.Test) || strings.HasPrefix(option.Get(&plan.Test), value+"(") {
		return true
	}
	if name != "nemesis" {
		return false
	}
	spec, err := schedule.ParseFaults(faults.All(), value)
	return err != nil || slices.ContainsFunc(spec.Cards, func(c schedule.Card) bool {
		return slices.ContainsFunc(plan.Schedule, func(p nemesis.Planned) bool { return p.Fault == c.Fault.Name })
	})
}
