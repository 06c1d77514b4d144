package testplan

import (
	"fmt"

	"squall/workloads/systems"
)

// settleTrace says what auto means for the system, and refuses a full trace of one whose
// servers write none at all.
func (t *Test) settleTrace() error {
	if t.Trace == "" || t.Trace == TraceBasic {
		return nil
	}
	system, err := t.FindSystem()
	if err != nil {
		return err
	}
	if t.Trace == TraceAuto {
		t.Trace = TraceBasic
		if _, ours := systems.As[systems.NodeRunner](system); ours {
			t.Trace = TraceFull
		}
		return nil
	}
	if !systems.Traced(system) {
		return &FieldError{Option: "trace", Err: fmt.Errorf("%s: the servers of %s write no trace", TraceFull, t.System)}
	}
	return nil
}
