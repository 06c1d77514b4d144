package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/check/service"
	"squall/orchestrator/testplan"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// Checkers are the checks of a history that ends with a power cut: those of the workload, whether the nodes' copies
// are the same, where the system tells of that, and whether every node serves again. What the storm itself did not pass says
// nothing about power cuts, and is left out.
func Checkers(t *testplan.Test, dir string) (checkers []check.Checker, leftOut []string, err error) {
	system, err := t.FindSystem()
	if err != nil {
		return nil, nil, err
	}
	workload, err := catalogue.FindWorkload(t.Workload)
	if err != nil {
		return nil, nil, err
	}
	all := workload.Checkers()
	if systems.TellsReplicas(system) {
		all = append(all, service.Replicas())
	}
	all = append(all, service.Recovery())
	results, err := check.ReadResults(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, c := range all {
		if results != nil && slices.ContainsFunc(results.Checks, func(r check.Result) bool { return r.Name == c.Name() && r.Verdict == check.Violation }) {
			leftOut = append(leftOut, c.Name())
			continue
		}
		checkers = append(checkers, c)
	}
	return checkers, leftOut, nil
}

// Refuse says why no states of a run can be booted; nil: they can.
func Refuse(p *testplan.Plan, h *history.History) error {
	for i := range h.Faults {
		if h.Faults[i].Kind == history.KindMembership {
			return fmt.Errorf("the run changed the members of the cluster (%s): which nodes were members at a moment is not known to squall crash", h.Faults[i].Name)
		}
	}
	if len(h.Header.Nodes) != p.Test.Nodes {
		return fmt.Errorf("the plan has %d nodes, the history %d", p.Test.Nodes, len(h.Header.Nodes))
	}
	return nil
}
