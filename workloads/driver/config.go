package driver

import (
	"errors"
	"fmt"
	"time"

	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
	"squall/workloads/systems/custom"
)

// Arrivals of an open loop.
const (
	Poisson = "poisson" // independent users: gaps are exponential
	Uniform = "uniform" // a metronome: gaps are equal
)

// Config is what the driver is to do: the first line of its input, as JSON. A
// zero field means the default. Durations are in nanoseconds there.
type Config struct {
	System string `json:"system"` // of catalogue.Systems, but for one with a Definition
	// Definition describes the system, where it is not in the catalogue.
	Definition *custom.Definition `json:"definition,omitempty"`
	// SystemArgs are values of all parameters of the system.
	SystemArgs declare.Args   `json:"systemArgs,omitempty"`
	Workload   string         `json:"workload"` // of catalogue.Workloads
	Nodes      []systems.Node `json:"nodes"`
	Args       declare.Args   `json:"args,omitempty"` // of the workload
	Seed       uint64         `json:"seed"`

	// Clients is how many clients there are in a closed loop: each starts an
	// operation when its last one has ended. Client i speaks to node i mod
	// len(Nodes), and to no other. Default 10.
	Clients int `json:"clients"`
	// Rate makes it an open loop: operations a second, in total, that arrive whether
	// or not the system keeps up.
	Rate workloads.Rate `json:"rate,omitempty"`
	// Arrival is Poisson or Uniform; default Poisson.
	Arrival string `json:"arrival,omitempty"`
	// MaxInFlight bounds the operations under way in an open loop; those that
	// arrive meanwhile wait, and their latency counts the wait. Default the
	// larger of 100 and 10 × Clients.
	MaxInFlight int `json:"maxInFlight,omitempty"`
	// Probe lets the load begin when the system was seen to serve, which EventServing
	// tells.
	Probe bool `json:"probe,omitempty"`
	// Resend lets every other client of a node, from the second one on, send again what is
	// not answered in time, where those of the system can: see systems.Resender. With no
	// more clients than nodes none does.
	Resend bool `json:"resend,omitempty"`
	// Duration is how long the load lasts; 0 means until "stop".
	Duration time.Duration `json:"duration,omitempty"`

	// Patience is how long a client waits for an answer before it goes on
	// under a new process number, its operation still under way. If that one may
	// take effect, the client only reads until the node answers again. Default
	// 1 s.
	//
	// It finds stale reads: when a leader that was paused wakes up, it owes
	// each of its clients several reads, called at different times, and those
	// called after another leader acknowledged newer values must not be
	// answered from old state. One read that waits for the whole pause would
	// prove nothing: it was under way before the newer values came.
	Patience time.Duration `json:"patience,omitempty"`
	// Timeout is how long an operation's answer is waited for at all; after
	// that its outcome is unknown. Default 5 s.
	Timeout time.Duration `json:"timeout,omitempty"`
	// ConnectTimeout bounds one attempt to connect. Default 1 s.
	ConnectTimeout time.Duration `json:"connectTimeout,omitempty"`
	// Recovery is how long the cluster has, from "recover" on, to serve through
	// every node again. Default 30 s.
	Recovery time.Duration `json:"recovery,omitempty"`
	// FinalTimeout is how long the final reads may take, all together,
	// retries included. Default 10 s.
	FinalTimeout time.Duration `json:"finalTimeout,omitempty"`
	// ScanTimeout is how long all that was written may be read back. Default 5 s.
	ScanTimeout time.Duration `json:"scanTimeout,omitempty"`
	// Conns is the number of connections to each node, shared by its clients.
	// Default 1.
	Conns int `json:"conns,omitempty"`
	// Look is what a scan reads back, in place of what the load wrote: there is no load then, for
	// the cluster is one that an earlier load has left.
	Look []workloads.Intent `json:"look,omitempty"`
	// Attempt is the first attempt of the operations that show that nodes serve, from 0 on: what another driver
	// wrote before is not written again (workloads.Generator).
	Attempt int `json:"attempt,omitempty"`
}

// WithDefaults fills in the zero fields.
func (c Config) WithDefaults() Config {
	setDefault(&c.Clients, 10)
	setDefault(&c.Arrival, Poisson)
	setDefault(&c.MaxInFlight, max(100, 10*c.Clients))
	setDefault(&c.Patience, time.Second)
	setDefault(&c.Timeout, max(5*time.Second, c.Patience))
	setDefault(&c.ConnectTimeout, time.Second)
	setDefault(&c.Recovery, 30*time.Second)
	setDefault(&c.FinalTimeout, 10*time.Second)
	setDefault(&c.ScanTimeout, 5*time.Second)
	setDefault(&c.Conns, 1)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// processes is how many operations can be under way at once, but for those
// that their clients lost patience with.
func (c Config) processes() int {
	if len(c.Rate) > 0 {
		return c.MaxInFlight
	}
	return c.Clients
}

// findSystem is the system under test: it is in the catalogue, or the configuration
// describes it.
func (c Config) findSystem(cat Catalogue) (systems.System, error) {
	if c.Definition == nil {
		return cat.System(c.System)
	}
	return custom.New(c.Definition, custom.Run{Args: c.SystemArgs, Nodes: c.Nodes})
}

// maxProcesses bounds what one driver can be asked to do.
const maxProcesses = 100_000

// Validate says everything that is impossible in the configuration. It wants
// the defaults filled in. Whether there is a system and a workload of these
// names is found out by Run.
func (c Config) Validate() error {
	var errs []error
	require := func(holds bool, format string, args ...any) {
		if !holds {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	require(c.System != "", "system is missing")
	require(c.Workload != "", "workload is missing")
	require(len(c.Nodes) > 0, "nodes is empty; at least one is needed")
	seen := map[string]bool{}
	for i, n := range c.Nodes {
		require(n.Name != "", "nodes[%d] has no name", i)
		require(n.Addr.IsValid(), "nodes[%d] (%s) has no address", i, n.Name)
		require(!seen[n.Name], "nodes[%d]: there are two nodes called %q", i, n.Name)
		seen[n.Name] = true
	}
	require(c.Clients >= 1 && c.Clients <= maxProcesses, "clients is %d; 1 to %d are possible", c.Clients, maxProcesses)
	require(c.MaxInFlight >= 1 && c.MaxInFlight <= maxProcesses, "maxInFlight is %d; 1 to %d are possible", c.MaxInFlight, maxProcesses)
	require(c.Arrival == Poisson || c.Arrival == Uniform, "arrival is %q; it is %q or %q", c.Arrival, Poisson, Uniform)
	require(c.Duration >= 0, "duration is %v; it must not be below 0", c.Duration)
	require(c.Patience > 0, "patience is %v; it must be above 0", c.Patience)
	require(c.Timeout >= c.Patience, "timeout %v is below patience %v", c.Timeout, c.Patience)
	require(c.ConnectTimeout > 0, "connectTimeout is %v; it must be above 0", c.ConnectTimeout)
	require(c.Attempt >= 0, "attempt is %d; it must not be below 0", c.Attempt)
	require(c.Recovery > 0, "recovery is %v; it must be above 0", c.Recovery)
	require(c.FinalTimeout > 0, "finalTimeout is %v; it must be above 0", c.FinalTimeout)
	require(c.ScanTimeout > 0, "scanTimeout is %v; it must be above 0", c.ScanTimeout)
	require(c.Conns >= 1 && c.Conns <= 64, "conns is %d; 1 to 64 are possible", c.Conns)
	return errors.Join(errs...)
}
