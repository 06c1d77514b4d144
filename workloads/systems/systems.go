// Package systems is what a system under test is to squall: how its servers start,
// how clients reach them, and what else it can do. Each system is a folder below this
// one and one word in the list of package catalogue.
//
// What not every system can do is a small interface beside System, a capability, and
// is found by assertion: Tracer, ClockBender, NodeRunner, ElectionTimer, TrialTaker,
// FileProvider. A test that needs what its system cannot do is refused before any
// machine starts.
package systems

import (
	"context"
	"errors"
	"net/netip"

	"squall/history"
	"squall/internal/declare"
)

// Node is one member of the cluster under test.
type Node struct {
	ID   int        `json:"id"`   // from 1, unique in the cluster
	Name string     `json:"name"` // "n1"
	Addr netip.Addr `json:"addr"`
	// Port is where clients connect; 0 means the system's own port.
	Port uint16 `json:"port,omitempty"`
}

// Cluster is what a server is a member of.
type Cluster struct {
	Nodes []Node
	// Seed makes what is random in servers, such as election timeouts, the same in
	// each run; 0 leaves it random. Each node makes its own of it.
	Seed uint64
}

// Start is what the agent runs inside a machine to start a server.
type Start struct {
	Argv []string `json:"argv"` // Argv[0] is an absolute path in the machine
	Env  []string `json:"env,omitempty"`
}

// System is a kind of server that squall can test: a value without state.
type System interface {
	Name() string
	// Describe is one line for people.
	Describe() string
	// Params are the parameters that it takes.
	Params() declare.Params
	// Server says how to start the given node of the cluster, with values of all
	// parameters.
	Server(node Node, cluster Cluster, a declare.Args) (Start, error)
	// Dial connects a client to one node. The client speaks to that node
	// alone: it never tries another one, nor anything twice.
	Dial(ctx context.Context, node Node) (Client, error)
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

// Declaration is a system as it is called: raftkv(heartbeat=50ms).
func Declaration(s System) declare.Declaration {
	d := declare.Declaration{Name: s.Name(), Doc: s.Describe(), Params: s.Params()}
	if c, ok := s.(ParamChecker); ok {
		d.Check = c.CheckParams
	}
	return d
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
