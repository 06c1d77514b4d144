package reports

import (
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
	res.Ops.Total = 7
	for keys, want := range map[int64]string{0: "of 7 operations", 1: "of 7 operations on 1 key", 2: "of 7 operations on 2 keys"} {
		res.Ops.Keys = keys
		if got := cardsOf(res, &figures{})[0].Detail; got != want {
			t.Errorf("%d keys: %q, want %q", keys, got, want)
		}
	}
}
