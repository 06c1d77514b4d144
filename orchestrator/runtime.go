package orchestrator

import (
	"context"
	"io"
	"net/netip"
)

// Runtime is a place that can run machines.
type Runtime interface {
	// Name is "docker" or "local".
	Name() string
	// Arch is the processor architecture of its machines, by Go's names.
	Arch(ctx context.Context) (string, error)
	// Up makes a network and the machines on it, all of them running squall's
	// agent as process 1. On an error nothing is left behind.
	Up(ctx context.Context, spec ClusterSpec) (Cluster, error)
}

// ClusterSpec says what machines are wanted.
type ClusterSpec struct {
	Run      string   // the run's id, unique on this host; it goes into names and labels
	Machines []string // machine names, e.g. n1 … n5 and driver
	Binary   string   // path of the static squall-node binary to pack into the image
	// BinaryKey identifies the binary's content, so that an image made from it
	// before is used again.
	BinaryKey string
}

// Cluster is a set of running machines on a network of their own.
type Cluster interface {
	// Machine is the machine of that name, which must be one of the spec's.
	Machine(name string) Machine
	// Down removes the machines and the network. It is idempotent.
	Down(ctx context.Context) error
}

// Machine is one running machine.
type Machine interface {
	Name() string
	Addr() netip.Addr
	// Control is the attached stdin and stdout of process 1: the agent's
	// protocol. It ends when the machine does.
	Control() io.ReadWriteCloser
	// Death says why the machine ended ("" while it runs), for error messages.
	Death(ctx context.Context) string
}
