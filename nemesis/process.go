package nemesis

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"squall/history"
)

// kill ends servers with SIGKILL: what was not on disk is what they forget.
func kill() Fault {
	return Fault{
		Name:     "kill",
		Doc:      "servers end by SIGKILL and are started again",
		Needs:    "nothing but the agent",
		Variants: targets(),
		MinNodes: 1,
		inject: onTargets(action{
			do:   Node.Kill,
			undo: Node.Start,
			hurt: func(p Process) (string, bool) {
				return "no process; the last one ended: " + p.Exit, !p.Running
			},
			well: func(p Process) (string, bool) {
				return fmt.Sprintf("process %d runs (state %s)", p.PID, p.State), p.Running
			},
		}),
	}
}

// pause stops servers with SIGSTOP: for the others they are gone, for
// themselves no time passes.
func pause() Fault {
	return Fault{
		Name:     "pause",
		Doc:      "servers are stopped by SIGSTOP and continued by SIGCONT",
		Needs:    "nothing but the agent",
		Variants: targets(),
		MinNodes: 1,
		inject: onTargets(action{
			do:   Node.Pause,
			undo: Node.Resume,
			// A server that has crashed can be neither paused nor resumed. It
			// is no less away, and the check of crashes tells of it.
			hurt: func(p Process) (string, bool) { return describeProcess(p), !p.Running || p.State == "T" },
			well: func(p Process) (string, bool) { return describeProcess(p), !p.Running || p.State != "T" },
		}),
	}
}

func describeProcess(p Process) string {
	if !p.Running {
		return "no process: it had ended by itself: " + p.Exit
	}
	return fmt.Sprintf("process %d is in state %s", p.PID, p.State)
}

// action is a fault on a process: what to do to it, how to undo it, and what
// the kernel must then show.
type action struct {
	do, undo   func(Node, context.Context) error
	hurt, well func(Process) (text string, holds bool)
}

func onTargets(a action) func(context.Context, Cluster, Planned, *history.Fault) (injury, error) {
	return func(ctx context.Context, c Cluster, p Planned, f *history.Fault) (injury, error) {
		leader := c.Leader()
		chosen, err := pick(p.Variant, p.Order, leader)
		if err != nil {
			return acted{}, err
		}
		f.Targets, f.Detail = chosen, strings.Join(chosen, " ")
		if p.Variant == "leader" && leader == "" {
			f.Detail += " (there was no leader: a node at random)"
		}
		f.Proof, err = onEach(ctx, c, chosen, a.do, a.hurt)
		return acted{a, chosen}, err
	}
}

type acted struct {
	action  action
	targets []string
}

func (h acted) heal(ctx context.Context, c Cluster) ([]string, error) {
	return onEach(ctx, c, h.targets, h.action.undo, h.action.well)
}

// onEach does something to each of the named nodes at once, and returns what
// the kernel shows of each afterwards.
func onEach(ctx context.Context, c Cluster, names []string, do func(Node, context.Context) error,
	holds func(Process) (string, bool)) ([]string, error) {
	proof := make([]string, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(func() error {
			node := nodeNamed(c, name)
			if node == nil {
				return fmt.Errorf("there is no node %s", name)
			}
			if err := do(node, ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			p, err := node.Process(ctx)
			if err != nil {
				return fmt.Errorf("look at the process of %s: %w", name, err)
			}
			text, ok := holds(p)
			if !ok {
				return fmt.Errorf("it did not take effect on %s: running %t, %s", name, p.Running, text)
			}
			proof[i] = name + ": " + text
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return proof, nil
}

func nodeNamed(c Cluster, name string) Node {
	for _, node := range c.Nodes() {
		if node.Name() == name {
			return node
		}
	}
	return nil
}
