package reports

import (
	"fmt"
	"strings"
	"testing"

	"squall/history/check"
	"squall/history/ledger"
)

// One bug in many cells is one failure, whatever the keys and times that showed it.
func TestOneBugInManyCellsIsOneFailure(t *testing.T) {
	c := &storms{record: &ledger.Campaign{}}
	add := func(outcome string, n int, found check.Result, reason string) {
		for i := range n {
			id := fmt.Sprintf("%s_s%d", outcome, len(c.cells)+1)
			cell := stormCell{Cell: &ledger.Cell{ID: id, Command: "squall run --seed " + id, State: ledger.Done}, Outcome: outcome, Report: "./" + id,
				Reason: strings.ReplaceAll(reason, "N", fmt.Sprint(i+1))}
			found.Verdict, found.Summary = check.Verdict(outcome), fmt.Sprintf("key r%d is not linearizable", i)
			cell.results = &check.Results{Checks: []check.Result{{Name: "durability", Verdict: check.Pass}, found}}
			c.cells = append(c.cells, cell)
		}
	}
	add("violation", 3, check.Result{Name: "durability", Kind: check.KindLostWrite}, "durability: write N is lost")
	add("invalid", 2, check.Result{Name: "activity"}, "the engine did not answer within Ns")
	add("violation", 37, check.Result{Name: "linearizable", Kind: check.KindStaleRead}, "linearizable: a stale read on key rN")
	add("violation", 1, check.Result{Name: "append", Anomaly: "G1a"}, "append: an aborted read")
	add("violation", 1, check.Result{Name: "conformance", Rules: []string{"vote-twice"}}, "conformance: N")
	add("pass", 5, check.Result{Name: "linearizable"}, "")
	groups, more := failureGroups(c)
	var got []string
	for _, g := range groups {
		got = append(got, fmt.Sprintf("%s | %s | %d+%d | %s", g.Word, g.What, len(g.Cells), g.More, strings.Join(g.Why, " | ")))
	}
	want := []string{
		"violation | linearizable: stale read | 12+25 | linearizable: a stale read on key r1",
		"violation | durability: lost write | 3+0 | durability: write 1 is lost",
		"violation | append: G1a | 1+0 | append: an aborted read",
		"violation | conformance: vote-twice | 1+0 | conformance: 1",
		"invalid | the engine did not answer within 1s | 2+0 | ",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || more != 0 {
		t.Errorf("%d more and\n%s\nwant\n%s", more, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if g := groups[0]; g.First() != "the first" || g.Command != "squall run --seed violation_s6" || g.Cells[0].Report != "./violation_s6" {
		t.Errorf("%+v", g)
	}
}

// There are no more failures than a page has room for, and what is left out is counted.
func TestFailuresAreBounded(t *testing.T) {
	c := &storms{record: &ledger.Campaign{}}
	for i := range 3 * mostFailures {
		word := string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		c.cells = append(c.cells, stormCell{Cell: &ledger.Cell{ID: word, State: ledger.Done}, Outcome: "unknown", Reason: word})
	}
	if groups, more := failureGroups(c); len(groups) != mostFailures || more != 2*mostFailures {
		t.Errorf("%d failures, and %d more", len(groups), more)
	}
}
