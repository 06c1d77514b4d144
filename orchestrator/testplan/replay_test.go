package testplan

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"squall/nemesis"
	"squall/nemesis/faults"
)

// replayed is a plan of so many nodes with these faults, and what a replay of it
// comes to.
func replayed(t *testing.T, nodes int, planned ...nemesis.Planned) error {
	t.Helper()
	test := DefaultTest()
	test.Nodes, test.Seed, test.Nemesis = nodes, 7, "none"
	plan, err := NewPlan(test, "v", "squall")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range planned {
		p.ID, p.Order = i+1, plan.Nodes
		fault, ok := nemesis.Find(faults.All(), p.Fault)
		if !ok {
			t.Fatalf("there is no fault %q", p.Fault)
		}
		params := fault.Params.Fill(nil, nil)
		maps.Copy(params, p.Params)
		p.Params = params
		plan.Schedule = append(plan.Schedule, p)
	}
	_, err = ReplayPlan(plan, plan.Test, "v", "squall", "plan.json")
	return err
}

// waiting has a fault wait for a moment for 3 s.
func waiting(p nemesis.Planned, moment string, after int64) nemesis.Planned {
	p.Aim = &nemesis.Aim{Moment: moment, AfterMs: after, WithinMs: 3000}
	return p
}

// A stranger's plan is held to the rules by which faults are drawn.
func TestAPlanThatCannotRunIsNotReplayed(t *testing.T) {
	at := func(fault, variant string, at, hold int64, nodes ...string) nemesis.Planned {
		return nemesis.Planned{Fault: fault, Variant: variant, AtMs: at, ForMs: hold, Nodes: nodes}
	}
	for _, tc := range []struct {
		name    string
		nodes   int
		planned []nemesis.Planned
		want    string // "" is replayed
	}{
		{"too few nodes for the fault", 2, []nemesis.Planned{at("partition", "one", 2000, 2000)}, "fault partition needs at least 3 nodes, and the test has 2"},
		{"too few nodes for the variant", 1, []nemesis.Planned{at("kill", "follower", 2000, 2000)}, "needs at least 2 nodes"},
		{"nobody is left", 3, []nemesis.Planned{at("partition", "", 2000, 2000, "n1", "n2", "n3")}, "none is left to cut them off from"},
		{"an unknown node", 3, []nemesis.Planned{at("kill", "", 2000, 2000, "n4")}, "n4"},
		{"a node twice", 3, []nemesis.Planned{at("kill", "", 2000, 2000, "n1", "n1")}, "names a node twice"},
		{"the same node at once", 5, []nemesis.Planned{at("kill", "", 2000, 3000, "n1"), at("pause", "", 4000, 2000, "n1", "n2")},
			"fault 2 cannot be replayed: pause(n1+n2) begins at 4000 ms, when kill(n1), which is fault 1, still holds (until 5000 ms)"},
		{"at once, and not in order", 5, []nemesis.Planned{at("pause", "all", 4000, 2000), at("kill", "", 2000, 3000, "n1")}, "fault 1 cannot be replayed"},
		{"the links at once", 5, []nemesis.Planned{at("partition", "", 2000, 3000, "n1"), at("flapping", "one", 3000, 3000)}, "still holds"},
		{"what the system cannot", 5, []nemesis.Planned{at("add-member", faultVariant(t, "add-member"), 2000, 2000)}, "not available here"},
		{"a target of a moment, and none", 5, []nemesis.Planned{at("kill", "moment", 2000, 2000)}, "is aimed at none"},
		{"an unknown moment", 5, []nemesis.Planned{waiting(at("kill", "moment", 2000, 2000), "full-moon", 0)}, `there is no moment "full-moon"`},
		{"waits beyond the end", 5, []nemesis.Planned{waiting(at("kill", "moment", 2000, 2000), "vote-granted", 60_000)}, "the load ends after"},
		{"while another may wait", 5, []nemesis.Planned{waiting(at("kill", "moment", 2000, 1000), "vote-granted", 0), at("pause", "one", 5500, 500)}, "still holds (until 6000 ms)"},
		{"a moment that nobody tells", 5, []nemesis.Planned{waiting(at("kill", "moment", 2000, 2000), "read-round", 0)}, "cannot be aimed here: that takes --trace full"},
		{"aimed", 5, []nemesis.Planned{waiting(at("kill", "moment", 2000, 2000), "vote-granted", 20)}, ""},
		{"different nodes at once", 5, []nemesis.Planned{at("kill", "", 2000, 3000, "n1"), at("pause", "", 3000, 3000, "n2")}, ""},
		{"one after the other", 5, []nemesis.Planned{at("kill", "leader", 2000, 2000), at("pause", "leader", 4000, 2000)}, ""},
		{"different kinds at once", 5, []nemesis.Planned{at("partition", "one", 2000, 3000), at("kill", "leader", 3000, 3000)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := replayed(t, tc.nodes, tc.planned...)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func faultVariant(t *testing.T, name string) string {
	t.Helper()
	fault, ok := nemesis.Find(faults.All(), name)
	if !ok {
		t.Fatalf("there is no fault %q", name)
	}
	return fault.Variants[0].Name
}

// Whatever is drawn, in a cluster of any size, can be replayed.
func TestDrawnPlansAreReplayed(t *testing.T) {
	for _, mix := range append(ownMixes(t), "kill(n1),pause(n2),slow-cpu(n3)", "kill,pause") {
		drawn := 0
		for _, nodes := range []int{1, 2, 3, 5, 9} {
			for seed := range uint64(4) {
				test := DefaultTest()
				test.Nemesis, test.Nodes, test.Seed, test.Overlap = mix, nodes, seed+1, int(seed)+1
				plan, err := NewPlan(test, "v", "squall")
				if err != nil { // too few nodes for it
					continue
				}
				drawn++
				if _, err := ReplayPlan(plan, plan.Test, "v", "squall", "plan.json"); err != nil {
					t.Errorf("%s, %d nodes, seed %d: %v", mix, nodes, seed+1, err)
				}
				if !slices.IsSortedFunc(plan.Schedule, byBegin) && seed == 0 {
					t.Errorf("%s: faults one after the other are not in order", mix)
				}
			}
		}
		if drawn < 8 {
			t.Errorf("%s: only %d plans were drawn", mix, drawn)
		}
	}
}
