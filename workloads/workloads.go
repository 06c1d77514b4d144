// Package workloads says what clients do to a system under test, and what
// must then hold. A workload is one file here. It draws everything from the
// test's seed; it knows nothing of networks or of time.
package workloads

import (
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/internal/declare"
)

// Workload is one kind of load, with its promises.
type Workload interface {
	Name() string
	// Describe is one line for people.
	Describe() string
	// Functions are what its operations do, as a history lists them.
	Functions() history.Functions
	// Params are the parameters that it takes, and Resolve turns values of all of
	// them into its settings.
	Params() declare.Params
	Resolve(a declare.Args) (Params, error)
	// Generator makes the clients' streams of operations. It refuses
	// parameters that make no sense.
	Generator(seed uint64, p Params) (Generator, error)
	// Checkers are the checks that a history of this workload must stand, on
	// a system whose servers write a trace, or on one without.
	Checkers(traced bool) []check.Checker
}

// Intent is an operation that a client is to run.
type Intent struct {
	Func history.Func
	Key  string
	In   history.Data // what is asked for; "" where the function takes nothing
}

// Generator is the load of one test. Its methods are safe for concurrent use.
type Generator interface {
	// Client is the stream of client i, from 0 up to Params.Clients. What the
	// stream does is a function of the seed, of i, and of what was observed.
	Client(i int) Stream
	// Observe tells the generator of a finished operation.
	Observe(op *history.Op)
	// FinalReads are the reads to make when the storm is over, most telling
	// first. Their number is bounded.
	FinalReads() []FinalRead
	// Recovery are the operations that show that a node serves again after the
	// storm: one that changes something, on a key that nobody else uses, and one
	// that reads it. Each attempt, from 0, writes what no other does.
	Recovery(node string, attempt int) (write, read Intent)
}

// Stream is what one client does, one operation after the other. It is used
// by one goroutine at a time.
type Stream interface {
	// Next is the client's next operation. With readOnly it is one that
	// changes nothing: the driver asks for that while a node owes it an answer.
	Next(readOnly bool) Intent
}

// FinalRead is a key to be read after the storm.
type FinalRead struct {
	Key string
	// EveryNode asks for the key to be read through each node; otherwise one
	// node, a different one in turn, will do.
	EveryNode bool
}

// Params are the settings of a workload. A zero field means the default.
type Params struct {
	// Clients is how many streams are wanted. The driver sets it.
	Clients int `json:"clients,omitempty"`
	// Keys is how many keys are in use at once; default 5. The fewer, the
	// more clients meet on one key.
	Keys int `json:"keys,omitempty"`
	// OpsPerKey is after how many operations a key is retired and a new one
	// taken; default 300. It bounds what the checker must search per key.
	OpsPerKey int `json:"opsPerKey,omitempty"`
	// Mix weighs the functions against each other. The default is 50 reads,
	// 30 writes, 20 compare-and-sets.
	Mix *Mix `json:"mix,omitempty"`
	// LookBack is how many of 1000 operations read a key that was retired
	// lately; default 30, and a negative one turns it off. A write that is
	// acknowledged and lost later shows only to one who reads it later.
	LookBack int `json:"lookBack,omitempty"`
}

// Mix weighs functions against each other.
type Mix struct {
	Read  int `json:"read"`
	Write int `json:"write"`
	CAS   int `json:"cas"`
}

// WithDefaults fills in the zero fields.
func (p Params) WithDefaults() Params {
	if p.Clients == 0 {
		p.Clients = 10
	}
	if p.Keys == 0 {
		p.Keys = 5
	}
	if p.OpsPerKey == 0 {
		p.OpsPerKey = 300
	}
	if p.Mix == nil {
		p.Mix = &Mix{Read: 50, Write: 30, CAS: 20}
	}
	if p.LookBack == 0 {
		p.LookBack = 30
	}
	return p
}

// Validate says which setting is impossible. It wants the defaults filled in.
func (p Params) Validate() error {
	switch m := p.Mix; {
	case p.Clients < 1:
		return fmt.Errorf("clients is %d; at least 1 is needed", p.Clients)
	case p.Keys < 1:
		return fmt.Errorf("keys is %d; at least 1 is needed", p.Keys)
	case p.OpsPerKey < 2:
		return fmt.Errorf("opsPerKey is %d; at least 2 are needed, or no operation ever meets another", p.OpsPerKey)
	case p.LookBack > 500:
		return fmt.Errorf("lookBack is %d of 1000; more than 500 leaves too little load on the keys in use", p.LookBack)
	case m == nil || m.Read < 0 || m.Write < 0 || m.CAS < 0:
		return fmt.Errorf("mix needs weights of zero or more, not %+v", m)
	case m.Read == 0:
		return fmt.Errorf("mix has no reads, so nothing would be observed")
	case m.Write == 0 && m.CAS == 0:
		return fmt.Errorf("mix has neither writes nor cas, so there would be nothing to observe")
	}
	return nil
}

// All lists the workloads that squall knows, in the order in which it shows
// them.
func All() []Workload {
	return []Workload{Register{}}
}

// FunctionNames are the functions of all workloads, each once.
func FunctionNames() []string {
	var names []string
	for _, w := range All() {
		for _, name := range w.Functions().Names() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Find returns the workload of that name.
func Find(name string) (Workload, error) {
	var names []string
	for _, w := range All() {
		if w.Name() == name {
			return w, nil
		}
		names = append(names, w.Name())
	}
	return nil, fmt.Errorf("no workload is called %q; there is: %s", name, strings.Join(names, ", "))
}
