package orchestrator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
)

// Flow sends datagrams over links, all at once, and measures what becomes of
// them at both ends. A machine that is switched off meanwhile has no part in it:
// its links are missing from what is returned.
func (c *nodes) Flow(ctx context.Context, spec nemesis.FlowSpec) (map[history.Link]nemesis.Flow, error) {
	nonce := rand.Uint64()
	flows := make(map[history.Link]nemesis.Flow, len(spec.Links))
	var mu sync.Mutex
	begin := time.Now()
	if err := c.sendFlows(ctx, spec, nonce, flows, &mu); err != nil {
		return nil, err
	}
	if err := c.hearFlows(ctx, nonce, flows, &mu); err != nil {
		return nil, err
	}
	for link := range flows {
		if !c.named(link.From).Up() || !c.named(link.To).Up() || c.named(link.To).upSince().After(begin) {
			delete(flows, link)
		}
	}
	return flows, nil
}

func (c *nodes) named(name string) *node {
	return c.all[slices.IndexFunc(c.all, func(n *node) bool { return n.Name() == name })]
}

// sendFlows has each sender send to all of its receivers.
func (c *nodes) sendFlows(ctx context.Context, spec nemesis.FlowSpec, nonce uint64, flows map[history.Link]nemesis.Flow, mu *sync.Mutex) error {
	to := map[string][]string{}
	for _, link := range spec.Links {
		to[link.From] = append(to[link.From], link.To)
	}
	group, ctx := errgroup.WithContext(ctx)
	for from, receivers := range to {
		sender := c.named(from)
		group.Go(func() error {
			sent, err := sender.sendFlow(ctx, spec, nonce, receivers)
			if err != nil && !sender.Up() {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", from, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for i, s := range sent {
				flows[history.Link{From: from, To: receivers[i]}] = nemesis.Flow{Sent: spec.Count, RoundTrip: s.RTT.Median}
			}
			return nil
		})
	}
	return group.Wait()
}

func (n *node) sendFlow(ctx context.Context, spec nemesis.FlowSpec, nonce uint64, receivers []string) ([]protocol.FlowSent, error) {
	addrs := make([]netip.Addr, len(receivers))
	for i, name := range receivers {
		addrs[i] = n.addrs[name]
	}
	sent, err := n.agent().FlowSend(ctx, protocol.FlowSpec{Nonce: nonce, To: addrs, Port: protocol.ProbePort,
		Count: spec.Count, Interval: spec.Interval, Size: spec.Size, Wait: spec.Wait})
	if err == nil && len(sent) != len(receivers) {
		err = fmt.Errorf("%d answers of a flow to %d machines", len(sent), len(receivers))
	}
	return sent, err
}

// hearFlows asks each receiver what it heard.
func (c *nodes) hearFlows(ctx context.Context, nonce uint64, flows map[history.Link]nemesis.Flow, mu *sync.Mutex) error {
	names := make(map[netip.Addr]string, len(c.all))
	for _, n := range c.all {
		names[n.machine.Addr()] = n.Name()
	}
	return c.eachUp(ctx, func(ctx context.Context, _ int, n *node) error {
		heard, err := n.agent().FlowHeard(ctx, nonce)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, h := range heard {
			link := history.Link{From: names[h.From], To: n.Name()}
			f, sent := flows[link]
			if !sent {
				continue
			}
			f.Received, f.Duplicates, f.Reordered, f.Corrupted = h.Received+h.Corrupted, h.Duplicates, h.Reordered, h.Corrupted
			f.OneWay, f.Rate = h.Delay.Median, h.BytesPerSecond
			flows[link] = f
		}
		return nil
	})
}
