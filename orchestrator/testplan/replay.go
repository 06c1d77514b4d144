package testplan

import (
	"cmp"
	"fmt"
	"slices"

	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/workloads/systems"
)

// checkReplay refuses a plan whose faults could not be injected, by the rules by
// which faults are drawn: a fault means something in a cluster of this size, its
// parameters make sense together, the system can have it, and no two at once act on
// the same. A run that is only read is not held to that: its faults have been.
func (p *Plan) checkReplay() error {
	type inForce struct {
		planned nemesis.Planned
		claim   nemesis.Claim
	}
	all := faults.All()
	system, err := p.Test.FindSystem()
	if err != nil {
		return err
	}
	var active []inForce
	var choices []nemesis.Choice
	for _, planned := range slices.SortedStableFunc(slices.Values(p.Schedule), byBegin) {
		fault, _ := nemesis.Find(all, planned.Fault) // checkSchedule has found it
		if err := p.Test.checkChoice(system, fault, planned, p.Nodes); err != nil {
			return fmt.Errorf("fault %d cannot be replayed: %w", planned.ID, err)
		}
		if !slices.ContainsFunc(choices, func(c nemesis.Choice) bool { return c.Fault.Name == fault.Name }) {
			choices = append(choices, nemesis.Choice{Fault: fault})
		}
		if len(fault.Holds) == 0 {
			continue // it meets none
		}
		active = slices.DeleteFunc(active, func(a inForce) bool { return a.planned.Ends() <= planned.At() })
		claim := planned.Claim(fault)
		for _, a := range active {
			if claim.Meets(a.claim) {
				return fmt.Errorf("fault %d cannot be replayed: %s begins at %d ms, when %s, which is fault %d, still holds (until %d ms), and neither could be "+
					"proven to take effect: put one after the other, or leave one out", planned.ID, planned.Name(), planned.AtMs, a.planned.Name(), a.planned.ID,
					a.planned.Ends().Milliseconds())
			}
		}
		active = append(active, inForce{planned, claim})
	}
	return systemCan(system, choices)
}

func byBegin(a, b nemesis.Planned) int { return cmp.Compare(a.AtMs, b.AtMs) }

// checkChoice refuses a fault that these nodes cannot have, or whose target cannot be
// found in the system.
func (t *Test) checkChoice(system systems.System, fault nemesis.Fault, p nemesis.Planned, nodes []string) error {
	choice := nemesis.Choice{Fault: fault, Nodes: p.Nodes}
	if len(p.Nodes) == 0 {
		variant, _ := fault.Variant(p.Variant) // checkPlanned has found it
		choice.Variants = []nemesis.Variant{variant}
	}
	if p.Aim != nil {
		m, _ := nemesis.FindMoment(p.Aim.Moment) // checkPlanned has found it
		if err := t.momentSeen(system, p.Name(), m); err != nil {
			return err
		}
	}
	if p.Roles == nil { // else it is known who played them
		if _, err := aimed(system, choice); err != nil {
			return err
		}
	}
	if sorted := slices.Sorted(slices.Values(p.Nodes)); len(slices.Compact(sorted)) != len(p.Nodes) {
		return fmt.Errorf("%s names a node twice", p.Name())
	}
	if _, err := choice.Within(nodes); err != nil {
		return err
	}
	if fault.Check != nil {
		return fault.Check(fault.Params.Fill(p.Params, nil))
	}
	return nil
}
