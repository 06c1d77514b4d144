package orchestrator

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
)

// SetNet makes the machine treat packets as state says.
func (n *node) SetNet(ctx context.Context, state nemesis.NetState) error {
	var s protocol.NetState
	for _, c := range state.Cut {
		s.Cut = append(s.Cut, protocol.Cut{From: n.addrs[c.From], Reject: c.Reject})
	}
	for _, shape := range state.Shape {
		s.Shape = append(s.Shape, protocolShape(n.addrs[shape.To], shape.Shaping))
	}
	return n.agent().Net(ctx, s)
}

func protocolShape(to netip.Addr, s nemesis.Shaping) protocol.Shape {
	shape := protocol.Shape{To: to, Seed: s.Seed, Delay: s.Delay, Jitter: s.Jitter, Distribution: s.Distribution, Loss: s.Loss,
		Duplicate: s.Duplicate, Reorder: s.Reorder, Corrupt: s.Corrupt, CorruptKind: s.CorruptKind, Rate: s.Rate}
	if b := s.Burst; b != nil {
		shape.Burst = &protocol.Burst{P: b.Begin, R: b.End, LossBad: b.LossBad, LossGood: b.LossGood}
	}
	return shape
}

// NetCounts is what the kernel and the shaper counted of the state that was set.
func (n *node) NetCounts(ctx context.Context) (nemesis.NetCounts, error) {
	c, err := n.agent().NetCounters(ctx)
	if err != nil {
		return nemesis.NetCounts{}, err
	}
	counts := nemesis.NetCounts{Cut: map[string]uint64{}, Shape: map[string]nemesis.ShapeCount{}}
	names := make(map[netip.Addr]string, len(n.addrs))
	for name, addr := range n.addrs {
		names[addr] = name
	}
	for _, cut := range c.Cut {
		counts.Cut[names[cut.From]] = cut.Packets
	}
	for _, s := range c.Shape {
		counts.Shape[names[s.To]] = nemesis.ShapeCount{Engine: s.Engine, Packets: s.Packets, Lost: s.Lost,
			Duplicated: s.Duplicated, Reordered: s.Reordered, Corrupted: s.Corrupted}
	}
	return counts, nil
}

// Connect tries to open TCP connections from inside the machine to the agents of
// others.
func (n *node) Connect(ctx context.Context, to []string, timeout time.Duration) ([]string, error) {
	addrs := make([]netip.AddrPort, len(to))
	for i, name := range to {
		addr, ok := n.addrs[name]
		if !ok {
			return nil, fmt.Errorf("connect from %s: there is no machine %s", n.Name(), name)
		}
		addrs[i] = netip.AddrPortFrom(addr, protocol.ProbePort)
	}
	return n.agent().Connect(ctx, addrs, timeout)
}

// SetMessages makes these rules hold for the messages that come in at the server.
func (n *node) SetMessages(ctx context.Context, rules []nemesis.MessageRule) error {
	if !n.ruled {
		if len(rules) == 0 {
			return nil // there never were any
		}
		return fmt.Errorf("the server of %s takes no rules for its messages", n.Name())
	}
	told := make([]protocol.MessageRule, len(rules))
	for i, r := range rules {
		told[i] = protocol.MessageRule{From: r.From, Do: r.Do, Types: r.Types, Share: r.Share, Delay: r.Delay, Count: r.Count, Seed: r.Seed}
	}
	return n.agent().SetMessageRules(ctx, told)
}

// MessageCounts asks the server what it did by its rules.
func (n *node) MessageCounts(ctx context.Context) (nemesis.MessageCounts, error) {
	c, err := n.agent().MessageCounts(ctx)
	counts := nemesis.MessageCounts{Held: int(c.Held)}
	for _, r := range c.Rules {
		counts.Rules = append(counts.Rules, nemesis.MessageCount{Matched: r.Matched, Hit: r.Hit})
	}
	return counts, err
}

// BendClock makes the server see time as b says.
func (n *node) BendClock(ctx context.Context, b nemesis.Bend) error {
	if !n.bends {
		if b == (nemesis.Bend{}) {
			return nil // it never was bent
		}
		return fmt.Errorf("the server of %s has no clock that could be bent", n.Name())
	}
	return n.agent().BendClock(ctx, protocol.ClockBend{Offset: b.Offset, Rate: b.Rate, Frozen: b.Frozen})
}

// ReadClock asks the server what its clock says.
func (n *node) ReadClock(ctx context.Context) (nemesis.Reading, error) {
	r, err := n.agent().ReadClock(ctx)
	return nemesis.Reading{True: r.Mono, Server: r.Server, Error: r.Error}, err
}
