package orchestrator

import (
	"context"
	"fmt"

	"squall/history"
	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
)

// CutDisk ends the node's server, and does to its disk what a power cut does.
func (n *node) CutDisk(ctx context.Context, cut nemesis.DiskCut) (nemesis.DiskLoss, error) {
	if err := n.Kill(ctx); err != nil {
		return nemesis.DiskLoss{}, fmt.Errorf("end the server: %w", err)
	}
	l, err := n.agent().DiskCut(ctx, protocol.DiskCut{How: cut.How, Seed: cut.Seed})
	return nemesis.DiskLoss{Files: l.Files, Writes: l.Writes, Names: l.Names, Bytes: l.Bytes, Text: l.Text}, err
}

// SetDisk makes the node's disk do things wrong. A server that ends over what fails does
// so by squall's doing, even when it takes until the disk is well again.
func (n *node) SetDisk(ctx context.Context, rules []nemesis.DiskRule) error {
	var all []protocol.DiskRule
	hurts := false
	for _, r := range rules {
		all = append(all, protocol.DiskRule{Effect: r.Effect, On: r.On, Delay: r.Delay, Times: r.Times})
		hurts = hurts || r.Effect != nemesis.DiskSlow && r.Effect != nemesis.DiskLies
	}
	if hurts {
		n.hurtDisk()
	}
	if err := n.agent().DiskRules(ctx, all); err != nil {
		return err
	}
	n.diskHurt.Store(hurts)
	return nil
}

// hurtDisk notes that the server that runs, and those that are started until the disk is well, may end over it.
func (n *node) hurtDisk() {
	n.diskHurt.Store(true)
	n.expectEnd(history.ReasonDisk)
}

// DiskState tells how the node's disk is.
func (n *node) DiskState(ctx context.Context) (nemesis.DiskState, error) {
	s, err := n.agent().DiskStatus(ctx)
	if err != nil {
		return nemesis.DiskState{}, err
	}
	if s.Broken != "" {
		return nemesis.DiskState{}, fmt.Errorf("squall's file system does not know any more what is synced: %s", s.Broken)
	}
	state := nemesis.DiskState{Cut: s.Frozen, Damaged: s.Damaged}
	for _, hits := range s.Hits {
		state.Hits += hits
	}
	if r := s.Restored; r != nil {
		state.Known, state.Restored, state.Wrong = true, r.Names+r.Files, r.Wrong
	}
	return state, nil
}

// ProbeDisk tries the node's disk.
func (n *node) ProbeDisk(ctx context.Context) (nemesis.DiskProbe, error) {
	p, err := n.agent().DiskProbe(ctx)
	return nemesis.DiskProbe(p), err
}

// DamageDisk damages a file of the server's. One that does not start with it, or ends over it,
// does so by squall's doing.
func (n *node) DamageDisk(ctx context.Context, d nemesis.DiskDamage) (string, error) {
	n.diskHurt.Store(true)
	r, err := n.agent().DiskDamage(ctx, protocol.DiskDamage{Kind: d.Kind, Files: d.Files, Seed: d.Seed})
	if err != nil {
		return "", err
	}
	if d.Kind == protocol.DiskBitFlip {
		return fmt.Sprintf("byte %d of %s is %s and was %s", r.Offset, r.File, r.Is, r.Was), nil
	}
	return fmt.Sprintf("bytes %d to %d of %s are %s", r.Offset, r.Offset+r.Length, r.File, r.Is), nil
}

// RepairDisk puts back what was damaged.
func (n *node) RepairDisk(ctx context.Context) error {
	_, err := n.agent().DiskDamage(ctx, protocol.DiskDamage{Kind: protocol.DiskRepair})
	if err == nil {
		n.expectEnd(history.ReasonDisk) // it may have read what was damaged
		n.diskHurt.Store(false)
	}
	return err
}
