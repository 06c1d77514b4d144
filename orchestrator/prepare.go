package orchestrator

import (
	"context"

	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// Machines are what the machines of a test are made of: squall-node, and the files of the system.
type Machines struct {
	test  testplan.Test
	ready prepared
}

// PrepareMachines makes what the machines of a test are made of, as Run does before it has a run directory, for
// who runs machines without a storm.
func PrepareMachines(ctx context.Context, t testplan.Test, cfg Config) (*Machines, error) {
	t.DiskJournal = 0 // of the storm's alone
	ready, err := prepare(ctx, t, nil, cfg)
	if err != nil {
		return nil, err
	}
	return &Machines{t, ready}, nil
}

// DriverMachine is the name of the machine that clients run in.
const DriverMachine = driverMachine

// Spec is a cluster of them: the nodes of the test, with disk having squall's file system on their data directories, and
// DriverMachine. run goes into names and labels.
func (m *Machines) Spec(run string, disk bool) machines.ClusterSpec {
	list := machineSpecs(testplan.NodeNames(m.test.Nodes), m.test, m.ready.files, nil)
	for i := range list[:m.test.Nodes] {
		list[i].Disk = disk
	}
	return machines.ClusterSpec{Run: run, Machines: list, Binary: m.ready.binary.Path, BinaryKey: m.ready.binary.Key}
}

// Binary is what was built, for people to compare: equal for equal programs.
func (m *Machines) Binary() string { return m.ready.binary.Key }
