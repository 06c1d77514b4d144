// Package nemesis is what a fault is: its parameters, whom it can hit, what it
// needs of the machines, and how it is injected, proven from inside the
// machines to take effect, undone, and proven to be gone. The faults themselves are in
// package faults, one file each; which of them happen when is drawn by package
// schedule.
//
// What faults need of the machines is declared here as small interfaces; the
// orchestrator provides them.
package nemesis

import (
	"context"
	"time"

	"squall/history"
)

// Clients is the name of the machine that the clients run on, as the end of a
// link.
const Clients = "clients"

// Cluster is the nodes that faults act on.
type Cluster interface {
	// Nodes are all nodes, in the order of their names.
	Nodes() []Node
	// Roles says who plays which role at this moment.
	Roles() Roles
	// Reach measures by probes which directed links carry packets right now:
	// between all pairs of nodes whose machines are up, and from the clients to
	// each of those. flight is how long a packet may be under way.
	Reach(ctx context.Context, flight time.Duration) (map[history.Link]bool, error)
	// Flow sends datagrams over links and measures what becomes of them.
	Flow(ctx context.Context, spec FlowSpec) (map[history.Link]Flow, error)
	// Watch sees moments in what the nodes tell.
	Watch() *Watch
	// Membership is how the members of the system under test are changed, and
	// what was asked of it; nil for a system that cannot.
	Membership() (Membership, *Roster)
}

// Roles is who plays which role at a moment; "" is nobody.
type Roles struct {
	Leader    string // leads the highest term seen so far
	OldLeader string // led last before the present (or the last) leader
	Candidate string // stands for election, or did so last
}

// Node is what faults need of one node. Every call returns when its effect has
// been seen from inside the machine, or with an error.
type Node interface {
	Name() string
	Server
	Wire
	Machine
	Disk
	Clock
	Messages
}

// Server is the server process of a node.
type Server interface {
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
}

// Process is a server's process as the kernel shows it.
type Process struct {
	Running bool
	PID     int
	State   string // the letter of /proc/PID/stat: R, S, D, T, Z; "" when gone
	Exit    string // how the last one ended: "signal: killed"
	// Crashed is true when none runs because the last one ended, and squall had no
	// hand in it. That it is gone says nothing about a fault.
	Crashed bool
}

// Wire is what the machine of a node does to packets.
type Wire interface {
	// SetNet makes the machine treat packets like this and not otherwise: it
	// replaces what it did before, in one step.
	SetNet(ctx context.Context, state NetState) error
	// NetCounts is what the kernel and the shaper counted of it since.
	NetCounts(ctx context.Context) (NetCounts, error)
	// Connect tries to open a TCP connection to these nodes from inside the
	// machine. The answer has, for each, "" or why it failed.
	Connect(ctx context.Context, to []string, timeout time.Duration) ([]string, error)
}

// Machine is the machine of a node: its power, processors and memory.
type Machine interface {
	// Up is false from PowerOff, or another end of the machine, to PowerOn.
	Up() bool
	// Lost is true when the machine ended by itself, or by somebody else's
	// doing, until PowerOn.
	Lost() bool
	// PowerOff ends the machine as a power cut does. PowerOn starts it again
	// with the disk and address that it had, and nothing else: no server, no
	// rules for packets, a true clock. Both are idempotent.
	PowerOff(ctx context.Context) error
	PowerOn(ctx context.Context) error
	// LimitCPU says how many processors' worth of time the machine may use, and
	// LimitMemory how many bytes; a zero puts back what the test set for the
	// machine. Neither touches the other's limit.
	LimitCPU(ctx context.Context, cpus float64) error
	LimitMemory(ctx context.Context, bytes int64) error
	// Spin keeps threads busy for a while and says how much processor time
	// they were given.
	Spin(ctx context.Context, d time.Duration, threads int) (time.Duration, error)
	// Hog has a process in the machine take that much memory, in bytes, and
	// hold it; if memory runs out, the server is the one to die, by squall's
	// doing. 0 ends that process.
	Hog(ctx context.Context, bytes int64) error
	// Usage is what the machine uses, by its control group.
	Usage(ctx context.Context) (Usage, error)
}

// Usage is what a machine uses.
type Usage struct {
	Memory      int64 // bytes
	MemoryLimit int64 // bytes; 0: none
	OOMKills    uint64
}

// Clock is the clock that a node's server sees, where the system lets it be
// bent.
type Clock interface {
	// BendClock makes the server see time like this from now on. It holds for
	// a server that is started later, too; the zero Bend is true time.
	BendClock(ctx context.Context, b Bend) error
	// ReadClock asks the server what its clock says.
	ReadClock(ctx context.Context) (Reading, error)
}

// Bend is how a server sees time.
type Bend struct {
	Offset time.Duration // added at the moment of the bend
	Rate   float64       // seconds that pass for it in a true second; 0 means 1
	Frozen bool          // no time passes
}

// Reading is what a server's clock said at a moment.
type Reading struct {
	True   int64 // CLOCK_MONOTONIC, ns
	Server int64 // what the server takes it for, ns
	Error  int64 // the reading may be that much off, ns
}

// Recorder takes the records of faults.
type Recorder interface {
	Append(history.Record) error
}
