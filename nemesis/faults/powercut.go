package faults

import (
	"context"
	"fmt"
	"time"

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
		Holds:    []nemesis.Resource{nemesis.HoldServers, nemesis.HoldCPU, nemesis.HoldMemory, nemesis.HoldDisks, nemesis.HoldClocks},
		MinNodes: 1,
		Inject:   onChosen(switchOff),
		Undo: func(ctx context.Context, h *nemesis.Hit) error {
			if err := onTargets(switchOn)(ctx, h); err != nil {
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
	cut := h.Links.CutNow()
	for _, name := range without(h.Names(), node.Name()) {
		_, there := cut[history.Link{From: name, To: node.Name()}]
		_, back := cut[history.Link{From: node.Name(), To: name}]
		if watcher := h.Node(name); watcher.Up() && !there && !back {
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
	return fmt.Sprintf("%s: the machine is off, and every other is, too, or is cut off from it", node.Name()), nil
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
	text, err := startAgain(ctx, node)
	if err != nil {
		return "", fmt.Errorf("it is on, but %w", err)
	}
	return fmt.Sprintf("%s: the machine is on; %s", node.Name(), text), nil
}
