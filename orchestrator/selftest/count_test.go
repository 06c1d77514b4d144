package selftest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"squall/history/check"
	"squall/history/conformance"
	"squall/history/ledger"
	"squall/nodeimage/mutants"
)

// storm is a cell that was run, with its results.
type storm struct {
	mutant string
	seed   uint64
	checks []check.Result // nil: it passed
	state  ledger.State
	as     check.Verdict // "": as the checks say
}

func at(s float64) *float64 { return &s }

// broken is a check that found something; at below zero knows no moment.
func broken(name string, seconds float64) check.Result {
	r := check.Result{Name: name, Verdict: check.Violation}
	if seconds >= 0 {
		r.FirstAt = at(seconds)
	}
	return r
}

// record is a campaign of storms, with results in dir.
func record(t *testing.T, storms []storm) (*ledger.Campaign, string) {
	t.Helper()
	dir := t.TempDir()
	began := time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC)
	c := &ledger.Campaign{Squall: "1.2.3", Command: "squall selftest", Began: began}
	for _, s := range storms {
		cell := ledger.Cell{ID: s.mutant, Mutant: s.mutant, Seed: s.seed, State: ledger.Done}
		if s.state != "" {
			cell.State = s.state
			c.Cells = append(c.Cells, cell)
			continue
		}
		res := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: check.Pass, Checks: append([]check.Result{{Name: "activity", Verdict: check.Pass}}, s.checks...)}
		if len(s.checks) > 0 {
			res.Verdict = check.Violation
		}
		if s.as != "" {
			res.Verdict = s.as
		}
		name := strings.ReplaceAll(t.Name(), "/", "-") + s.mutant + string(rune('a'+len(c.Cells)))
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := check.WriteResults(filepath.Join(dir, name), res); err != nil {
			t.Fatal(err)
		}
		cell.Attempts = []ledger.Attempt{{Dir: name, Verdict: res.Verdict, Began: began, Ended: began.Add(40 * time.Second)}}
		c.Cells = append(c.Cells, cell)
	}
	return c, dir
}

// known are the bugs of the tests here.
func known() []mutants.Mutant {
	return []mutants.Mutant{
		{Name: "local-reads", Group: "reads", SeenBy: []string{"client"}},
		{Name: "lost-vote", Group: "election"},
		{Name: "never-run", Group: "election"},
	}
}

// counted is the table of some storms.
func counted(t *testing.T, storms []storm) *Table {
	t.Helper()
	c, dir := record(t, storms)
	table, err := Count(c, dir, known())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func example(t *testing.T) *Table {
	return counted(t, []storm{
		{seed: 1},
		{seed: 2},
		{mutant: "local-reads", seed: 1, checks: []check.Result{broken("linearizable", 3), broken("conformance", 2)}},
		{mutant: "local-reads", seed: 2, checks: []check.Result{broken("linearizable", 7)}},
		{mutant: "local-reads", seed: 3},
		{mutant: "lost-vote", seed: 1, checks: []check.Result{broken("no-crash", 12), broken("vote-safety", -1)}},
		{mutant: "lost-vote", seed: 2, as: check.Invalid},
		{mutant: "never-run", seed: 1, state: ledger.Waiting},
	})
}

func TestWhiteAndBlackBoxAreCountedApart(t *testing.T) {
	table := example(t)
	bugs := map[string]Bug{}
	for _, b := range table.Bugs {
		bugs[b.Name] = b
	}
	local := bugs["local-reads"]
	if local.Storms != 3 || local.White != (Found{2, 4.5}) || local.Black != (Found{2, 5}) {
		t.Errorf("local-reads: %+v", local)
	}
	if len(local.Checks) != 2 || local.Checks[0].Check != "linearizable" || local.Checks[0].Found != (Found{2, 5}) {
		t.Errorf("local-reads was found by %+v", local.Checks)
	}
	// A check that knows no moment found it when the storm had ended, after 40 s; the
	// server that stopped itself is nothing that a client sees.
	lost := bugs["lost-vote"]
	if lost.Storms != 1 || lost.Invalid != 1 || lost.White != (Found{1, 12}) || lost.Black != (Found{}) || lost.Checks[1].Median != 40 {
		t.Errorf("lost-vote: %+v", lost)
	}
	if never := bugs["never-run"]; never.Storms != 0 {
		t.Errorf("never-run: %+v", never)
	}
	if table.Storms != 6 || table.Planned != 8 || table.Correct.Storms != 2 || table.Correct.White.Storms != 0 {
		t.Errorf("%+v", table)
	}
	if s := table.Summarize(White); s != (Summary{Stormed: 2, Found: 2, Always: 1, Median: 8.25}) {
		t.Errorf("white box: %+v", s)
	}
	if s := table.Summarize(Black); s != (Summary{Stormed: 2, Found: 1, Median: 5}) {
		t.Errorf("black box: %+v", s)
	}
}

func TestTheRulesThatABugBreaksAreCounted(t *testing.T) {
	breaking := func(names ...string) []check.Result {
		r := broken(conformanceCheck, 1)
		r.Rules = names
		return []check.Result{r}
	}
	table := counted(t, []storm{
		{seed: 1},
		{mutant: "lost-vote", seed: 1, checks: breaking("vote-durable", "vote-once")},
		{mutant: "lost-vote", seed: 2, checks: breaking("vote-once")},
		{mutant: "lost-vote", seed: 3, checks: breaking("vote-once", "leader-quorum")},
	})
	rules := table.Bugs[0].Checks[0].Rules
	want := []Rule{{"vote-once", 3, 2}, {"vote-durable", 1, 1}, {"leader-quorum", 1, 0}}
	if !slices.Equal(rules, want) {
		t.Errorf("broken: %v, not %v", rules, want)
	}
	if page := table.Markdown(); !strings.Contains(page, "`conformance` 3 (vote-once, vote-durable) |") {
		t.Errorf("the rules that were broken first are not in\n%s", page)
	}
	if n := len(table.Unbroken); n != len(conformance.Rules())-3 || slices.Contains(table.Unbroken, "vote-once") {
		t.Errorf("%d rules unbroken: %v", n, table.Unbroken)
	}
}

func TestGroupsComeInTheirOrder(t *testing.T) {
	table := example(t)
	var names []string
	for _, b := range table.Bugs {
		names = append(names, b.Name)
	}
	if got := strings.Join(names, " "); got != "lost-vote never-run local-reads" {
		t.Errorf("the bugs come as %s", got)
	}
}

func TestAFalseAlarmIsLoud(t *testing.T) {
	quiet := example(t)
	if line := quiet.correctLine(); !strings.Contains(line, "nothing found in 2 storms") {
		t.Error(line)
	}
	loud := counted(t, []storm{{seed: 1, checks: []check.Result{broken("conformance", 1)}}, {seed: 2}})
	if line := loud.correctLine(); !strings.Contains(line, "FALSE ALARM in 1 of 2 storms") || !strings.Contains(line, "conformance") {
		t.Error(line)
	}
	none := counted(t, []storm{{mutant: "lost-vote", seed: 1}})
	if line := none.correctLine(); !strings.Contains(line, "not stormed") {
		t.Error(line)
	}
}

func TestTheTableFitsEightyColumns(t *testing.T) {
	var out strings.Builder
	table := example(t)
	table.Bugs[0].Name = "a-bug-whose-name-is-much-too-long-for-its-column"
	table.Bugs[0].White.Median = 123.456
	table.Print(&out)
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"2/3  4.5 s", "0/1", "–", "linearizable +1", "6 of 8"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestThePageHasWhatWasStormed(t *testing.T) {
	page := example(t).Markdown()
	for _, want := range []string{"squall 1.2.3, 2026-11-28", "| `local-reads` | reads | 2/3  4.5 s | 2/3  5 s | `linearizable` 2, `conformance` 1 |", "6 of 8 judged"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if strings.Contains(page, "never-run") {
		t.Errorf("a bug that was not stormed is in\n%s", page)
	}
}

func TestWhatWasLostAndGained(t *testing.T) {
	before := example(t)
	now := counted(t, []storm{
		{mutant: "local-reads", seed: 1},
		{mutant: "lost-vote", seed: 1, checks: []check.Result{broken("linearizable", 3)}},
		{mutant: "never-run", seed: 1, checks: []check.Result{broken("linearizable", 3)}},
	})
	got := strings.Join(now.Compare(before), "\n")
	want := "gained  lost-vote, black box: found in none of 1 storms before, in 1 of 1 now\n" +
		"lost    local-reads, white box: found in 2 of 3 storms before, in none of 1 now\n" +
		"lost    local-reads, black box: found in 2 of 3 storms before, in none of 1 now"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestResultsThatAreMissingAreAnError(t *testing.T) {
	c, dir := record(t, []storm{{mutant: "lost-vote", seed: 1, checks: []check.Result{broken("linearizable", 3)}}})
	if err := os.Remove(filepath.Join(dir, c.Cells[0].Attempts[0].Dir, "results.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Count(c, dir, known()); err == nil || !strings.Contains(err.Error(), "lost-vote") {
		t.Errorf("the error is %v", err)
	}
}
