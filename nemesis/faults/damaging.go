package faults

import (
	"context"
	"fmt"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// damaging is a fault that changes files while their server is down, and starts it. A server that tells
// the damage refuses to run: the heal puts back what was changed and starts it again.
func damaging(name, doc string) nemesis.Fault {
	return nemesis.Fault{
		Name: name, Kind: history.KindDisk, Doc: doc,
		Params: []declare.Param{{Name: "files", Kind: declare.Text, Default: "*", Doc: "which file: a pattern for its path in the data directory, or for the last part of that"}},
		// More than one would be beyond what a cluster can stand.
		Variants: withoutVariant(targets(), "minority", "majority", "all", "candidate"),
		Needs:    []nemesis.Need{nemesis.NeedDisk},
		Holds:    []nemesis.Resource{nemesis.HoldDisks, nemesis.HoldServers}, MinNodes: 1,
		Inject: onChosen(func(ctx context.Context, h *nemesis.Hit, node nemesis.Node) (string, error) {
			if err := node.Kill(ctx); err != nil {
				return "", fmt.Errorf("end its server: %w", err)
			}
			what, err := node.DamageDisk(ctx, nemesis.DiskDamage{Kind: name, Files: h.Args["files"], Seed: h.Rand().Uint64()})
			if err != nil {
				return "", fmt.Errorf("damage its disk: %w", err)
			}
			if what == "" {
				return "", fmt.Errorf("nothing on its disk was damaged")
			}
			if err := node.Start(ctx); err != nil {
				return "", fmt.Errorf("start its server: %w", err)
			}
			return fmt.Sprintf("%s: %s, and its server was started", node.Name(), what), nil
		}),
		Undo: onTargets(func(ctx context.Context, _ *nemesis.Hit, node nemesis.Node) (string, error) {
			if err := node.RepairDisk(ctx); err != nil {
				return "", fmt.Errorf("put back what was damaged: %w", err)
			}
			state, err := node.DiskState(ctx)
			if err != nil {
				return "", fmt.Errorf("look at its disk: %w", err)
			}
			if state.Damaged > 0 {
				return "", fmt.Errorf("%d places on its disk are still damaged", state.Damaged)
			}
			text, err := startAgain(ctx, node)
			if err != nil {
				return "", fmt.Errorf("its disk was put right, but %w", err)
			}
			return fmt.Sprintf("%s: its disk was put right; %s", node.Name(), text), nil
		}),
	}
}

func bitFlip() nemesis.Fault {
	return damaging("bit-flip", "one bit of a file is another when its server starts; the heal puts it back")
}

func oldBlock() nemesis.Fault {
	return damaging("old-block", "a block of 4096 bytes of a file is as it was before it was written the last time when its server starts; the heal puts it back")
}
