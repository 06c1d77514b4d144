package faults

import (
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/nemesis"
)

func grudgeOf(t *testing.T, variant string, seed uint64) grudge {
	t.Helper()
	h := &nemesis.Hit{Cluster: newFake(5), Roles: nemesis.Roles{Leader: "n4", OldLeader: "n2"},
		Plan: nemesis.Planned{Fault: "partition", Variant: variant, Order: nodeNames(5), Seed: seed}}
	g, err := newGrudge(h)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// drops is whose packets a node drops.
func (g grudge) drops(node string) string {
	var from []string
	for link := range g.cut {
		if link.To == node {
			from = append(from, link.From)
		}
	}
	slices.Sort(from)
	return strings.Join(from, " ")
}

func TestGrudges(t *testing.T) {
	for _, tc := range []struct {
		variant string
		want    map[string]string // node: what it drops
	}{
		{"halves", map[string]string{"n1": "n3 n4 n5", "n2": "n3 n4 n5", "n3": "n1 n2", "n4": "n1 n2", "n5": "n1 n2"}},
		{"one", map[string]string{"n1": "n2 n3 n4 n5", "n2": "n1", "n3": "n1", "n4": "n1", "n5": "n1"}},
		{"leader", map[string]string{"n4": "n1 n2 n3 n5", "n1": "n4", "n2": "n4", "n3": "n4", "n5": "n4"}},
		{"old-leader", map[string]string{"n2": "n1 n3 n4 n5", "n1": "n2", "n3": "n2", "n4": "n2", "n5": "n2"}},
		{"minority-third", map[string]string{"n1": "n2 n3 n4 n5", "n2": "n1", "n5": "n1"}},
		{"ring", map[string]string{"n1": "n3 n4", "n2": "n4 n5", "n3": "n1 n5", "n4": "n1 n2", "n5": "n2 n3"}},
		{"overlapping", map[string]string{"n1": "n4 n5", "n2": "n4 n5", "n3": "", "n4": "n1 n2", "n5": "n1 n2"}},
		{"bridge", map[string]string{"n1": "", "n2": "n4 n5", "n3": "n4 n5", "n4": "n2 n3", "n5": "n2 n3"}},
		{"primaries", map[string]string{"n4": "n1 n2 n3 n5", "n2": "n1 n3 n4 n5", "n1": "n2 n4", "n3": "n2 n4", "n5": "n2 n4"}},
		{"one-way-in", map[string]string{"n1": "n2 n3 n4 n5", "n2": "", "n3": "", "n4": "", "n5": ""}},
		{"one-way-out", map[string]string{"n1": "", "n2": "n1", "n3": "n1", "n4": "n1", "n5": "n1"}},
	} {
		g := grudgeOf(t, tc.variant, 1)
		for node, want := range tc.want {
			if got := g.drops(node); got != want {
				t.Errorf("%s: %s drops %q, want %q", tc.variant, node, got, want)
			}
		}
	}
}

func TestRandomGrudgesDependOnTheSeed(t *testing.T) {
	a, b, c := grudgeOf(t, "random", 1), grudgeOf(t, "random", 1), grudgeOf(t, "random", 2)
	key := func(g grudge) string {
		var s []string
		for _, l := range nemesis.SortedLinks(g.cut) {
			s = append(s, nemesis.Arrow(l))
		}
		return strings.Join(s, " ")
	}
	if key(a) != key(b) || key(a) == key(c) || len(a.cut) == 0 {
		t.Errorf("seed 1: %s and %s; seed 2: %s", key(a), key(b), key(c))
	}
	ways := map[int]bool{}
	for seed := range uint64(20) {
		g := grudgeOf(t, "one-way", seed)
		deaf := g.cut[history.Link{From: "n2", To: "n1"}]
		ways[map[bool]int{true: 1, false: 0}[deaf]] = true
	}
	if len(ways) != 2 {
		t.Error("one-way is always the same way")
	}
}

// In a majorities ring each node hears a majority, and no two hear the same.
func TestRingGivesEveryNodeItsOwnMajority(t *testing.T) {
	for _, n := range []int{5, 7, 9} {
		order := nodeNames(n)
		g := ring(order)
		seen := map[string]bool{}
		for _, node := range order {
			dropped := strings.Fields(g.drops(node))
			var hears []string
			for _, other := range order {
				if !slices.Contains(dropped, other) {
					hears = append(hears, other)
				}
			}
			if len(hears) <= n/2 {
				t.Errorf("%d nodes: %s hears only %v", n, node, hears)
			}
			if key := strings.Join(hears, " "); seen[key] {
				t.Errorf("%d nodes: two nodes hear the same majority %s", n, key)
			} else {
				seen[key] = true
			}
		}
	}
}

// Two groups that overlap are majorities, for odd and for even numbers.
func TestOverlappingMajorities(t *testing.T) {
	for _, n := range []int{3, 4, 5, 6, 7} {
		g := overlapping(nodeNames(n))
		for _, end := range []string{"n1", nodeNames(n)[n-1]} {
			if hears := n - len(strings.Fields(g.drops(end))); hears != n/2+1 {
				t.Errorf("%d nodes: %s hears %d, not the smallest majority", n, end, hears)
			}
		}
	}
}

func TestWhoIsChosen(t *testing.T) {
	for _, tc := range []struct {
		variant string
		roles   nemesis.Roles
		want    string
		detail  string
	}{
		{"one", nemesis.Roles{}, "n1", "n1"},
		{"minority", nemesis.Roles{}, "n1 n2", "n1 n2"},
		{"majority", nemesis.Roles{}, "n1 n2 n3", "n1 n2 n3"},
		{"all", nemesis.Roles{}, "n1 n2 n3 n4 n5", "n1 n2 n3 n4 n5"},
		{"leader", nemesis.Roles{Leader: "n5"}, "n5", "n5"},
		{"leader", nemesis.Roles{}, "n1", "n1 (there was no leader: a node at random)"},
		{"follower", nemesis.Roles{Leader: "n1"}, "n2", "n2"},
		{"old-leader", nemesis.Roles{Leader: "n1", OldLeader: "n4"}, "n4", "n4"},
		{"candidate", nemesis.Roles{Candidate: "n3"}, "n3", "n3"},
		{"candidate", nemesis.Roles{}, "n1", "n1 (there was no candidate: a node at random)"},
	} {
		h := &nemesis.Hit{Roles: tc.roles, Plan: nemesis.Planned{Variant: tc.variant, Order: nodeNames(5)}}
		got, err := choose(h)
		if err != nil || strings.Join(got, " ") != tc.want || h.Detail != tc.detail {
			t.Errorf("%s with %+v: %v (%s), %v; want %s (%s)", tc.variant, tc.roles, got, h.Detail, err, tc.want, tc.detail)
		}
	}
}
