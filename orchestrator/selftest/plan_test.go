package selftest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/nodeimage/mutants"
	"squall/orchestrator/campaign"
)

func TestEveryBugIsStormedBesideTheCorrectNode(t *testing.T) {
	all, err := mutants.All()
	if err != nil {
		t.Fatal(err)
	}
	options := Default()
	options.Mutants, options.Seeds = all, 2
	text, err := options.File()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "selftest.yaml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := campaign.Read(path, campaign.Overrides{})
	if err != nil {
		t.Fatalf("the campaign file is refused: %v\n%s", err, text)
	}
	plan, err := campaign.NewPlan(file, "1", "squall", "squall selftest")
	if err != nil {
		t.Fatal(err)
	}
	storms := map[string]int{}
	for i := range plan.Cells {
		storms[plan.Cells[i].Mutant]++
	}
	for _, m := range all {
		if storms[m.Name] != 2 {
			t.Errorf("%s is stormed %d times, not with each seed", m.Name, storms[m.Name])
		}
	}
	if n := len(options.workloads()); storms[""] != 2*n {
		t.Errorf("the correct node is stormed %d times; there are %d workloads", storms[""], n)
	}
	// Whoever stops early has seen every bug once, and the correct node first.
	if plan.Cells[0].Mutant != "" || plan.Cells[len(plan.Cells)/2-1].Seed != 1 {
		t.Error("the correct node does not come first, or seeds do not take turns")
	}
}

func TestABugIsStormedWithTheWorkloadThatShowsIt(t *testing.T) {
	for want, m := range map[string]mutants.Mutant{
		"lock":     {CaughtBy: "lock"},
		"append":   {CaughtBy: "append"},
		"register": {CaughtBy: "linearizable"},
	} {
		if got := workloadFor(m); got != want {
			t.Errorf("caught by %s: %s", m.CaughtBy, got)
		}
	}
	if text, err := (&Options{Seeds: 1, Profile: "ci", Runtime: "local"}).File(); err != nil || strings.Contains(string(text), "nemesis") {
		t.Errorf("a profile leaves no nemesis: %v\n%s", err, text)
	}
}
