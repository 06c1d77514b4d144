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
	// Leader is whether it can be asked who leads.
	Leader bool
}

// Serves reports whether it carries out the operations of that workload.
func (p Program) Serves(workload string) bool { return slices.Contains(p.Workloads, workload) }

// Prototype shows what connections through the program can do.
func (p Program) Prototype() Client {
	if p.Leader {
		return leaderPrototype{programPrototype{p}}
	}
	return programPrototype{p}
}

// programPrototype is connected to nothing.
type programPrototype struct{ Program }

var (
	_ Caller       = programPrototype{}
	_ LeaderTeller = leaderPrototype{}
)

var errPrototype = &Error{Certain: true, Lost: true, Err: errors.New("a prototype is connected to nothing")}

func (programPrototype) Call(context.Context, *history.Op) error { return errPrototype }
func (programPrototype) Close() error                            { return nil }

type leaderPrototype struct{ programPrototype }

func (leaderPrototype) Leader(context.Context) (string, error) { return "", errPrototype }
