package faults

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/nemesis"
)

// acting is a fault on the server processes of whole nodes: what to do to them,
// how to undo it, and what the kernel must then show.
type acting struct {
	do, undo   func(nemesis.Node, context.Context) error
	hurt, well func(nemesis.Process) (text string, holds bool)
}

func (a acting) inject(ctx context.Context, h *nemesis.Hit) error {
	chosen, err := choose(h)
	if err != nil {
		return err
	}
	return onEach(ctx, h, chosen, a.do, a.hurt)
}

func (a acting) heal(ctx context.Context, h *nemesis.Hit) error {
	return onEach(ctx, h, h.Targets, a.undo, a.well)
}

// dead and alive are what is to be seen of a server that was ended, and of one
// that was started again.
func dead(p nemesis.Process) (string, bool) {
	if p.Running {
		return fmt.Sprintf("process %d runs (state %s)", p.PID, p.State), false
	}
	return "no process; the last one ended: " + p.Exit, true
}

func alive(p nemesis.Process) (string, bool) {
	if !p.Running {
		return "no process; the last one ended: " + p.Exit, false
	}
	return fmt.Sprintf("process %d runs (state %s)", p.PID, p.State), p.State != "T"
}

// startAgain starts a node's server, and says how its process is.
func startAgain(ctx context.Context, node nemesis.Node) (string, error) {
	if err := node.Start(ctx); err != nil {
		return "", fmt.Errorf("its server does not start: %w", err)
	}
	p, err := node.Process(ctx)
	if err != nil {
		return "", fmt.Errorf("its process cannot be looked at: %w", err)
	}
	text, ok := alive(p)
	if !ok {
		return "", fmt.Errorf("its server is not as it should be: %s", text)
	}
	return text, nil
}

// onEach does something to each of the named nodes at once, and adds to the
// proof what the kernel shows of each afterwards.
func onEach(ctx context.Context, h *nemesis.Hit, names []string, do func(nemesis.Node, context.Context) error,
	holds func(nemesis.Process) (string, bool)) error {
	proof := make([]string, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		node := h.Node(name)
		group.Go(func() error {
			if err := do(node, ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			p, err := node.Process(ctx)
			if err != nil {
				return fmt.Errorf("%s: look at its process: %w", name, err)
			}
			text, ok := holds(p)
			if !ok {
				return fmt.Errorf("%s: it is not as it should be: %s", name, text)
			}
			proof[i] = name + ": " + text
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, text := range proof {
		h.Say("%s", text)
		h.Note(history.Measure{What: "process as wanted", Where: names[i], Value: 1})
	}
	return nil
}

// stroke does something to one node and says what was seen of it.
type stroke func(ctx context.Context, h *nemesis.Hit, node nemesis.Node) (seen string, err error)

// onChosen is an Inject that chooses nodes and strikes each.
func onChosen(s stroke) func(context.Context, *nemesis.Hit) error {
	return func(ctx context.Context, h *nemesis.Hit) error {
		chosen, err := choose(h)
		if err != nil {
			return err
		}
		return eachAtOnce(ctx, h, chosen, s)
	}
}

// onTargets is an Undo of what onChosen did.
func onTargets(s stroke) func(context.Context, *nemesis.Hit) error {
	return func(ctx context.Context, h *nemesis.Hit) error { return eachAtOnce(ctx, h, h.Targets, s) }
}

// eachAtOnce does something with each of the named nodes and adds what was seen
// to the proof.
func eachAtOnce(ctx context.Context, h *nemesis.Hit, names []string, do stroke) error {
	proof := make([]string, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		node := h.Node(name)
		group.Go(func() (err error) {
			if proof[i], err = do(ctx, h, node); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, text := range proof {
		h.Say("%s", text)
		h.Note(history.Measure{What: "machine as wanted", Where: names[i], Value: 1})
	}
	return nil
}
