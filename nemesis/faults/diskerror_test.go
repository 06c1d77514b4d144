package faults

import (
	"context"
	"testing"
	"testing/synctest"

	"squall/nemesis"
)

// TestASyncFailsOnce: the fault is proven by a probe, and then the next sync fails, and all after it lie; healed, none does.
func TestASyncFailsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fault := newFake(3), diskError()
		p := planned(fault, "one")
		p.Order, p.Params["on"] = nodeNames(3), syncOnce
		h := &nemesis.Hit{Cluster: c, Plan: p, Args: p.Params, Roles: c.Roles(), Links: nemesis.NewLinkLayers(c)}
		if err := fault.Inject(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		rules := c.node(h.Targets[0]).disk.rules
		if len(rules) != 2 || rules[0] != (nemesis.DiskRule{Effect: nemesis.DiskError, On: nemesis.DiskOnSync, Times: 1}) || rules[1] != (nemesis.DiskRule{Effect: nemesis.DiskLies, On: nemesis.DiskOnSync}) {
			t.Errorf("the rules are %+v", rules)
		}
		if err := fault.Undo(context.Background(), h); err != nil || len(c.node(h.Targets[0]).disk.rules) > 0 {
			t.Errorf("healed: %v, %+v", err, c.node(h.Targets[0]).disk.rules)
		}
	})
}
