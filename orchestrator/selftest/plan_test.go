package selftest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"

	"squall/history/check"
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
	if n := len(options.correct()); n < 2 || storms[""] != 2*n {
		t.Errorf("the correct node is stormed %d times; there are %d kinds of tests", storms[""], n)
	}
	// Whoever stops early has seen every bug once, and the correct node first.
	if plan.Cells[0].Mutant != "" || plan.Cells[len(plan.Cells)/2-1].Seed != 1 {
		t.Error("the correct node does not come first, or seeds do not take turns")
	}
}

func TestStormsWithALimitedLoadShareCores(t *testing.T) {
	for _, c := range []struct {
		options Options
		cores   int
		want    int
	}{
		{Options{Rate: 400}, 2, 3},
		{Options{Rate: 400}, 1, 1},
		{Options{Rate: 400, Jobs: 7}, 2, 7},
		{Options{}, 8, 0},             // as many operations as are answered
		{Options{Rate: 50_000}, 8, 0}, // no less
	} {
		if got := c.options.AtOnce(c.cores); got != c.want {
			t.Errorf("%+v on %d cores: %d at once, not %d", c.options, c.cores, got, c.want)
		}
	}
}

func TestABugIsStormedWithItsSettings(t *testing.T) {
	options := Options{Seeds: 1, Profile: "ci", Runtime: "local", Mutants: []mutants.Mutant{
		{Name: "a"}, {Name: "b", Settings: map[string]string{"nodes": "4"}}, {Name: "c", Settings: map[string]string{"workload": "lock"}}, {Name: "d"},
	}}
	text, err := options.File()
	if err != nil {
		t.Fatal(err)
	}
	var got file
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := []settings{
		{"workload": "register"}, {"workload": "register", "nodes": "4"}, {"workload": "lock"},
		{"workload": "register", "mutant": "a"}, {"workload": "register", "nodes": "4", "mutant": "b"},
		{"workload": "lock", "mutant": "c"}, {"workload": "register", "mutant": "d"},
	}
	if !slices.EqualFunc(got.Include, want, maps.Equal[settings, settings]) {
		t.Errorf("the cells are %v", got.Include)
	}
	if got.Test.Profile != "ci" || got.Test.Nemesis != "" || got.Test.Time != "" {
		t.Errorf("the profile does not say it all: %+v", got.Test)
	}
}

// What must find a bug is a check that there is.
func TestBugsNameChecksThatThereAre(t *testing.T) {
	all, err := mutants.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if _, known := check.EvidenceOf(m.CaughtBy); m.CaughtBy != "" && !known {
			t.Errorf("%s is caught by %q, and there is no such check", m.Name, m.CaughtBy)
		}
	}
}
