package reports

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
)

func TestCapital(t *testing.T) {
	for text, want := range map[string]string{"stale read": "Stale read", "": "", "éa": "Éa", "\xff": "\xff", "A": "A"} {
		if got := capital(text); got != want {
			t.Errorf("capital(%q) = %q", text, got)
		}
	}
}

// A violation's kind is a sentence of its own.
func TestKindBeginsASentence(t *testing.T) {
	res := &check.Results{Checks: []check.Result{{Name: "linearizable", Verdict: check.Violation, Kind: check.KindStaleRead,
		Explanation: "x", Picture: "p.html"}}}
	found := findingsOf(&run{results: res}, &figures{})
	if len(found) != 1 || found[0].Kind != "Stale read" {
		t.Errorf("%+v", found)
	}
}

// One loss has no median: its figure stands alone, on its card and over the chart.
func TestSpreadOfOneSample(t *testing.T) {
	e := measure.Elections{Count: 2, Losses: make([]measure.Loss, 1), NoLeaderMedian: 120, NoLeaderMax: 120, UnavailableMedian: 250, UnavailableMax: 250}
	if text := electionsSubtitle(e); !strings.Contains(text, "next leader: 120 ms.") || !strings.HasSuffix(text, "success: 250 ms") {
		t.Error(text)
	}
	cards := cardsOf(&check.Results{Elections: e}, &figures{})
	if c := cards[len(cards)-2]; c.Value != "120 ms" || c.Detail != "at the one loss" {
		t.Errorf("%+v", c)
	}
	e.Losses, e.NoLeaderMax = make([]measure.Loss, 2), 180
	if text := electionsSubtitle(e); !strings.Contains(text, "next leader: median 120 ms, longest 180 ms.") {
		t.Error(text)
	}
	cards = cardsOf(&check.Results{Elections: e}, &figures{})
	if c := cards[len(cards)-2]; c.Value != "120 ms" || c.Detail != "median; longest 180 ms" {
		t.Errorf("%+v", c)
	}
}

// Without a trace nothing is said of leaders that could be taken for a figure.
func TestFiguresWithoutATrace(t *testing.T) {
	res := &check.Results{Elections: measure.Summarize(&history.History{}).Elections}
	if text := electionsSubtitle(res.Elections); text != "no trace: who led is not known" {
		t.Error(text)
	}
	cards := cardsOf(res, &figures{})
	if c := cards[len(cards)-1]; c.Title != "Leaders lost" || c.Value != "–" || c.Detail != "no trace: who led is not known" {
		t.Errorf("%+v", c)
	}
	if text := runMarkdown("d", "n", "c", res, nil); !strings.Contains(text, "no trace of leaders") || strings.Contains(text, "lost") {
		t.Error(text)
	}
}

// A fault that lapsed says so in its row, and why.
func TestRowOfALapsedFault(t *testing.T) {
	in := &history.History{Faults: []history.Fault{{ID: 1, Name: "flapping", Phase: history.Inject, Begin: 1e9, End: 2e9},
		{ID: 1, Name: "flapping", Phase: history.Heal, Begin: 3e9, End: 4e9, Lapsed: "n1→n2 still carries packets"}}}
	rows := faultRows(measure.Summarize(in).Faults)
	if len(rows) != 1 || rows[0].Lapsed != "n1→n2 still carries packets" || !rows[0].Verified {
		t.Fatalf("%+v", rows)
	}
	var text strings.Builder
	if err := renderReport(&text, page{Faults: rows}); err != nil {
		t.Fatal(err)
	}
	if want := "stopped taking effect before its end: n1→n2 still carries packets"; !strings.Contains(text.String(), want) {
		t.Errorf("the page has no %q", want)
	}
}

// A fault that waited for a moment says by how much it missed it.
func TestRowOfAnAimedFault(t *testing.T) {
	for want, aim := range map[string]*history.Aim{
		"2.1 ms after vote-granted of n3":                {Moment: "vote-granted", Node: "n3", Peer: "n1", Term: 4, Time: 1e9 - 2.1e6},
		"22.1 ms after vote-granted of n3 (aimed at 20)": {Moment: "vote-granted", Node: "n3", Time: 1e9 - 22.1e6, After: 20e6},
		"vote-granted was not seen":                      {Moment: "vote-granted"},
	} {
		in := &history.History{Faults: []history.Fault{{ID: 1, Name: "kill", Phase: history.Inject, Begin: 1e9, End: 2e9, Aim: aim}}}
		faults := measure.Summarize(in).Faults
		var text strings.Builder
		if err := renderReport(&text, page{Faults: faultRows(faults)}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), ">"+want+"<") {
			t.Errorf("the page has no %q", want)
		}
		if a := faults[0].Aim; a.Missed != (aim.Time == 0) || !a.Missed && a.LateNs != 2.1e6 {
			t.Errorf("%+v", a)
		}
	}
}

// Operations over several keys name them in their data alone.
func TestCardsWithoutKeys(t *testing.T) {
	res := &check.Results{}
	res.Ops.Total, res.Ops.OK = 7, 7
	for keys, want := range map[int64]string{0: "100 % of 7 operations", 1: "100 % of 7 operations on 1 key", 2: "100 % of 7 operations on 2 keys"} {
		res.Ops.Keys = keys
		if got := cardsOf(res, &figures{})[0].Detail; got != want {
			t.Errorf("%d keys: %q, want %q", keys, got, want)
		}
	}
}

// A share that is neither nothing nor all is never written as if it were.
func TestShares(t *testing.T) {
	for _, tt := range []struct {
		part, whole int64
		want        string
	}{{0, 7, "0 %"}, {7, 7, "100 %"}, {1, 3, "33.3 %"}, {1, 100_000, "< 0.1 %"}, {99_999, 100_000, "> 99.9 %"}} {
		if got := shareText(tt.part, tt.whole); got != tt.want {
			t.Errorf("%d of %d: %q, want %q", tt.part, tt.whole, got, tt.want)
		}
	}
}

// The picture of the violation that the first sentence tells of stands right under it,
// and its reason is not said twice; checks that passed are in one line.
func TestAViolationLeads(t *testing.T) {
	res := &check.Results{Verdict: check.Violation, Reasons: []string{"linearizable: x", "the disk was full"}, Checks: []check.Result{
		{Name: "recovery", Verdict: check.Pass, Summary: "all is well"},
		{Name: "term-monotonic", Verdict: check.Violation, Summary: "y", Witness: []check.WitnessOp{{Node: "n1", Outcome: "ok"}}},
		{Name: "linearizable", Verdict: check.Violation, Kind: check.KindStaleRead, Summary: "x", Explanation: "n1 answered 3.",
			Witness: []check.WitnessOp{{Node: "n2", Outcome: "ok"}}}}}
	var text strings.Builder
	p := newPage(&run{results: res, history: &history.History{}}, &figures{})
	if err := renderReport(&text, p); err != nil {
		t.Fatal(err)
	}
	html := text.String()
	if p.Lead == nil || p.Lead.Name != "linearizable" || len(p.Reasons) != 1 || p.Reasons[0] != "the disk was full" {
		t.Errorf("it leads with %+v, and gives as reasons %q", p.Lead, p.Reasons)
	}
	sentence, picture, facts := strings.Index(html, "n1 answered 3."), strings.Index(html, "<figure"), strings.Index(html, `class="about"`)
	if sentence < 0 || picture < sentence || facts < picture || strings.Count(html, "n1 answered 3.") != 1 || strings.Count(html, "<figure tabindex") != 2 {
		t.Errorf("the sentence is at %d, the picture at %d, the facts at %d", sentence, picture, facts)
	}
	if !strings.Contains(html, `1 passed</span> recovery</summary>`) {
		t.Error("what passed is not in one line")
	}
}

// The page names documents that are there, and explains the names of the checks.
func TestTheReportNamesDocuments(t *testing.T) {
	named := regexp.MustCompile(`docs/[a-z/-]+\.md`).FindAllString(asset("report.html.tmpl"), -1)
	if len(named) < 8 {
		t.Errorf("it names %q", named)
	}
	for _, name := range named {
		if _, err := os.Stat("../" + name); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile("../docs/verdicts.md")
	if err != nil {
		t.Fatal(err)
	}
	for word := range glossary() {
		if strings.ToLower(word) == word && !strings.Contains(string(text), "`"+word+"`") {
			t.Errorf("docs/verdicts.md has no check %q", word)
		}
	}
	var page strings.Builder
	if err := renderReport(&page, newPage(&run{results: &check.Results{Checks: []check.Result{{Name: "vote-safety", Verdict: check.Pass}}}, history: &history.History{}}, &figures{})); err != nil {
		t.Fatal(err)
	}
	if want := `<abbr title="No node votes for two candidates in one term.">vote-safety</abbr>`; !strings.Contains(page.String(), want) {
		t.Errorf("the page has no %s", want)
	}
}
