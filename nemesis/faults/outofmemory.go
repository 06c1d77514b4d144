package faults

import (
	"context"
	"fmt"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// outOfMemory has machines run out of memory: the kernel kills the server, at a
// moment that nobody chose.
func outOfMemory() nemesis.Fault {
	return nemesis.Fault{
		Name: "out-of-memory",
		Kind: history.KindMachine,
		Doc:  "machines run out of memory, and the kernel kills their servers",
		Params: []declare.Param{
			{Name: "room", Kind: declare.Bytes, Default: "32MiB", Min: "8MiB", Max: "64GiB",
				Doc: "how much more than it uses a machine may use, before it is filled up"},
		},
		Variants: targets(),
		Needs:    []nemesis.Need{nemesis.NeedMemory},
		Holds:    []nemesis.Resource{nemesis.HoldMemory, nemesis.HoldServers},
		MinNodes: 1,
		Inject:   onChosen(exhaust),
		Undo:     onTargets(relieve),
	}
}

// exhaust limits a machine's memory to little more than it uses, and fills it
// until the kernel ends the server.
func exhaust(ctx context.Context, h *nemesis.Hit, node nemesis.Node) (string, error) {
	before, err := fence(ctx, h, node)
	if err != nil {
		return "", err
	}
	for range exhaustTries {
		// As much as the limit: what the kernel keeps of files it gives back first.
		if err := node.Hog(ctx, before.MemoryLimit); err != nil {
			return "", fmt.Errorf("fill its memory: %w", err)
		}
		p, ended, err := awaitEnd(ctx, node)
		if err == nil && !ended {
			// What was killed may need memory to die: to write back what it has
			// not written yet.
			if err := node.Hog(ctx, 0); err != nil {
				return "", fmt.Errorf("give its memory back: %w", err)
			}
			p, ended, err = awaitEnd(ctx, node)
		}
		if err != nil {
			return "", err
		}
		if ended {
			return killedForMemory(ctx, node, p, before)
		}
	}
	return "", fmt.Errorf("its memory was filled %d times, and the server still runs", exhaustTries)
}

// killedForMemory makes sure that it was the kernel that ended the server, and for
// want of memory.
func killedForMemory(ctx context.Context, node nemesis.Node, p nemesis.Process, before nemesis.Usage) (string, error) {
	after, err := node.Usage(ctx)
	if err != nil {
		return "", fmt.Errorf("ask for its memory: %w", err)
	}
	if after.OOMKills <= before.OOMKills {
		return "", fmt.Errorf("its server ended (%s) while its memory was filled, but the kernel counts no out-of-memory kill", p.Exit)
	}
	return fmt.Sprintf("%s: limited to %s, the server ended: %s (out-of-memory kills before %d, after %d)", node.Name(),
		mib(before.MemoryLimit), p.Exit, before.OOMKills, after.OOMKills), nil
}

// exhaustTries is how often a machine's memory is filled until its server dies.
const exhaustTries = 3

// awaitEnd waits for a moment for the server to end.
func awaitEnd(ctx context.Context, node nemesis.Node) (p nemesis.Process, ended bool, err error) {
	for range 60 {
		if p, err = node.Process(ctx); err != nil {
			return p, false, fmt.Errorf("look at its process: %w", err)
		}
		if !p.Running || !sleep(ctx, 20*time.Millisecond) {
			return p, !p.Running, nil
		}
	}
	return p, false, nil
}

// fence limits a machine's memory to room more than it uses, and returns what it
// uses then.
func fence(ctx context.Context, h *nemesis.Hit, node nemesis.Node) (nemesis.Usage, error) {
	usage, err := node.Usage(ctx)
	if err != nil {
		return usage, fmt.Errorf("ask for its memory: %w", err)
	}
	h.KeepUsage(node.Name(), usage)
	limit := usage.Memory + int64(h.Args.Float("room"))
	if err := node.LimitMemory(ctx, limit); err != nil {
		return usage, fmt.Errorf("limit its memory to %s: %w", mib(limit), err)
	}
	usage, err = node.Usage(ctx)
	if err == nil && (usage.MemoryLimit == 0 || usage.MemoryLimit > limit) {
		err = fmt.Errorf("its memory was to be limited to %s and is limited to %s", mib(limit), mib(usage.MemoryLimit))
	}
	return usage, err
}

// relieve gives the memory back and starts the server again.
func relieve(ctx context.Context, h *nemesis.Hit, node nemesis.Node) (string, error) {
	if err := node.Hog(ctx, 0); err != nil {
		return "", fmt.Errorf("give its memory back: %w", err)
	}
	if err := node.LimitMemory(ctx, 0); err != nil {
		return "", fmt.Errorf("lift its limit of memory: %w", err)
	}
	text, err := startAgain(ctx, node)
	if err != nil {
		return "", err
	}
	usage, err := node.Usage(ctx)
	if err != nil {
		return "", fmt.Errorf("ask for its memory: %w", err)
	}
	if before, known := h.UsageBefore(node.Name()); known && usage.MemoryLimit != before.MemoryLimit {
		return "", fmt.Errorf("its memory is still limited to %s, and was to %s before", mib(usage.MemoryLimit), mib(before.MemoryLimit))
	}
	return fmt.Sprintf("%s: %s; %s in use, limit %s", node.Name(), text, mib(usage.Memory), limitText(usage.MemoryLimit)), nil
}

func limitText(bytes int64) string {
	if bytes == 0 {
		return "none"
	}
	return mib(bytes)
}

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
