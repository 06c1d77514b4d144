package faults

import (
	"context"
	"fmt"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// misbehaving is a fault of disks: what they do wrong, and what a probe must meet.
type misbehaving struct {
	name, doc string
	params    []declare.Param
	variants  []nemesis.Variant
	rules     func(a declare.Args) []nemesis.DiskRule
	// then are the rules once a probe has met those; nil: they stay. A probe would use up what happens once.
	then func(a declare.Args) []nemesis.DiskRule
	// felt says what a probe met, and whether it is what the fault must do.
	felt func(a declare.Args, p nemesis.DiskProbe) (text string, holds bool)
	// hurts says that a server may end over it. The heal starts it again.
	hurts bool
}

func (m misbehaving) fault() nemesis.Fault {
	f := nemesis.Fault{
		Name: m.name, Kind: history.KindDisk, Doc: m.doc, Params: m.params, Variants: m.variants,
		Needs: []nemesis.Need{nemesis.NeedDisk}, Holds: []nemesis.Resource{nemesis.HoldDisks}, MinNodes: 1,
		Inject: onChosen(m.begin), Undo: onTargets(m.end),
	}
	if m.hurts {
		f.Holds = append(f.Holds, nemesis.HoldServers)
	}
	return f
}

func (m misbehaving) begin(ctx context.Context, h *nemesis.Hit, node nemesis.Node) (string, error) {
	if err := node.SetDisk(ctx, m.rules(h.Args)); err != nil {
		return "", fmt.Errorf("change what its disk does: %w", err)
	}
	probe, err := node.ProbeDisk(ctx)
	if err != nil {
		return "", fmt.Errorf("try its disk: %w", err)
	}
	text, holds := m.felt(h.Args, probe)
	if !holds {
		return "", fmt.Errorf("its disk does nothing wrong: %s", text)
	}
	state, err := node.DiskState(ctx)
	if err != nil {
		return "", fmt.Errorf("look at its disk: %w", err)
	}
	if state.Hits == 0 {
		return "", fmt.Errorf("its disk has done nothing wrong yet: %s", text)
	}
	if m.then != nil {
		if rules := m.then(h.Args); rules != nil {
			if err := node.SetDisk(ctx, rules); err != nil {
				return "", fmt.Errorf("change what its disk does from now on: %w", err)
			}
		}
	}
	return fmt.Sprintf("%s: %s", node.Name(), text), nil
}

func (m misbehaving) end(ctx context.Context, _ *nemesis.Hit, node nemesis.Node) (string, error) {
	if err := node.SetDisk(ctx, nil); err != nil {
		return "", fmt.Errorf("have its disk do right again: %w", err)
	}
	state, err := node.DiskState(ctx)
	if err != nil {
		return "", fmt.Errorf("look at its disk: %w", err)
	}
	probe, err := node.ProbeDisk(ctx)
	if err != nil {
		return "", fmt.Errorf("try its disk: %w", err)
	}
	if failed := probe.WriteErr + probe.SyncErr + probe.ReadErr; failed != "" || state.Hits > 0 {
		return "", fmt.Errorf("its disk still does something wrong: %s", told(probe))
	}
	if !m.hurts {
		return fmt.Sprintf("%s: %s", node.Name(), told(probe)), nil
	}
	text, err := startAgain(ctx, node)
	if err != nil {
		return "", fmt.Errorf("its disk is well, but %w", err)
	}
	return fmt.Sprintf("%s: %s; %s", node.Name(), told(probe), text), nil
}

// told is a probe for people.
func told(p nemesis.DiskProbe) string {
	one := func(what string, took time.Duration, why string) string {
		if why != "" {
			return what + " " + why
		}
		return fmt.Sprintf("%s %s ms", what, figure(ms(took)))
	}
	return one("write", p.Write, p.WriteErr) + ", " + one("sync", p.Sync, p.SyncErr) + ", " + one("read", p.Read, p.ReadErr)
}
