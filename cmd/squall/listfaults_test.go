package main

import (
	"slices"
	"strings"
	"testing"

	"squall/nemesis"
)

// TestTargetsOfASystem: a target that nobody can find in a system is not among those
// that a fault hits there, and the reason is told.
func TestTargetsOfASystem(t *testing.T) {
	all := describeFaults()
	i := slices.IndexFunc(all, func(f faultListing) bool { return f.Name == "kill" })
	all[i].ask(func(need nemesis.Need) string {
		if need == nemesis.NeedLeader {
			return "nobody can say who leads"
		}
		return ""
	})
	if got := variantNames(all[i].Variants); got != "one, minority, majority, all, candidate, moment, or nodes: n1+n2" {
		t.Errorf("kill hits %s", got)
	}
	if !*all[i].Possible {
		t.Errorf("kill is not available: %s", all[i].Why)
	}
	for _, v := range all[i].Variants {
		if knows := !strings.Contains(v.Name, "leader") && v.Name != "follower"; (v.Missing == "") != knows {
			t.Errorf("%s: %q", v.Name, v.Missing)
		}
	}
}
