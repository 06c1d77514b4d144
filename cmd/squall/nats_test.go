package main

import (
	"slices"
	"testing"

	"squall/history/check"
	"squall/internal/machinetest"
	"squall/orchestrator/testplan"
)

// TestNATS: JetStream keeps what it acknowledged when its servers are killed and stand
// still, and a node that is cut off answers direct reads from an old copy, which must be
// found: no other node needs it for a quorum, and if it leads, the others elect another
// within 9 s. Copies may be old at the end still, when what was acknowledged is looked for.
func TestNATS(t *testing.T) {
	machinetest.NeedWhole(t, "it builds nats-server and its client, which takes minutes, once")
	for name, how := range map[string]struct {
		settings []string
		code     int
		finds    []string // checks that may find a violation, the first of which must
	}{
		"a stream keeps what it acknowledged": {
			settings: []string{"--system", "nats(version=2.12.1)", "--workload", "set", "--time", "30s", "--schedule", "at 2s for 2s: kill(n1); at 3s for 2s: pause(n2); at 7s for 1s: kill(all)"},
			code:     exitPass},
		"direct reads are stale": {
			settings: []string{"--system", "nats(version=2.12.1, reads=direct)", "--workload", "register", "--time", "17s", "--schedule", "at 2s for 14s: partition(one)"},
			code:     exitViolation, finds: []string{"linearizable", "durability"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStorm(t, testplan.RuntimeLocal)
			if code := s.run(append([]string{"run", "--nodes", "3", "--clients", "6", "--seed", "3"}, how.settings...)...); code != how.code {
				t.Fatalf("exit code %d, want %d", code, how.code)
			}
			s.nothingLeft(t)
			var found []string
			for _, c := range s.results(t).Checks {
				if c.Verdict != check.Violation {
					continue
				}
				found = append(found, c.Name)
				if !slices.Contains(how.finds, c.Name) {
					t.Errorf("%s finds a violation: %s", c.Name, c.Told())
				}
			}
			if len(how.finds) > 0 && !slices.Contains(found, how.finds[0]) {
				t.Errorf("found by %v, and not by %s", found, how.finds[0])
			}
		})
	}
}
