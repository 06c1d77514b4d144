package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"squall/nemesis"
)

// Faults on nodes that are named exclude each other on the same node only: a
// quorum may be paused around a node that has lost power.
func TestFaultsOnDifferentNodesMayBeInForceAtOnce(t *testing.T) {
	spec := parse(t, Text{Schedule: "at 1s for 9s: power-cut(n3); at 2s for 3s: pause(n1+n2); at 6s for 3s: pause(n4+n5); at 2s for 3s: clock-freeze(n4)"})
	plan, err := schedules(Draw(spec, 1, five, 20*time.Second))
	if err != nil || len(plan) != 4 {
		t.Fatalf("%+v, %v", plan, err)
	}
	// Drawn ones, too: a pause of each node, all at once.
	spec = parse(t, Text{Nemesis: "pause(n1),kill(n2),power-cut(n3)", Hold: "5s", Gap: "0s", Overlap: 3})
	if plan, err = schedules(Draw(spec, 1, five, time.Minute)); err != nil {
		t.Fatal(err)
	}
	overlaps := 0
	for i, p := range plan {
		for _, q := range plan[:i] {
			if q.AtMs+q.ForMs > p.AtMs {
				overlaps++
				if q.Nodes[0] == p.Nodes[0] {
					t.Errorf("%s and %s hit the same node at once", p.Name(), q.Name())
				}
			}
		}
	}
	if overlaps < 5 {
		t.Errorf("faults on three nodes overlap %d times in a minute", overlaps)
	}
}

// A fault asks for what its variant needs, and says what else there is.
func TestSmallClusters(t *testing.T) {
	for _, tc := range []struct {
		nemesis string
		nodes   int
		want    string // in the refusal; "" is none
	}{
		{"kill", 1, ""}, {"pause", 1, ""}, {"power-cut", 1, ""}, {"kill(leader)", 1, ""}, {"delay", 2, ""},
		{"kill(follower)", 1, "kill(follower) needs at least 2 nodes, and the test has 1: set nodes to 2 or more"},
		{"kill(minority)", 2, "kill(minority) needs at least 3 nodes"},
		{"partition", 2, "partition needs at least 3 nodes, and the test has 2: set nodes to 3 or more, or choose faults that fewer nodes can have, such as kill,pause"},
		{"partition(ring)", 3, "partition(ring) needs at least 4 nodes"},
		{"partition(n1+n2+n3)", 3, "none is left"},
		{"partition(ring)", 4, ""}, {"partition(n1+n2)", 3, ""},
	} {
		_, err := Draw(parse(t, Text{Nemesis: tc.nemesis}), 1, five[:tc.nodes], time.Minute)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s with %d nodes: %v, want %q", tc.nemesis, tc.nodes, err, tc.want)
		}
	}
	for n := 1; n <= 3; n++ {
		plan, err := schedules(Draw(parse(t, Text{Nemesis: "kill", Hold: "100ms", Gap: "0s"}), 1, five[:n], time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range plan {
			if n == 1 && p.Variant == "follower" || n < 3 && p.Variant == "minority" {
				t.Errorf("%d nodes, and %s", n, p.Name())
			}
		}
	}
}

// Even clusters are cut into halves of which none is a majority, but not where a
// majority must stay.
func TestHalvesOfAnEvenClusterKeepNoMajority(t *testing.T) {
	four := five[:4]
	if _, err := Draw(parse(t, Text{Nemesis: "partition(halves)", Limit: Majority}), 1, four, time.Minute); err == nil {
		t.Error("an even split was drawn where a majority must stay whole")
	}
	if _, err := Draw(parse(t, Text{Nemesis: "partition(halves)", Limit: Majority}), 1, five, time.Minute); err != nil {
		t.Error(err)
	}
}

// A day of faults without a pause is more than anybody can read: it is refused,
// and a day of storm is not.
func TestTooManyFaultsAreRefused(t *testing.T) {
	day := 24 * time.Hour
	for _, text := range []Text{
		{Nemesis: "kill", Hold: "100ms", Gap: "1ms"},
		{Nemesis: "storm", Hold: "100ms", Gap: "1ms", Overlap: MaxOverlap},
		{Nemesis: "kill", Hold: "exp(100ms)", Gap: "0s"},
	} {
		if _, err := Draw(parse(t, text), 1, five, day); !errors.Is(err, ErrTooMany) {
			t.Errorf("%+v: %v", text, err)
		}
	}
	plan, err := schedules(Draw(parse(t, Text{Nemesis: "storm"}), 1, five, day))
	if err != nil || len(plan) < 20_000 {
		t.Errorf("a day of storm: %d faults, %v", len(plan), err)
	}
	steps := strings.Repeat("after 1s for 1s: kill;", mostSteps+1)
	if _, err := ParseSteps(catalogue, steps); err == nil || !strings.Contains(err.Error(), "more than 10000 steps") {
		t.Errorf("%d steps: %v", mostSteps+1, err)
	}
}

// Whatever is drawn for whatever cluster hits nodes that there are, at times
// within the load, in variants that mean something there.
func TestEveryDrawnPlanFitsItsCluster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := nodeNames(rapid.IntRange(1, 9).Draw(t, "nodes"))
		fault := rapid.SampledFrom(catalogue).Draw(t, "fault")
		text := Text{
			Nemesis: rapid.SampledFrom([]string{"basic", "calm", "ci", "storm", "network", fault.Name, fault.Name + ",kill(n1)"}).Draw(t, "nemesis"),
			Limit:   rapid.SampledFrom([]string{"", Anything, Majority}).Draw(t, "limit"),
			Overlap: rapid.IntRange(0, MaxOverlap).Draw(t, "overlap"),
		}
		length := time.Duration(rapid.IntRange(10, 120).Draw(t, "seconds")) * time.Second
		plan, err := schedules(Draw(parse(t, text), rapid.Uint64().Draw(t, "seed"), nodes, length))
		if err != nil {
			return // refused, with a reason
		}
		for _, p := range plan {
			f, _ := nemesis.Find(catalogue, p.Fault)
			v, ok := f.Variant(p.Variant)
			if len(p.Nodes) == 0 && (!ok || !f.Fits(v, len(nodes))) {
				t.Fatalf("%d nodes, and %s", len(nodes), p.Name())
			}
			if !slices.Equal(slices.Sorted(slices.Values(p.Order)), nodes) || p.ForMs < shortestHold.Milliseconds() || p.Ends() > length {
				t.Fatalf("%d nodes for %v: %+v", len(nodes), length, p)
			}
			for _, node := range p.Nodes {
				if !slices.Contains(nodes, node) {
					t.Fatalf("there is no node %s: %+v", node, p)
				}
			}
		}
	})
}

func nodeNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("n%d", i+1))
	}
	return names
}
