// Package nemesis is the catalogue of faults, the seeded schedule that picks
// them, and the runner that injects them, proves from inside the machines
// that they bite, heals them, and proves that too.
//
// A fault is a composition of two things: an action (cut links, kill, pause)
// and a choice of whom it hits. What it needs of the machines is declared here
// as small interfaces; the orchestrator provides them.
package nemesis

import (
	"context"

	"squall/history"
)

// Node is what a fault needs of one node. Every call returns when its effect
// has been seen from inside the machine, or with an error.
type Node interface {
	Name() string
	// Kill ends the server with SIGKILL and returns when it is gone.
	Kill(ctx context.Context) error
	// Start starts the server again. A server that runs is left alone.
	Start(ctx context.Context) error
	// Pause stops every thread of the server with SIGSTOP; Resume continues
	// it. Both are idempotent, and leave a server that has ended alone.
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// Process is the server's process as the kernel shows it.
	Process(ctx context.Context) (Process, error)
	// Drop makes the machine drop every packet that comes from these nodes and
	// from no others: it replaces what it dropped before.
	Drop(ctx context.Context, from []string) error
	// Dropped is what the kernel counted since then: packets dropped, by the
	// node that they came from.
	Dropped(ctx context.Context) (map[string]uint64, error)
}

// Process is a server's process as the kernel shows it.
type Process struct {
	Running bool
	PID     int
	State   string // the letter of /proc/PID/stat: R, S, D, T, Z; "" when gone
	Exit    string // how the last one ended: "signal: killed"
}

// Cluster is the nodes that faults act on.
type Cluster interface {
	// Nodes are all nodes, in the order of their names.
	Nodes() []Node
	// Leader is the node that leads the highest term seen so far, or "" when
	// none does.
	Leader() string
	// Reach measures which directed links carry packets right now, by probes
	// between all pairs of nodes.
	Reach(ctx context.Context) (map[history.Link]bool, error)
}

// Recorder takes the records of faults.
type Recorder interface {
	Append(history.Record) error
}

// Planned is one fault of a schedule.
type Planned struct {
	ID      int    `json:"id"`
	Fault   string `json:"fault"`
	Variant string `json:"variant"`
	AtMs    int64  `json:"atMs"`  // when it begins, from the begin of the load
	ForMs   int64  `json:"forMs"` // how long it holds before it is healed
	// Order is a random order of the nodes: a variant that needs k nodes takes
	// the first k. A leader is found when the fault begins.
	Order []string `json:"order"`
	// Coin decides where a variant has two forms, as one-way has.
	Coin bool `json:"coin"`
}
