package reports

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"squall/history/check"
	"squall/history/ledger"
	"squall/reports/browsertest"
)

var documented = regexp.MustCompile("(?m)^\\| ([a-z]*) \\| `([a-z-]+)` \\| ([^|]*) \\|")

// someSituations makes up what a run reached: all that are documented, of which some
// were never reached, and those of members cannot be seen.
func someSituations(t testing.TB, seed uint64) *check.Situations {
	t.Helper()
	page, err := os.ReadFile("../docs/situations.md")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 3))
	s := &check.Situations{Full: true, Events: 1_800_000}
	group := ""
	for _, m := range documented.FindAllStringSubmatch(string(page), -1) {
		if m[1] != "" {
			group = m[1]
		}
		one := check.Situation{Name: m[2], Group: group, Text: m[3]}
		switch {
		case group == "membership":
			one.Hidden = "the trace lacks config"
		case rng.IntN(4) > 0:
			one.Count = 1 + int(rng.ExpFloat64()*40)
			one.First = &check.Place{At: int64(rng.IntN(30e9)), Event: 12, Nodes: []string{"n2", "n1"}}
			one.Last = one.First
			one.Under = []check.Under{{Fault: "partition", Role: check.HitLeader, Count: one.Count}, {Fault: "delay", Role: check.HitAll, Count: 1}}
			if one.Count > 20 {
				one.Under = append(one.Under, check.Under{Fault: "kill", Role: check.HitFollowers, Count: one.Count / 2},
					check.Under{Fault: "kill", Role: check.HitLeader, Count: one.Count / 3})
			}
		}
		s.List = append(s.List, one)
	}
	if len(s.List) != 40 {
		t.Fatalf("%d situations are documented", len(s.List))
	}
	pool := check.PoolSituations([]*check.Situations{s})
	s.Reached, s.Visible, s.Estimate = pool.Reached, pool.Visible, pool.Estimate
	return s
}

func TestSituationTable(t *testing.T) {
	s := someSituations(t, 1)
	s.Silent, s.Trouble = []string{"n3"}, "the check took more than 2m0s"
	table := newSituationTable(s)
	reached := 0
	for _, g := range table.Groups {
		reached += len(g.Rows)
	}
	if reached != s.Reached || len(table.Never) != s.Visible-s.Reached || len(table.Hidden) != 2 {
		t.Errorf("%d reached, %d never, %d hidden of %+v", reached, len(table.Never), len(table.Hidden), table.Words)
	}
	notes := strings.Join(table.Notes, "\n")
	for _, want := range []string{"Chao1", "The trace of n3 broke off", "not counted to its end: the check took more than 2m0s"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q: %s", want, notes)
		}
	}
	if newSituationTable(nil) != nil {
		t.Error("there is a table without a trace")
	}
	s.Full = false
	if notes := strings.Join(newSituationTable(s).Notes, "\n"); !strings.Contains(notes, "--trace full") {
		t.Errorf("a basic trace is not told of: %s", notes)
	}
}

func TestUnderText(t *testing.T) {
	list := []check.Under{{Fault: "kill", Role: "leader", Count: 1200}, {Fault: "delay", Role: "all nodes", Count: 3}, {Fault: "a", Count: 1}, {Fault: "b", Count: 1}}
	if got, want := underText(list[:2]), "kill 1,200× on leader, delay 3× on all nodes"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := underText(list); !strings.HasSuffix(got, ", 1 more") {
		t.Errorf("%q", got)
	}
	if got := underText(nil); got != "no fault" {
		t.Errorf("%q", got)
	}
}

func TestShortCount(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1k", 1260: "1.3k", 9949: "9.9k", 10_000: "10k", 999_999: "999k", 1_234_567: "1.2M"} {
		if got := shortCount(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

// TestSituationsInBrowser opens both pages with situations: nothing is too wide for the
// window but within its own box, and the folds open.
func TestSituationsInBrowser(t *testing.T) {
	in := newStorm(5, 30, 4, 40e6, true)
	dir := t.TempDir()
	res := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: check.Pass, Reasons: []string{}, Checks: []check.Result{{Name: "linearizable", Verdict: check.Pass}}, Situations: someSituations(t, 1)}
	saveRun(t, dir, in, res)
	if err := Write(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	page := browsertest.Open(t, 1200, 900)
	page.GotoFile(filepath.Join(dir, ReportFile))
	await(t, page, "'squall' in window")
	rows := browsertest.Eval[int](page, "document.querySelectorAll('.fold').forEach(d => d.open = true), document.querySelectorAll('.fold:not(.passed) tbody tr, .fold:not(.passed) li').length")
	if rows != 40 {
		t.Errorf("the report shows %d situations", rows)
	}
	browsertest.Eval[any](page, "document.getElementById('situations').scrollIntoView()")
	picture(t, page, "situations-report")
	quiet(t, page)

	campaign, record := saveCampaign(t)
	for i := range record.Cells {
		addSituations(t, campaign, &record.Cells[i], uint64(i))
	}
	if err := WriteCampaign(t.Context(), campaign); err != nil {
		t.Fatal(err)
	}
	page.GotoFile(filepath.Join(campaign, IndexFile))
	grids := browsertest.Eval[[]int](page, "document.querySelectorAll('#situations ~ details').forEach(d => d.open = true), [...document.querySelectorAll('.counts')].map(t => t.rows.length)")
	// The 38 that can be seen, and those that any cell reached.
	if fmt.Sprint(grids) != "[39 39]" {
		t.Errorf("the tables of the campaign have %v rows", grids)
	}
	browsertest.Eval[any](page, "document.getElementById('situations').scrollIntoView()")
	picture(t, page, "situations-campaign")
	browsertest.Eval[any](page, "document.querySelectorAll('.counts')[1].scrollIntoView()")
	picture(t, page, "situations-campaign-faults")
	if wide := browsertest.Eval[bool](page, "document.documentElement.scrollWidth > document.documentElement.clientWidth"); wide {
		t.Error("the page of the campaign is wider than the window")
	}
}

// addSituations gives a cell's results some.
func addSituations(t *testing.T, campaign string, cell *ledger.Cell, seed uint64) {
	t.Helper()
	if cell.State != ledger.Done {
		return
	}
	at := filepath.Join(campaign, filepath.FromSlash(cell.Last().Dir))
	r, err := check.ReadResults(at)
	if err != nil {
		t.Fatal(err)
	}
	r.Situations = someSituations(t, seed)
	if err := check.WriteResults(at, r); err != nil {
		t.Fatal(err)
	}
}
