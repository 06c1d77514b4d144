package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"squall/history/check"
	"squall/history/trace"
	"squall/internal/machinetest"
	"squall/orchestrator/testplan"
)

// TestADamagedTraceDecidesNothing: of a run whose steps were recorded, and whose trace of
// one node was damaged since, conformance is unknown and says whose. It was never seen to
// pass in a trace that nobody can read, and a correct node is accused of nothing.
func TestADamagedTraceDecidesNothing(t *testing.T) {
	machinetest.NeedWhole(t, "it judges a run again and again; the tests of the check damage scripted traces")
	s := newStorm(t, testplan.RuntimeLocal)
	if code := s.run("run", "--trace", "full", "--nemesis", "partition(leader)", "--time", "8s", "--nodes", "3", "--seed", "3"); code != exitPass {
		t.Fatalf("exit code %d", code)
	}
	if got := conformanceOf(t, s); got.Verdict != check.Pass {
		t.Fatalf("before any damage: %s, %s", got.Verdict, got.Summary)
	}
	file := filepath.Join(s.dir(t), trace.Dir, trace.FileName("n2"))
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damages := map[string][]byte{
		"cut in the middle":  whole[:len(whole)/2],
		"cut near the end":   whole[:len(whole)-7],
		"a byte is another":  changed(whole, len(whole)/2),
		"empty":              {},
		"nothing of a trace": []byte(strings.Repeat("no trace\n", 1000)),
	}
	for name, data := range damages {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			s.accusesNobody(t)
		})
	}
	t.Run("gone", func(t *testing.T) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		s.accusesNobody(t)
	})
}

// changed is a copy of data with another byte at a place.
func changed(data []byte, at int) []byte {
	other := slices.Clone(data)
	other[at] ^= 0x55
	return other
}

// accusesNobody checks the newest run, whose trace of n2 is damaged.
func (s *storm) accusesNobody(t *testing.T) {
	t.Helper()
	code := s.run("check")
	got := conformanceOf(t, s)
	if code != exitUnknown || got.Verdict != check.Unknown || !strings.Contains(got.Summary, "n2") {
		t.Errorf("exit code %d; conformance is %s: %s", code, got.Verdict, got.Summary)
	}
}

// conformanceOf is what the check of the steps says of the newest run.
func conformanceOf(t *testing.T, s *storm) check.Result {
	t.Helper()
	checks := s.results(t).Checks
	i := slices.IndexFunc(checks, func(r check.Result) bool { return r.Name == "conformance" })
	if i < 0 {
		t.Fatal("conformance was not asked")
	}
	return checks[i]
}
