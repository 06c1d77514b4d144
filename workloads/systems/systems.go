// Package systems knows how to start, address and talk to each system under
// test. A system is one small file here; everything else in squall speaks to
// it through System and Client.
package systems

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nodeimage/files"
)

// Node is one member of the cluster under test.
type Node struct {
	ID   int        `json:"id"`   // from 1, unique in the cluster
	Name string     `json:"name"` // "n1"
	Addr netip.Addr `json:"addr"`
	// Port is where clients connect; 0 means the system's own port.
	Port uint16 `json:"port,omitempty"`
}

// Options are the settings of a server. A zero field means the default.
type Options struct {
	Heartbeat   time.Duration // between two heartbeats of a leader; default 50 ms
	ElectionMin time.Duration // least election timeout; default 300 ms
	ElectionMax time.Duration // greatest election timeout; default 600 ms
	// SnapshotEvery is how many applied entries come between two snapshots.
	// 0 leaves it to the system.
	SnapshotEvery int
	// Seed makes what is random in a server, its election timeouts, the same
	// in each run; 0 leaves it random. Each node makes its own of it.
	Seed uint64
	// Trials is for a system with the trait of that name; nil: it is not made to
	// take trials.
	Trials *TrialOptions
}

// TrialOptions are settings of a server in an experiment on elections.
type TrialOptions struct {
	// PreVote lets a node ask first whether it could win, and refuse votes
	// against a leader that it still hears.
	PreVote bool
	// StartWait is how long a node that was started waits for a leader, at least.
	StartWait time.Duration
	// DiskMin and DiskMax are what a write to the disk takes beside its own
	// time; both 0: nothing.
	DiskMin, DiskMax time.Duration
}

// WithDefaults fills in the zero fields.
func (o Options) WithDefaults() Options {
	if o.Heartbeat == 0 {
		o.Heartbeat = 50 * time.Millisecond
	}
	if o.ElectionMin == 0 {
		o.ElectionMin = 300 * time.Millisecond
	}
	if o.ElectionMax == 0 {
		o.ElectionMax = 2 * o.ElectionMin
	}
	return o
}

// Validate says which settings cannot work together.
func (o Options) Validate() error {
	switch {
	case o.Heartbeat <= 0:
		return fmt.Errorf("heartbeat %v must be above zero", o.Heartbeat)
	case o.ElectionMin <= o.Heartbeat:
		return fmt.Errorf("election timeout %v must be longer than the heartbeat %v, "+
			"or every pause between two heartbeats starts an election", o.ElectionMin, o.Heartbeat)
	case o.ElectionMax < o.ElectionMin:
		return fmt.Errorf("greatest election timeout %v is below the least, %v", o.ElectionMax, o.ElectionMin)
	case o.SnapshotEvery < 0:
		return fmt.Errorf("snapshot-every %d must not be below zero", o.SnapshotEvery)
	}
	return nil
}

// Start is what the agent runs inside a machine to start a server.
type Start struct {
	Argv []string `json:"argv"` // Argv[0] is an absolute path in the machine
	Env  []string `json:"env,omitempty"`
	// Clock is whether the server takes the line by which the agent bends its
	// clock; it is that of the system's Traits.
	Clock bool `json:"clock,omitempty"`
}

// Traits say what can be expected of a system, so that a workload picks the
// checkers that mean something for it.
type Traits struct {
	// Trace is true when the server writes Raft trace events (docs/trace.md)
	// to the file descriptor that the agent gives it.
	Trace bool
	// Clock is true when the server's clock can be bent: it takes the line to
	// its clock that the agent gives it (docs/clock-bending.md).
	Clock bool
	// Membership is true when squall can change the system's members while it
	// runs.
	Membership bool
	// Trials is true when the server takes the trials of an experiment on
	// elections: lines on its stdin by which its leader holds entries back from
	// some followers, broadcasts, and crashes at a given moment after.
	Trials bool
}

// System is a kind of server that squall can test.
type System interface {
	Name() string
	// Describe is one line for people.
	Describe() string
	Traits() Traits
	// Params are the parameters that it takes, and Options turns values of all of
	// them into settings of its servers.
	Params() declare.Params
	Options(a declare.Args) (Options, error)
	// Server says how to start the given node of the cluster.
	Server(node Node, cluster []Node, opt Options) (Start, error)
	// Dial connects a client to one node. The client speaks to that node
	// alone: it never tries another one, nor anything twice.
	Dial(ctx context.Context, node Node) (Client, error)
}

// FileProvider is what a System can be beside: its servers need files in their
// machines, such as the server's program. A System that is none needs squall-node
// alone.
type FileProvider interface {
	// Files are what the machine of every server holds, for this processor (by
	// Go's names) and with values of all of the system's parameters. It is asked
	// before each test, and makes nothing. An *files.Error says that the choice of
	// the system is to blame.
	Files(ctx context.Context, arch string, a declare.Args) ([]files.File, error)
}

// Client is one connection to one node. It is safe for concurrent use, and
// concurrent operations share the connection. Every method returns soon after
// its context ends. An error is read with Certain and Lost.
type Client interface {
	Read(ctx context.Context, key string) (history.Value, error)
	Write(ctx context.Context, key string, value history.Value) error
	// CAS stores value if the key holds expect. If it does not, found is what
	// it holds.
	CAS(ctx context.Context, key string, expect, value history.Value) (swapped bool, found history.Value, err error)
	Delete(ctx context.Context, key string) error
	// Close ends the connection; operations under way return errors.
	Close() error
}

// Error is an operation that got no result.
type Error struct {
	// Certain is true when the operation had no effect and never will have.
	Certain bool
	// Lost is true when the connection is of no use any more.
	Lost bool
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Certain tells whether an operation that ended in err certainly had no
// effect. Of an error that it does not know, nothing is certain.
func Certain(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Certain
}

// Lost tells whether err means that the connection must be made anew.
func Lost(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Lost
}

// All lists the systems that squall knows, in the order in which it shows them.
func All() []System {
	return []System{RaftKV{}}
}

// Find returns the system of that name.
func Find(name string) (System, error) {
	var names []string
	for _, s := range All() {
		if s.Name() == name {
			return s, nil
		}
		names = append(names, s.Name())
	}
	return nil, fmt.Errorf("no system is called %q; there is: %s", name, strings.Join(names, ", "))
}
