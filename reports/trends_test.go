package reports

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"squall/history/check"
	"squall/history/ledger"
	"squall/reports/browsertest"
)

// saveNights writes n campaigns of one file, each with forty cells; throughput falls by a
// hundred a night, and from the third night on one of two planted bugs is found.
func saveNights(t testing.TB, n int) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "nightly")
	for night := range n {
		began := time.Date(2026, 11, 1+night, 2, 0, 0, 0, time.UTC)
		c := &ledger.Campaign{SchemaVersion: ledger.SchemaVersion, Squall: "0.5.0", Name: "nightly", File: "campaign.yaml", Digest: "same",
			Label: fmt.Sprintf("c0ffee%d", night), Began: began, Ended: began.Add(time.Hour)}
		if night == n-1 {
			c.Digest, c.Label = "other", ""
		}
		for i := range 40 {
			a := ledger.Attempt{Dir: fmt.Sprintf("cells/s%d/run", i), Verdict: check.Pass, Began: began, Ended: began.Add(time.Minute),
				Figures: map[string]float64{"throughput": 2000 - 100*float64(night) + float64(i), "latency p(99)": 20 + float64(i%7)}}
			cell := ledger.Cell{ID: fmt.Sprintf("s%d", i), Nodes: 3, Seed: uint64(i), Repeat: 1, State: ledger.Done}
			if i < 2 {
				cell.Mutant = "local-reads"
				if i == 0 && night >= 2 {
					a.Verdict = check.Violation
				}
			}
			cell.Attempts = []ledger.Attempt{a}
			c.Cells = append(c.Cells, cell)
		}
		dir := filepath.Join(folder, began.Format("20060102T150405Z"))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := ledger.Write(dir, c); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestTrends(t *testing.T) {
	folder := saveNights(t, 5)
	for _, odd := range []string{"20261130T000000Z", "not-a-campaign"} {
		if err := os.MkdirAll(filepath.Join(folder, odd), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "20261130T000000Z", ledger.FileName), []byte("nonsense"), 0o644); err != nil {
		t.Fatal(err)
	}
	read, err := readTrends(t.Context(), folder)
	if err != nil || len(read.campaigns) != 5 || len(read.unread) != 1 {
		t.Fatalf("%d campaigns, unread %v, %v", len(read.campaigns), read.unread, err)
	}
	p := newTrendsPage(read)
	if len(p.Rows) != 5 || p.Rows[0].Label != "" || p.Rows[0].Changed == "" || p.Rows[1].Label != "c0ffee3" || p.Rows[1].Changed != "" ||
		p.Rows[0].Found != "1 of 2" || p.Rows[4].Found != "0 of 2" || p.Rows[0].Outcome != "violation" || p.Rows[4].Outcome != "pass" ||
		p.Rows[1].Link != "./20261104T020000Z/index.html" {
		t.Errorf("%+v", p.Rows)
	}
	charts := map[string]trendChart{}
	for _, c := range p.Charts {
		charts[c.Name] = c
	}
	falls := charts["throughput"].Points
	if len(charts) != 3 || len(falls) != 5 || !(falls[0].Y < falls[4].Y) || !strings.HasPrefix(falls[0].Title, "c0ffee0: 2,0") || falls[4].Under != "5 Nov" {
		t.Errorf("%d charts; throughput: %+v", len(charts), falls)
	}
	if found := charts["planted bugs found"].Points; len(found) != 5 || !strings.Contains(found[4].Title, "5 Nov: 50%") || !strings.Contains(found[0].Title, ": 0%") {
		t.Errorf("bugs found: %+v", found)
	}
}

// One campaign has no trend, and an old one goes when there are many.
func TestTrendsAreBounded(t *testing.T) {
	if file, err := WriteTrends(t.Context(), saveNights(t, 1)); file != "" || err != nil {
		t.Errorf("of one: %q, %v", file, err)
	}
	read, err := readTrends(t.Context(), saveNights(t, mostTrend+3))
	if err != nil || len(read.campaigns) != mostTrend || read.skipped != 3 || read.campaigns[0].record.Label != "c0ffee3" {
		t.Errorf("%d campaigns, %d skipped, %v", len(read.campaigns), read.skipped, err)
	}
	if _, err := WriteTrends(t.Context(), filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("no error where there is no folder")
	}
}

func TestTrendsInABrowser(t *testing.T) {
	file, err := WriteTrends(t.Context(), saveNights(t, 20))
	if err != nil {
		t.Fatal(err)
	}
	page := browsertest.Open(t, 1200, 900)
	page.GotoFile(file)
	page.Screenshot("trends")
	if n := browsertest.Eval[int](page, `document.querySelectorAll(".trend circle").length`); n != 60 {
		t.Errorf("%d points of three figures", n)
	}
	if wide := browsertest.Eval[bool](page, `document.documentElement.scrollWidth > innerWidth`); wide {
		t.Error("the page is wider than the window")
	}
	if troubles := page.Troubles(); len(troubles) > 0 {
		t.Errorf("%q", troubles)
	}
}
