package wal

import (
	"testing"

	"squall/nodeimage/mutants/scenario"
)

// scenarios are those of the known bugs in this package. The files
// scenario_GROUP_test.go add theirs; the tests of nodeimage/mutants run each
// with its bug, too.
var scenarios = scenario.Set{}

func TestScenarios(t *testing.T) { scenarios.Run(t, "../../mutants") }
