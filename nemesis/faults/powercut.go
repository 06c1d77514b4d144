package faults

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/nemesis"
)

// powerCut switches machines off and on: the container with everything in it,
// not the server alone. Only its disk is what it was.
func powerCut() nemesis.Fault {
	return nemesis.Fault{
		Name:     "power-cut",
		Kind:     history.KindMachine,
		Doc:      "machines (containers) are killed and started again, with their disks and addresses",
		Variants: targets(),
		Needs:    []nemesis.Need{nemesis.NeedRestart},
		// A machine that is off has no links, no limits and no clock either.
		Holds:    []nemesis.Resource{nemesis.HoldServers, nemesis.HoldCPU, nemesis.HoldMemory, nemesis.HoldClocks},
		MinNodes: 1,
		Inject: func(ctx context.Context, h *nemesis.Hit) error {
			chosen, err := choose(h)
			if err != nil {
				return err
			}
			return eachAtOnce(ctx, h, chosen, switchOff)
		},
		Undo: func(ctx context.Context, h *nemesis.Hit) error {
			if err := eachAtOnce(ctx, h, h.Targets, switchOn); err != nil {
				return err
			}
			return h.ProveLinks(ctx, nil)
		},
	}
}

func switchOff(ctx context.Context, h *nemesis.Hit, node nemesis.Node) (string, error) {
	if err := node.PowerOff(ctx); err != nil {
		return "", fmt.Errorf("switch it off: %w", err)
	}
	other := without(h.Names(), node.Name())
	for _, name := range other {
		if watcher := h.Node(name); watcher.Up() {
			answers, err := watcher.Connect(ctx, []string{node.Name()}, 300*time.Millisecond)
			if err != nil {
				if !watcher.Up() { // it was switched off meanwhile, too
					continue
				}
				return "", fmt.Errorf("try to connect to it from %s: %w", name, err)
			}
			if answers[0] == "" {
				return "", fmt.Errorf("it was switched off, and %s can still connect to it", name)
			}
			return fmt.Sprintf("%s: the machine is off; %s cannot connect to it: %s", node.Name(), name, answers[0]), nil
		}
	}
	return fmt.Sprintf("%s: the machine is off, and so is every other", node.Name()), nil
}

func switchOn(ctx context.Context, h *nemesis.Hit, node nemesis.Node) (string, error) {
	if err := node.PowerOn(ctx); err != nil {
		return "", fmt.Errorf("switch it on: %w", err)
	}
	// What other faults do to its packets holds for the new machine, too, and
	// before its server sends the first.
	if err := h.Links.Restore(ctx, node); err != nil {
		return "", err
	}
	if err := node.Start(ctx); err != nil {
		return "", fmt.Errorf("start its server: %w", err)
	}
	p, err := node.Process(ctx)
	if err != nil {
		return "", fmt.Errorf("look at its process: %w", err)
	}
	text, ok := alive(p)
	if !ok {
		return "", fmt.Errorf("it is on, but its server is not as it should be: %s", text)
	}
	return fmt.Sprintf("%s: the machine is on; %s", node.Name(), text), nil
}

// eachAtOnce does something with each of the named nodes and adds what was seen
// to the proof.
func eachAtOnce(ctx context.Context, h *nemesis.Hit, names []string,
	do func(context.Context, *nemesis.Hit, nemesis.Node) (string, error)) error {
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
