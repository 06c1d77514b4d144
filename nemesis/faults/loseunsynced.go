package faults

import (
	"context"
	"fmt"
	"strings"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

const (
	tornLoss = "torn" // in sectors of either size
	anyLoss  = "any"  // for each node one of losses
)

// losses are what a power cut can leave.
func losses() []string {
	return []string{nemesis.LeaveSynced, nemesis.LeavePrefix, nemesis.LeaveReordered, tornLoss, nemesis.LeaveData}
}

// loseUnsynced is a power cut after which only that is there which was synced, and
// as much of the rest as a disk may have written by then.
func loseUnsynced() nemesis.Fault {
	return nemesis.Fault{
		Name: "lose-unsynced",
		Kind: history.KindDisk,
		Doc:  "machines are cut off from power, and what was written and not synced is lost",
		Params: []declare.Param{
			{Name: "how", Kind: declare.Word, Default: nemesis.LeaveSynced, Draw: []string{nemesis.LeaveSynced, nemesis.LeaveSynced, anyLoss}, Words: append(losses(), anyLoss),
				Doc: "synced: only what was synced is left; prefix: and the oldest of what was not; reordered: and a write that came after a lost one; torn: and a part of a write, in sectors of 512 or 4096 bytes; names: all data, and no names that were not synced; any: one of these for each node"},
		},
		Variants: targets(),
		Needs:    []nemesis.Need{nemesis.NeedDisk, nemesis.NeedRestart},
		Holds:    []nemesis.Resource{nemesis.HoldServers, nemesis.HoldCPU, nemesis.HoldMemory, nemesis.HoldClocks, nemesis.HoldDisks},
		MinNodes: 1,
		Inject: func(ctx context.Context, h *nemesis.Hit) error {
			chosen, err := choose(h)
			if err != nil {
				return err
			}
			cuts := map[string]nemesis.DiskCut{} // drawn before: nodes are cut at once
			for _, name := range chosen {
				cuts[name] = drawCut(h)
			}
			// All disks first: what a node could still write while others are off would be no cut at one moment.
			err = eachAtOnce(ctx, h, chosen, func(ctx context.Context, _ *nemesis.Hit, node nemesis.Node) (string, error) {
				return cutDisk(ctx, node, cuts[node.Name()])
			})
			if err != nil {
				return err
			}
			return eachAtOnce(ctx, h, chosen, switchOff)
		},
		Undo: func(ctx context.Context, h *nemesis.Hit) error {
			if err := onTargets(switchOnRestored)(ctx, h); err != nil {
				return err
			}
			return h.ProveLinks(ctx, nil)
		},
	}
}

func drawCut(h *nemesis.Hit) nemesis.DiskCut {
	rng, how := h.Rand(), h.Args["how"]
	if how == anyLoss {
		all := losses()
		how = all[rng.IntN(len(all))]
	}
	if how == tornLoss {
		how = []string{nemesis.LeaveTorn512, nemesis.LeaveTorn4096}[rng.IntN(2)]
	}
	return nemesis.DiskCut{How: how, Seed: rng.Uint64()}
}

func cutDisk(ctx context.Context, node nemesis.Node, cut nemesis.DiskCut) (string, error) {
	lost, err := node.CutDisk(ctx, cut)
	if err != nil {
		return "", fmt.Errorf("cut its disk: %w", err)
	}
	state, err := node.DiskState(ctx)
	if err != nil {
		return "", fmt.Errorf("look at its disk: %w", err)
	}
	if !state.Cut {
		return "", fmt.Errorf("its disk was cut, and serves it all the same")
	}
	return fmt.Sprintf("%s: the disk keeps %s; lost: %s", node.Name(), strings.ReplaceAll(cut.How, "names", "data without names"), lost.Text), nil
}

// switchOnRestored is switchOn for a machine whose disk was cut: before its
// server starts, the disk is what the cut has left.
func switchOnRestored(ctx context.Context, h *nemesis.Hit, node nemesis.Node) (string, error) {
	if node.Up() {
		state, err := node.DiskState(ctx)
		if err != nil {
			return "", fmt.Errorf("look at its disk: %w", err)
		}
		if state.Cut { // it was cut, and not switched off
			if err := node.PowerOff(ctx); err != nil {
				return "", fmt.Errorf("switch it off: %w", err)
			}
		}
	}
	if err := node.PowerOn(ctx); err != nil {
		return "", fmt.Errorf("switch it on: %w", err)
	}
	state, err := node.DiskState(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("look at its disk: %w", err)
	case state.Wrong != "":
		return "", fmt.Errorf("its disk is not as the power cut has left it: %s", state.Wrong)
	case state.Cut:
		return "", fmt.Errorf("it is on, and its disk serves nobody")
	}
	seen, err := switchOn(ctx, h, node)
	if err != nil || !state.Known {
		return seen, err
	}
	return fmt.Sprintf("%s; the disk is as the cut has left it (%d names and files)", seen, state.Restored), nil
}
