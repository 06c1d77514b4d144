// Package systems is what a system under test is to squall: how its servers start,
// how clients reach them, and what else it can do. Each system is a folder below this
// one and one word in the list of package catalogue.
//
// What not every system can do is a small interface beside System, a capability, and
// is found with As: Tracer, ClockBender, MessageRuler, NodeRunner, ElectionTimer, TrialTaker,
// FileProvider and others. A test that needs what its system cannot do is refused before any
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
	// Joining is for a server that was made a member of a cluster which runs already:
	// the members then, itself among them, of Nodes. nil: it is there from the beginning,
	// and so are all Nodes.
	Joining []Node
}

// Start is what the agent runs inside a machine to start a server.
type Start struct {
	Argv []string `json:"argv"` // Argv[0] is an absolute path in the machine
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"` // working directory; "" is the agent's own
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
}

// Dialer is a System whose clients are made in the driver itself. A System that is
// none is a ClientProgrammer.
type Dialer interface {
	// Dial connects a client to one node. The client speaks to that node
	// alone: it never tries another one, nor anything twice.
	Dial(ctx context.Context, node Node) (Client, error)
	// Prototype is a Client that is connected to nothing. It shows, before any node
	// is there, which interfaces of workloads those of Dial have.
	Prototype() Client
}

// Prototype shows what the clients of a system can do. It is connected to nothing.
func Prototype(s System) Client {
	if programmer, ok := As[ClientProgrammer](s); ok {
		return programmer.ClientProgram(s.Params().Fill(nil, nil)).Prototype()
	}
	if dialer, ok := As[Dialer](s); ok {
		return dialer.Prototype()
	}
	return nil
}

// Client is one connection to one node, and at least this. What operations it can
// carry out, a workload finds by asking for the interface that it needs
// (workloads.On). It is safe for concurrent use, and concurrent operations share the
// connection. Methods that carry out an operation do so once, through that node
// alone, and return soon after their context ends; an error of them is read with
// Certain and Lost.
type Client interface {
	// Close ends the connection; operations under way return errors.
	Close() error
}

// Caller is a Client that takes the operations of workloads as they are.
type Caller interface {
	Client
	// Serves reports whether it can carry out the operations of that workload.
	Serves(workload string) bool
	// Call carries out one operation and sets op.Out where there is an answer.
	Call(ctx context.Context, op *history.Op) error
}

// Selective is a Client with the methods of more workloads than it can serve.
type Selective interface {
	Client
	// Serves reports whether it can carry out the operations of that workload.
	Serves(workload string) bool
}

// Lacking is a Client without some functions of workloads that it serves all the same.
type Lacking interface {
	Client
	// Lacks are the functions of that workload that it cannot carry out.
	Lacks(workload string) []history.Func
}

// LeaderTeller is a Client that can ask its node who leads. What it tells is what the
// node believes: it chooses the targets of faults, and no election is timed by it.
type LeaderTeller interface {
	Client
	// Leader is the name of a node; "" where the node knows of none.
	Leader(ctx context.Context) (string, error)
}

// Declaration is a system as it is called: raftkv(heartbeat=50ms).
func Declaration(s System) declare.Declaration {
	d := declare.Declaration{Name: s.Name(), Doc: s.Describe(), Params: s.Params()}
	if c, ok := As[ParamChecker](s); ok {
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
	// Forgotten is true when the servers do not know the session of the operation (any
	// more).
	Forgotten bool
	Err       error
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
