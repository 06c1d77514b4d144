package workloads

import (
	"context"
	"fmt"

	"squall/history"
	"squall/workloads/systems"
)

// Do carries out the operations of a workload on connections that can.
type Do struct {
	fits func(systems.Client) bool
	bind func(systems.Client) Performer
}

// Performer carries out operations on one connection, each once, and sets op.Out where
// there is an answer. It returns soon after ctx ends.
type Performer func(ctx context.Context, op *history.Op) error

// On is a Do on connections that are a C, the interface that a workload needs of
// them. do carries out one operation, once, and sets op.Out where there is an
// answer. Its errors are those of C's methods, read with systems.Certain.
func On[C systems.Client](do func(ctx context.Context, client C, op *history.Op) error) Do {
	return Do{
		fits: func(client systems.Client) bool { _, ok := client.(C); return ok },
		bind: func(client systems.Client) Performer {
			c, ok := client.(C)
			if !ok {
				return func(_ context.Context, op *history.Op) error {
					return &systems.Error{Certain: true, Err: fmt.Errorf("the connection cannot do %q", op.Func)}
				}
			}
			return func(ctx context.Context, op *history.Op) error { return do(ctx, c, op) }
		},
	}
}

// Unknown is the error for an operation of a function that the workload does not
// have.
func Unknown(op *history.Op) error {
	return &systems.Error{Certain: true, Err: fmt.Errorf("the workload has no operation %q", op.Func)}
}

// Fits reports whether a connection can carry out the workload's operations.
func (w Workload) Fits(client systems.Client) bool {
	if all, ok := client.(systems.Caller); ok {
		return all.Serves(w.Name)
	}
	if some, ok := client.(systems.Selective); ok && !some.Serves(w.Name) {
		return false
	}
	return w.Do.fits(client)
}

// Bind is what carries out the workload's operations on a connection that fits.
func (w Workload) Bind(client systems.Client) Performer {
	if all, ok := client.(systems.Caller); ok {
		return all.Call
	}
	return w.Do.bind(client)
}
