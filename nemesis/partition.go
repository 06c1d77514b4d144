package nemesis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
)

// partition cuts links by having each node drop the packets of some others.
func partition() Fault {
	return Fault{
		Name:     "partition",
		Doc:      "nodes drop the packets of other nodes",
		Needs:    "NET_ADMIN in the machine's own network namespace",
		Variants: grudges(),
		MinNodes: 3,
		inject:   injectPartition,
	}
}

func injectPartition(ctx context.Context, c Cluster, p Planned, f *history.Fault) (injury, error) {
	g, err := newGrudge(p.Variant, p.Order, p.Coin, c.Leader())
	if err != nil {
		return partitioned{}, err
	}
	f.Targets, f.Cut, f.Detail = g.targets, g.links(), g.detail
	if err := setDrops(ctx, c, g); err != nil {
		return partitioned{}, err
	}
	f.Proof, err = verifyLinks(ctx, c, g.cut)
	return partitioned{}, err
}

type partitioned struct{}

func (partitioned) heal(ctx context.Context, c Cluster) ([]string, error) {
	if err := setDrops(ctx, c, grudge{}); err != nil {
		return nil, err
	}
	return verifyLinks(ctx, c, nil)
}

func setDrops(ctx context.Context, c Cluster, g grudge) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range c.Nodes() {
		group.Go(func() error {
			if err := node.Drop(ctx, g.droppedBy(node.Name())); err != nil {
				return fmt.Errorf("set what %s drops: %w", node.Name(), err)
			}
			return nil
		})
	}
	return group.Wait()
}

// verifyLinks probes all pairs until exactly the links that should be cut are,
// and says what was measured. A probe on a link that should carry packets may
// get lost on a busy machine, so it tries again for a while.
func verifyLinks(ctx context.Context, c Cluster, cut map[history.Link]bool) ([]string, error) {
	const patience = 3 * time.Second
	deadline := time.Now().Add(patience)
	for {
		reach, err := c.Reach(ctx)
		if err != nil {
			return nil, fmt.Errorf("probe the links: %w", err)
		}
		leaks, deaf := compareLinks(c.Nodes(), reach, cut)
		if len(leaks) == 0 && len(deaf) == 0 {
			proof, complete, err := linkProof(ctx, c.Nodes(), cut)
			if err != nil || complete {
				return proof, err
			}
		}
		if time.Now().After(deadline) {
			wrong := append(describe("still carries packets", leaks), describe("carries none", deaf)...)
			if len(wrong) == 0 {
				wrong = []string{"the kernel has counted no dropped packet on some cut link"}
			}
			return nil, fmt.Errorf("after %v the links are not as they should be: %s", patience, strings.Join(wrong, "; "))
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// compareLinks returns the cut links that still carry packets, and the whole
// ones that do not.
func compareLinks(nodes []Node, reach, cut map[history.Link]bool) (leaks, deaf []history.Link) {
	for link := range pairs(nodes) {
		switch {
		case cut[link] && reach[link]:
			leaks = append(leaks, link)
		case !cut[link] && !reach[link]:
			deaf = append(deaf, link)
		}
	}
	return leaks, deaf
}

func pairs(nodes []Node) func(yield func(history.Link) bool) {
	return func(yield func(history.Link) bool) {
		for _, a := range nodes {
			for _, b := range nodes {
				if a.Name() != b.Name() && !yield(history.Link{From: a.Name(), To: b.Name()}) {
					return
				}
			}
		}
	}
}

// linkProof says what was measured. It is complete when the kernel of every
// node has dropped packets on each of its cut links: silence alone could be a
// probe that is late.
func linkProof(ctx context.Context, nodes []Node, cut map[history.Link]bool) (proof []string, complete bool, err error) {
	all := len(nodes) * (len(nodes) - 1)
	proof = []string{fmt.Sprintf("probes on all %d links: %d carry packets, %d do not", all, all-len(cut), len(cut))}
	for _, node := range nodes {
		from := (grudge{cut: cut}).droppedBy(node.Name())
		if len(from) == 0 {
			continue
		}
		counts, err := node.Dropped(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("ask %s what it dropped: %w", node.Name(), err)
		}
		words := make([]string, len(from))
		for i, name := range from {
			if counts[name] == 0 {
				return nil, false, nil
			}
			words[i] = fmt.Sprintf("%s (%d dropped)", name, counts[name])
		}
		proof = append(proof, fmt.Sprintf("%s hears nothing of %s", node.Name(), strings.Join(words, ", ")))
	}
	return proof, true, nil
}

func describe(what string, links []history.Link) []string {
	var out []string
	for _, l := range links {
		out = append(out, fmt.Sprintf("%s→%s %s", l.From, l.To, what))
	}
	return out
}
