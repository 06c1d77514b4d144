package orchestrator

import (
	"context"
	"fmt"
	"io"
	"time"

	"squall/history"
	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
	"squall/workloads/systems"
)

// testNode is a node for the tests of real machines.
type testNode struct {
	n      *node
	events guarded
	Lost   chan string // why a machine was lost
}

// newTestNode is a node on that machine, whose server is that command.
func newTestNode(m machines.Machine, argv ...string) *testNode {
	t := &testNode{Lost: make(chan string, 10)}
	t.n = &node{machine: m, start: systems.Start{Argv: argv}, sink: &t.events, log: io.Discard,
		lost: func(m machines.Machine, agent *protocol.Client) { t.Lost <- death(m, agent) }}
	t.n.connect()
	return t
}

func (t *testNode) Start(ctx context.Context) error    { return t.n.Start(ctx) }
func (t *testNode) Kill(ctx context.Context) error     { return t.n.Kill(ctx) }
func (t *testNode) PowerOff(ctx context.Context) error { return t.n.PowerOff(ctx) }
func (t *testNode) PowerOn(ctx context.Context) error  { return t.n.PowerOn(ctx) }
func (t *testNode) Agent() *protocol.Client            { return t.n.agent() }

// ExpectOOM says that the server's end will be for want of memory.
func (t *testNode) ExpectOOM() { t.n.expectEnd(history.ReasonOOM) }

// Events are what was recorded, as "kind boot: reason".
func (t *testNode) Events() []string {
	var list []string
	for _, e := range t.events.seen() {
		text := fmt.Sprintf("%s %d", e.Kind, e.Boot)
		if e.Reason != "" {
			text += ": " + e.Reason
		}
		list = append(list, text)
	}
	return list
}

// Close ends the talk with the machine, which is then no loss.
func (t *testNode) Close() {
	t.n.life.Load().off.Store(true)
	_ = t.n.agent().Close()
}

// testCluster is the nodes of a cluster without servers, as faults see them.
type testCluster struct{ n *nodes }

// newTestCluster is for the machines of these names.
func newTestCluster(c machines.Cluster, names []string) testCluster {
	return testCluster{connectPair(c, names)}
}

// Strike carries out one fault as a test would, and returns what was recorded of
// it: the injection and the heal.
func (c testCluster) Strike(ctx context.Context, choice string, hold time.Duration) ([]history.Fault, error) {
	parsed, err := nemesis.ParseChoice(faults.All(), choice)
	if err != nil {
		return nil, err
	}
	var order []string
	for _, n := range c.n.all {
		order = append(order, n.Name())
	}
	var rec faultList
	r := nemesis.Runner{Catalogue: faults.All(), Cluster: c.n, Recorder: &rec, Now: monotonic}
	p := nemesis.Planned{ID: 1, Fault: parsed.Fault.Name, Variant: parsed.Variants[0].Name, Params: parsed.Fault.Params.Fill(parsed.Args, nil),
		ForMs: hold.Milliseconds(), Order: order, Seed: 1}
	err = r.Run(ctx, []nemesis.Planned{p}, monotonic())
	return rec, err
}

type faultList []history.Fault

func (l *faultList) Append(r history.Record) error {
	*l = append(*l, *r.Fault)
	return nil
}
