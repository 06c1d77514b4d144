// Package workloads says what a workload is: what clients do to a system under
// test, and what must then hold. Each is a value in a folder of its own below this
// one, and one word in the list of package catalogue. It draws everything from the
// test's seed; it knows nothing of networks or of time.
package workloads

import (
	"squall/history"
	"squall/history/check"
	"squall/history/check/service"
	"squall/history/check/traces"
	"squall/history/check/validity"
	"squall/internal/declare"
	"squall/workloads/systems"
)

// Workload is one kind of load, with its guarantees: a value without state.
type Workload struct {
	Name string // "register"
	Doc  string // one line for people
	// Params are the parameters that it takes. Check, which may be nil, refuses
	// values that do not go together, with a *declare.Error.
	Params declare.Params
	Check  func(a declare.Args) error
	// Without are values in place of some of a, with which the load has none of some
	// functions, for a system that lacks them; empty where it has none anyway. It may
	// be nil: then the workload has no functions that it can do without.
	Without func(a declare.Args, lacks []history.Func) declare.Args
	// Functions are what its operations do, as a history lists them.
	Functions history.Functions
	// New makes the load of one test from all parameters, which were checked.
	New func(l Load) Generator
	// Do carries out an operation: see On.
	Do Do
	// Checkers are the checks that a history of this workload must pass, beside
	// those that every history must: see Checks.
	Checkers func() []check.Checker
}

// Load is what a generator is made of.
type Load struct {
	Args    declare.Args // of all parameters
	Clients int          // how many streams are wanted, at least 1
	Seed    uint64
}

// Declaration is the workload as it is called: register(keys=3).
func (w Workload) Declaration() declare.Declaration {
	return declare.Declaration{Name: w.Name, Doc: w.Doc, Params: w.Params, Check: w.Check}
}

// Checks are all checks of a history of this workload from that system: its own, Raft's
// invariants, the rules of Raft where the run has full traces, and whether the nodes' copies are the same, where the system tells of that,
// whether the cluster came back after the storm, and whether there was enough to judge.
func (w Workload) Checks(s systems.System) []check.Checker {
	checkers := w.Checkers()
	if systems.Traced(s) {
		checkers = append(append(checkers, traces.Invariants()...), traces.Conformance())
	}
	if systems.TellsReplicas(s) {
		checkers = append(checkers, service.Replicas())
	}
	return append(checkers, validity.Crashes(), service.Recovery(), validity.Activity(0))
}

// Intent is an operation that a client is to run.
type Intent struct {
	Func history.Func
	Key  string       // "" for an operation over several keys
	In   history.Data // what is asked for; "" where the function takes nothing
}

// Generator is the load of one test. Its methods are safe for concurrent use.
type Generator interface {
	// Client is the stream of client i, from 0 up to Load.Clients. What the
	// stream does is a function of the seed, of i, and of what was observed.
	Client(i int) Stream
	// Observe tells the generator of a finished operation.
	Observe(op *history.Op)
	// Finals are the operations to run when the storm is over, most telling
	// first. Their number is bounded.
	Finals() []Final
	// Recovery are the operations that show that a node serves again after the
	// storm, in order: one that changes something, on a key that nobody else
	// uses, and one that reads it, where the workload has one that reads. Each
	// attempt, from 0, writes what no other does.
	Recovery(node string, attempt int) []Intent
}

// Scanner is a Generator that can read back all that its clients wrote.
type Scanner interface {
	// Scan are operations that show, together, all that the load wrote, newest first.
	// Each is to be run through every node once the storm is over.
	Scan() []Intent
}

// Stream is what one client does, one operation after the other. It is used
// by one goroutine at a time.
type Stream interface {
	// Next is the client's next operation. With readOnly it is one that
	// changes nothing, where the workload has any: the driver asks for that while
	// a node owes it an answer.
	Next(readOnly bool) Intent
}

// Final is an operation to run after the storm, until it succeeds.
type Final struct {
	Intent
	// EveryNode asks for it to be run through each node; otherwise one node, a
	// different one in turn, will do.
	EveryNode bool
}
