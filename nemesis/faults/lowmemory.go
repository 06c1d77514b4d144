package faults

import (
	"context"
	"fmt"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// lowMemory leaves machines hardly any memory, but some: the kernel has to take
// back what it keeps of files, and everything is slow.
func lowMemory() nemesis.Fault {
	return nemesis.Fault{
		Name: "low-memory",
		Kind: history.KindMachine,
		Doc:  "machines have hardly any memory left, but the servers live",
		Params: []declare.Param{
			{Name: "room", Kind: declare.Bytes, Default: "96MiB", Min: "32MiB", Max: "64GiB",
				Doc: "how much more than it uses a machine may use; half of it is then filled up"},
		},
		Variants: harmless(),
		Needs:    []nemesis.Need{nemesis.NeedMemory},
		// A server that did not live through it is started again by the heal.
		Holds:    []nemesis.Resource{nemesis.HoldMemory, nemesis.HoldServers},
		MinNodes: 1,
		Inject:   onChosen(crowd),
		Undo:     onTargets(relieve),
	}
}

// crowd limits a machine's memory and fills half of the room in it.
func crowd(ctx context.Context, h *nemesis.Hit, node nemesis.Node) (string, error) {
	before, err := fence(ctx, h, node)
	if err != nil {
		return "", err
	}
	fill := int64(h.Args.Float("room")) / 2
	if err := node.Hog(ctx, fill); err != nil {
		return "", fmt.Errorf("fill its memory: %w", err)
	}
	for {
		usage, err := node.Usage(ctx)
		if err != nil {
			return "", fmt.Errorf("ask for its memory: %w", err)
		}
		if usage.Memory >= before.Memory+fill*8/10 || usage.Memory >= usage.MemoryLimit*9/10 {
			return fmt.Sprintf("%s: %s of %s in use", node.Name(), mib(usage.Memory), mib(usage.MemoryLimit)), nil
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return "", fmt.Errorf("its memory was to be filled and is not: %s of %s in use", mib(usage.Memory), mib(usage.MemoryLimit))
		}
	}
}
