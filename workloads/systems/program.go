package systems

import (
	"context"
	"errors"
	"slices"

	"squall/history"
)

// Program is a client as a program of its own.
type Program struct {
	Argv []string // Argv[0] is an absolute path in the driver's machine
	Env  []string
	// Workloads are those whose operations it carries out.
	Workloads []string
	// Leader is whether it can be asked who leads, Members whether it changes the
	// members, and Replicas whether it tells of the copies that nodes have.
	Leader, Members, Replicas bool
}

// Serves reports whether it carries out the operations of that workload.
func (p Program) Serves(workload string) bool { return slices.Contains(p.Workloads, workload) }

// Able is a connection that can do whatever a program may be able to do.
type Able interface {
	Caller
	LeaderTeller
	MemberChanger
	ReplicaTeller
}

// Limit is a connection through the program: of what c can do it has what the program
// declares, and nothing else is found by asking for an interface.
func (p Program) Limit(c Able) Client {
	type (
		l interface {
			Caller
			LeaderTeller
		}
		m interface {
			Caller
			MemberChanger
		}
		r interface {
			Caller
			ReplicaTeller
		}
		lm interface {
			l
			MemberChanger
		}
		lr interface {
			l
			ReplicaTeller
		}
		mr interface {
			m
			ReplicaTeller
		}
	)
	switch [...]bool{p.Leader, p.Members, p.Replicas} {
	case [...]bool{true, true, true}:
		return c
	case [...]bool{true, true, false}:
		return struct{ lm }{c}
	case [...]bool{true, false, true}:
		return struct{ lr }{c}
	case [...]bool{false, true, true}:
		return struct{ mr }{c}
	case [...]bool{true, false, false}:
		return struct{ l }{c}
	case [...]bool{false, true, false}:
		return struct{ m }{c}
	case [...]bool{false, false, true}:
		return struct{ r }{c}
	}
	return struct{ Caller }{c}
}

// Prototype shows what connections through the program can do.
func (p Program) Prototype() Client { return p.Limit(programPrototype{p}) }

// programPrototype is connected to nothing.
type programPrototype struct{ Program }

var _ Able = programPrototype{}

var errPrototype = &Error{Certain: true, Lost: true, Err: errors.New("a prototype is connected to nothing")}

func (programPrototype) Call(context.Context, *history.Op) error { return errPrototype }
func (programPrototype) Close() error                            { return nil }

func (programPrototype) Leader(context.Context) (string, error) { return "", errPrototype }

func (programPrototype) Members(context.Context) (Members, error) { return Members{}, errPrototype }
func (programPrototype) Add(context.Context, Node, bool) error    { return errPrototype }
func (programPrototype) Promote(context.Context, Node) error      { return errPrototype }
func (programPrototype) Remove(context.Context, Node) error       { return errPrototype }
func (programPrototype) Transfer(context.Context, Node) error     { return errPrototype }
func (programPrototype) Position(context.Context) (uint64, error) { return 0, errPrototype }
func (programPrototype) Digest(context.Context, uint64) (Digest, error) {
	return Digest{}, errPrototype
}
