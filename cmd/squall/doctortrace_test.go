package main

import (
	"strings"
	"testing"

	"squall/history"
)

// TestDoctorTellsOfTheFullTrace: what came of version 2, what it lacks, and which rules
// are off for that.
func TestDoctorTellsOfTheFullTrace(t *testing.T) {
	start := "@0.1 n1 start members=n1 lacks=persist,numbers\n"
	elected := "@0.2 n1 grant term=1 peer=n1\n@0.2 n1 role candidate term=1\n@0.3 n1 tally term=1 peer=n1\n@0.3 n1 role leader term=1 peer=n1\n"
	for _, test := range []struct {
		name, steps string
		ok          bool
		says        []string
	}{
		{"lacking", start + elected, true, []string{"version 2: 5 steps, lacking persist, numbers; ", "off, as the trace lacks persist: own-vote-durable, vote-durable"}},
		{"none", "@0.1 n1 silent reason=\"its server wrote no full trace\"\n", true, []string{"none: with --trace full, conformance is unknown"}},
		{"damaged", start + elected + "@0.4 n1 silent reason=\"a frame of more than 65536 bytes\"\n", false, []string{"version 2: a frame of more than"}},
		{"wrong", start + strings.Replace(elected, "@0.3 n1 tally term=1 peer=n1\n", "", 1), false, []string{"it breaks leader-quorum: n1 becomes leader of term 1 with no vote"}},
	} {
		dir := t.TempDir()
		writeTrace(t, dir, "n1", test.steps, 1)
		n := fullTrace(dir)
		if n.OK != test.ok || !n.OK && n.Fix == "" {
			t.Errorf("%s: %+v", test.name, n)
		}
		for _, want := range test.says {
			if !strings.Contains(n.Found, want) {
				t.Errorf("%s: it does not say %q: %s", test.name, want, n.Found)
			}
		}
	}
}

// TestDoctorTellsOfTheTrace: of version 1 as well.
func TestDoctorTellsOfTheTrace(t *testing.T) {
	event := func(kind string) history.NodeEvent {
		return history.NodeEvent{Node: "n1", Kind: kind, Reason: "not a line of JSON"}
	}
	for _, test := range []struct {
		kinds []string
		ok    bool
		says  string
	}{
		{[]string{"role", "vote", "commit", "state"}, true, "it tells of role, vote, commit, state"},
		{[]string{"role", "commit"}, true, "not of vote, state, so the checks that need it are unknown"},
		{[]string{"start"}, false, "no event came"},
		{[]string{"role", "silent"}, false, "not a line of JSON"},
	} {
		h := &history.History{}
		for _, kind := range test.kinds {
			h.Nodes = append(h.Nodes, event(kind))
		}
		if n := basicTrace(h); n.OK != test.ok || !strings.Contains(n.Found, test.says) {
			t.Errorf("%v: %+v", test.kinds, n)
		}
	}
}
