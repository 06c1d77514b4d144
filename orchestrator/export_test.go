package orchestrator

import (
	"context"
	"fmt"
	"io"

	"squall/history"
	"squall/nodeimage/agent/protocol"
	"squall/workloads/systems"
)

// TestNode is a node for the tests of real machines, which are outside this
// package.
type TestNode struct {
	n      *node
	events guarded
	Lost   chan string // why a machine was lost
}

// NewTestNode is a node on that machine, whose server is that command.
func NewTestNode(m Machine, argv ...string) *TestNode {
	t := &TestNode{Lost: make(chan string, 10)}
	t.n = &node{machine: m, start: systems.Start{Argv: argv}, sink: &t.events, log: io.Discard,
		lost: func(m Machine, agent *protocol.Client) { t.Lost <- death(m, agent) }}
	t.n.connect()
	return t
}

func (t *TestNode) Start(ctx context.Context) error    { return t.n.Start(ctx) }
func (t *TestNode) Kill(ctx context.Context) error     { return t.n.Kill(ctx) }
func (t *TestNode) PowerOff(ctx context.Context) error { return t.n.PowerOff(ctx) }
func (t *TestNode) PowerOn(ctx context.Context) error  { return t.n.PowerOn(ctx) }
func (t *TestNode) Agent() *protocol.Client            { return t.n.agent() }

// Doom says that the server's end will be for want of memory.
func (t *TestNode) Doom() { t.n.doom(history.ReasonOOM) }

// Events are what was recorded, as "kind boot: reason".
func (t *TestNode) Events() []string {
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
func (t *TestNode) Close() {
	t.n.off.Store(t.n.life.Load())
	_ = t.n.agent().Close()
}
