package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// links are the variants of faults on packets: each is a set of directed links.
func links() []nemesis.Variant {
	return []nemesis.Variant{
		{Name: "all", Doc: "every link between nodes"},
		{Name: "one", Doc: "every link from and to one node, at random"},
		{Name: "minority", Doc: "every link from and to the largest set of nodes that leaves a majority", MinNodes: 3},
		{Name: "leader", Doc: "every link from and to the current leader", Need: nemesis.NeedLeader, Leader: true},
		{Name: "follower", Doc: "every link from and to one node that does not lead", Need: nemesis.NeedLeader},
		{Name: "old-leader", Doc: "every link from and to the previous leader", Need: nemesis.NeedLeader},
		{Name: "link", Doc: "both directions of one link, at random"},
		{Name: "one-way", Doc: "one direction of one link, at random"},
	}
}

// chooseLinks says which directed links a variant means now.
func chooseLinks(h *nemesis.Hit) ([]history.Link, error) {
	order := h.Plan.Order
	switch h.Plan.Variant {
	case "link", "one-way":
		ab := history.Link{From: order[0], To: order[1]}
		set := map[history.Link]bool{ab: true}
		h.Detail = nemesis.Arrow(ab)
		if h.Plan.Variant == "link" {
			set[history.Link{From: ab.To, To: ab.From}] = true
			h.Detail = ab.From + "↔" + ab.To
		}
		h.Targets = slices.Sorted(slices.Values(order[:2]))
		return nemesis.SortedLinks(set), nil
	}
	chosen, err := choose(h)
	if err != nil {
		return nil, err
	}
	return nemesis.SortedLinks(around(h, chosen)), nil
}

// shaping is a fault on packets: what it does to a link, and what must then be
// measured on it.
type shaping struct {
	name   string
	doc    string
	params []declare.Param
	raw    bool // it sends packets of its own making
	check  func(declare.Args) error
	// of is what the parameters mean.
	of func(declare.Args) nemesis.Shaping
	// flow is what to send over each link, to see it.
	flow func(declare.Args) flowPlan
	// claims are what must be seen of n datagrams in all.
	claims func(a declare.Args, n int) []claim
}

// flowPlan is how much has to be sent to see a fault.
type flowPlan struct {
	count    int
	interval time.Duration
	size     int
}

func (s shaping) fault() nemesis.Fault {
	needs := []nemesis.Need{nemesis.NeedShape}
	if s.raw {
		needs = append(needs, nemesis.NeedRaw)
	}
	return nemesis.Fault{
		Name: s.name, Kind: history.KindPackets, Doc: s.doc, Params: s.params, Check: s.check,
		Variants: links(), Needs: needs,
		Holds:    []nemesis.Resource{nemesis.HoldPackets},
		MinNodes: 2,
		Inject:   s.inject,
		Undo:     s.undo,
	}
}

func (s shaping) inject(ctx context.Context, h *nemesis.Hit) error {
	chosen, err := chooseLinks(h)
	if err != nil {
		return err
	}
	layer := nemesis.Layer{Shape: map[history.Link]nemesis.Shaping{}}
	for i, link := range chosen {
		shape := s.of(h.Args)
		shape.Seed = h.Plan.Seed + uint64(i) // each link has a sequence of its own
		layer.Shape[link] = shape
	}
	if err := h.Links.Set(ctx, h.Plan.ID, layer); err != nil {
		return err
	}
	if err := s.prove(ctx, h, chosen, false); err != nil {
		return err
	}
	return s.proveEngine(ctx, h, chosen)
}

func (s shaping) undo(ctx context.Context, h *nemesis.Hit) error {
	if err := h.Links.Set(ctx, h.Plan.ID, nemesis.Layer{}); err != nil {
		return err
	}
	chosen, err := chooseLinks(&nemesis.Hit{Cluster: h.Cluster, Plan: h.Plan, Roles: h.Roles})
	if err != nil {
		return nil // it never began
	}
	return s.prove(ctx, h, chosen, true)
}

// Proving takes several tries: on a busy machine datagrams come late, or are
// lost where none should be.
const proveTries = 4

// maxWait is how long datagrams are waited for at most, which may have to stand
// in line.
const maxWait = 4 * time.Second

// maxProbed bounds how many links are measured at once, so that the measuring
// does not become the load. The others are counted by the shapers.
const maxProbed = 6

// prove sends datagrams over some of the links and holds what became of them
// against the claims: those of the fault, or of links that are healed.
func (s shaping) prove(ctx context.Context, h *nemesis.Hit, chosen []history.Link, healed bool) error {
	plan, shape := s.flow(h.Args), s.of(h.Args)
	wait := 2*(shape.Delay+3*shape.Jitter) + 60*time.Millisecond
	var wrong []string
	for range proveTries {
		probed := s.probed(h, chosen)
		if len(probed) == 0 {
			return proveUnmeasured(ctx, h, chosen, healed)
		}
		claims := s.claims(h.Args, plan.count*len(probed))
		if healed {
			claims = whole(claims)
		}
		flows, err := h.Flow(ctx, nemesis.FlowSpec{Links: probed, Count: plan.count, Interval: plan.interval, Size: plan.size, Wait: wait})
		if err != nil {
			return fmt.Errorf("measure the links: %w", err)
		}
		if shape.Rate > 0 && wait < maxWait {
			wait *= 4 // they stand in line behind what the servers send
		}
		if len(flows) == 0 {
			wrong = []string{"machines at their ends were switched off meanwhile"}
			continue // and nothing was measured
		}
		measured, bad := holdAgainst(flows, claims)
		if wrong = bad; len(wrong) == 0 {
			tell(h, measured)
			return nil
		}
	}
	return fmt.Errorf("measured %d times, the links are not as they should be: %s", proveTries, strings.Join(wrong, "; "))
}

// probed are the links to measure: of those that carry packets, some of each
// end.
func (s shaping) probed(h *nemesis.Hit, chosen []history.Link) []history.Link {
	cut := h.Links.CutNow()
	var open []history.Link
	for _, link := range chosen {
		back := history.Link{From: link.To, To: link.From}
		if _, isCut := cut[link]; isCut || !h.Node(link.From).Up() || !h.Node(link.To).Up() {
			continue
		}
		if _, backCut := cut[back]; backCut {
			continue // no round trip can be measured
		}
		open = append(open, link)
	}
	if len(open) <= maxProbed {
		return open
	}
	some := make([]history.Link, 0, maxProbed)
	for i := range maxProbed {
		some = append(some, open[i*len(open)/maxProbed])
	}
	return some
}

// proveUnmeasured is the proof where no link under the fault carries packets, since
// each is cut or has a machine that is off. A machine that is off does nothing to
// packets, and when it starts it is told what holds then. One that is up must no
// longer shape a link that is healed; that it shapes one, proveEngine asks.
func proveUnmeasured(ctx context.Context, h *nemesis.Hit, chosen []history.Link, healed bool) error {
	why := make([]string, 0, len(chosen))
	for _, link := range chosen {
		why = append(why, fmt.Sprintf("%s (%s)", nemesis.Arrow(link), silentBecause(h, link)))
		node := h.Node(link.From)
		if !healed || !node.Up() {
			continue
		}
		counts, err := node.NetCounts(ctx)
		if err != nil && !node.Up() {
			continue // it was switched off meanwhile
		}
		if err != nil {
			return fmt.Errorf("ask %s what it shapes: %w", link.From, err)
		}
		if _, shapes := counts.Shape[link.To]; shapes {
			return fmt.Errorf("%s still shapes what it sends to %s", link.From, link.To)
		}
	}
	h.Note(history.Measure{What: "links that carry nothing", Value: float64(len(why)), Want: fmt.Sprint(len(chosen))})
	if more := len(why) - maxProbed; more > 0 {
		why = append(why[:maxProbed:maxProbed], fmt.Sprintf("and %d more", more))
	}
	h.Say("no packets can be measured on %s", strings.Join(why, ", "))
	return nil
}

// silentBecause says why a link carries nothing.
func silentBecause(h *nemesis.Hit, link history.Link) string {
	for _, end := range []string{link.From, link.To} {
		if !h.Node(end).Up() {
			return end + " is off"
		}
	}
	return "cut by another fault"
}

// proveEngine asks each machine which engine shapes its packets, and that it
// does so on every link.
func (s shaping) proveEngine(ctx context.Context, h *nemesis.Hit, chosen []history.Link) error {
	engines := make([]string, len(chosen))
	group, ctx := errgroup.WithContext(ctx)
	for i, link := range chosen {
		group.Go(func() (err error) {
			engines[i], err = engineOf(ctx, h.Node(link.From), link)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	slices.Sort(engines)
	engines = slices.DeleteFunc(slices.Compact(engines), func(s string) bool { return s == "" })
	h.Say("%d links are shaped, by %s", len(chosen), strings.Join(engines, " and "))
	return nil
}

// toldWithin is how long a machine that was just switched on may do nothing to its
// packets: the fault that did so tells it what holds when its agent has answered.
const toldWithin = 10 * time.Second

// engineOf is what shapes the packets of a link; "" where its machine is off.
func engineOf(ctx context.Context, node nemesis.Node, link history.Link) (string, error) {
	for deadline := time.Now().Add(toldWithin); ; {
		if !node.Up() {
			return "", nil
		}
		counts, err := node.NetCounts(ctx)
		if err != nil && !node.Up() {
			return "", nil // it was switched off meanwhile
		}
		if err != nil {
			return "", fmt.Errorf("ask %s what it shaped: %w", link.From, err)
		}
		if count, ok := counts.Shape[link.To]; ok {
			return count.Engine, nil
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("%s does not shape what it sends to %s", link.From, link.To)
		}
		select {
		case <-time.After(toldWithin / 100):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
