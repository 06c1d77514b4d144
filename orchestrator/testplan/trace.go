package testplan

import (
	"fmt"

	"squall/workloads/systems"
)

// checkTrace refuses a full trace of a system whose servers write none at all.
func (t *Test) checkTrace() error {
	if t.Trace != TraceFull {
		return nil
	}
	system, err := t.FindSystem()
	if err != nil {
		return err
	}
	if !systems.Traced(system) {
		return &FieldError{Option: "trace", Err: fmt.Errorf("%s: the servers of %s write no trace", TraceFull, t.System)}
	}
	return nil
}
