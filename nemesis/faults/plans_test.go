package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"squall/history"
	"squall/nemesis"
	"squall/nemesis/schedule"
)

func schedules(d schedule.Drawn, err error) ([]nemesis.Planned, error) { return d.Planned, err }

// Every plan that is accepted, for any cluster, can be carried out: each fault
// begins, bites nodes that there are, and is healed.
func TestEveryAcceptedPlanCanBeCarriedOut(outer *testing.T) {
	catalogue := All()
	rapid.Check(outer, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "nodes")
		fault := rapid.SampledFrom(catalogue).Draw(t, "fault")
		text := schedule.Text{
			Nemesis: rapid.SampledFrom([]string{"basic", "calm", "ci", "storm", "partitions", "processes", fault.Name,
				call(fault, rapid.SampledFrom(fault.Variants).Draw(t, "variant")),
				fault.Name + " when=" + rapid.SampledFrom(nemesis.Moments()).Draw(t, "moment").Name + " after=0s-50ms within=1s",
				fmt.Sprintf("%s(n1),kill(n2),power-cut(n3)", fault.Name)}).Draw(t, "nemesis"),
			Limit:   rapid.SampledFrom([]string{schedule.Anything, schedule.Majority}).Draw(t, "limit"),
			Overlap: rapid.IntRange(1, schedule.MaxOverlap).Draw(t, "overlap"),
		}
		spec, err := schedule.Parse(catalogue, text)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := schedules(schedule.Draw(spec, rapid.Uint64().Draw(t, "seed"), nodeNames(n), 20*time.Second))
		if err != nil {
			t.Skip("refused: ", err)
		}
		carryOut(outer, t, n, plan)
	})
}

// All variants of all faults, one by one, in clusters of one to four nodes.
func TestSmallClustersCanHaveWhatIsAccepted(t *testing.T) {
	catalogue := All()
	for n := 1; n <= 4; n++ {
		for _, fault := range catalogue {
			for _, v := range fault.Variants {
				spec, err := schedule.Parse(catalogue, schedule.Text{Nemesis: call(fault, v)})
				if err != nil {
					t.Fatal(err)
				}
				plan, err := schedules(schedule.Draw(spec, 5, nodeNames(n), 15*time.Second))
				if accepted := err == nil; accepted != fault.Fits(v, n) {
					t.Errorf("%d nodes, %s(%s): %v", n, fault.Name, v.Name, err)
				}
				if err == nil {
					carryOut(t, t, n, plan)
				}
			}
		}
	}
}

// call is a fault with one of its variants, as it is written.
func call(f nemesis.Fault, v nemesis.Variant) string {
	text := f.Name + "(" + v.Name + ")"
	if v.Aimed {
		text += " when=vote-granted"
	}
	return text
}

type fataler interface {
	Fatalf(format string, args ...any)
}

// carryOut runs a plan on the fake in virtual time.
func carryOut(outer *testing.T, t fataler, n int, plan []nemesis.Planned) {
	c := newFake(n)
	if c.roles.OldLeader = "n2"; n < 3 {
		c.roles.OldLeader, c.roles.Candidate = "", ""
	}
	var rec memory
	var err error
	synctest.Test(outer, func(*testing.T) {
		begin := time.Now()
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		err = r.Run(context.Background(), plan, 0)
	})
	if err != nil {
		t.Fatalf("%d nodes: %v\nthe plan: %+v", n, err, plan)
	}
	var names []string
	for _, p := range plan {
		names = append(names, p.Name())
	}
	if len(rec.faults) != 2*len(plan) {
		t.Fatalf("%d nodes: %d records of %s", n, len(rec.faults), strings.Join(names, " "))
	}
	for _, f := range rec.faults {
		bites := f.Phase == history.Heal || f.Kind != history.KindPartition || len(f.Cut) > 0
		if len(f.Targets) == 0 || !bites {
			t.Fatalf("%d nodes: %s(%s) hits nobody: %+v", n, f.Name, f.Variant, f)
		}
		for _, node := range f.Targets {
			if !slices.Contains(nodeNames(n), node) {
				t.Fatalf("%d nodes: %s(%s) hits %q", n, f.Name, f.Variant, node)
			}
		}
	}
	if wrong := c.hurt(); len(wrong) > 0 {
		t.Fatalf("%d nodes, after %s still hurt: %v", n, strings.Join(names, " "), wrong)
	}
}
