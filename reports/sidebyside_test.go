package reports

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"squall/history/check"
	"squall/history/ledger"
	"squall/reports/browsertest"
)

// saveSystems makes the directory of a campaign over three systems: one with a trace, one
// whose logs tell who leads, and one of which that is not known.
func saveSystems(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	began := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	c := &ledger.Campaign{SchemaVersion: ledger.SchemaVersion, Squall: "0.6.0", Name: "systems", File: "systems.yaml", Command: "squall campaign systems.yaml", Began: began, Ended: began.Add(time.Hour), Jobs: 1}
	add := func(system, id, workload string, seed uint64, v check.Verdict, figures map[string]float64) {
		cell := ledger.Cell{ID: id, System: system, Nodes: 3, Workload: workload, Nemesis: "storm", Seed: seed, Repeat: 1, State: ledger.Done}
		cell.Attempts = []ledger.Attempt{{Dir: "cells/" + id + "/run", Verdict: v, Began: began, Ended: began.Add(time.Minute), Figures: figures}}
		c.Cells = append(c.Cells, cell)
	}
	add("raftkv", "raftkv_register_s1", "register", 1, check.Pass, map[string]float64{"throughput": 6000, "latency p(50)": 1.2, "latency p(99)": 8, "leaders-lost": 5, "election p(50)": 300, "no-success": 900})
	add("raftkv", "raftkv_register_s2", "register", 2, check.Pass, map[string]float64{"throughput": 7000, "latency p(50)": 1.4, "latency p(99)": 9, "leaders-lost": 7, "election p(50)": 310, "no-success": 1200})
	add("etcd(version=3.7.3)", "etcd_register_s1", "register", 1, check.Pass, map[string]float64{"throughput": 1500, "latency p(50)": 5, "latency p(99)": 40, "logged-leaders": 9, "no-success": 2400})
	add("etcd(version=3.7.3)", "etcd_register_s2", "register", 2, check.Invalid, map[string]float64{"throughput": 1})
	add("raftexample", "raftexample_register_s1", "register", 1, check.Violation, map[string]float64{"throughput": 3000, "latency p(50)": 2, "latency p(99)": 20, "no-success": 1500})
	add("etcd(version=3.7.3)", "etcd_watch_s1", "watch", 1, check.Pass, map[string]float64{"throughput": 1400, "latency p(50)": 6, "latency p(99)": 50, "no-success": 1000})
	for i := range c.Cells {
		saveCell(t, dir, &c.Cells[i])
	}
	if err := ledger.Write(dir, c); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSideBySide: each system has a column, each test its lines, and what is not known is
// said.
func TestSideBySide(t *testing.T) {
	c, err := readCampaign(t.Context(), saveSystems(t))
	if err != nil {
		t.Fatal(err)
	}
	s := newSideBySide(c)
	var lines []string
	for _, test := range s.Tests {
		lines = append(lines, test.Name)
		for _, line := range test.Lines {
			boxes := []string{line.Name}
			for _, b := range line.Boxes {
				text := ""
				for _, sq := range b.Squares {
					text += sq.Sign
				}
				boxes = append(boxes, strings.TrimSpace(text+b.Text+" "+b.Quiet))
			}
			lines = append(lines, strings.Join(boxes, " | "))
		}
	}
	want := []string{
		"register · 3 nodes · storm",
		"verdict | ✓✓ | ✓! | ✕",
		"throughput | 6,500/s 6,000/s to 7,000/s | 1,500/s | 3,000/s",
		"latency, median | 1.3 ms 1.2 ms to 1.4 ms | 5 ms | 2 ms",
		"latency, 99 % | 8.5 ms 8 ms to 9 ms | 40 ms | 20 ms",
		"leaders | 12 lost 305 ms to the next, median | 9 led from logs, not timed | not known: no trace",
		"no success for | 1,200 ms | 2,400 ms | 1,500 ms",
		"watch · 3 nodes · storm",
		"verdict | not tested | ✓ | not tested",
		"throughput | – | 1,400/s | –",
		"latency, median | – | 6 ms | –",
		"latency, 99 % | – | 50 ms | –",
		"leaders | – | not known: no trace | –",
		"no success for | – | 1,000 ms | –",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"raftkv", "etcd(version=3.7.3)", "raftexample"}, s.Systems); diff != "" || s.Columns != 4 {
		t.Errorf("%d columns\n%s", s.Columns, diff)
	}
	one, _ := saveCampaign(t)
	if c, err := readCampaign(t.Context(), one); err != nil || len(newSideBySide(c).Tests) != 0 {
		t.Errorf("one system stands beside itself: %v", err)
	}
}

// TestSideBySideInBrowser: the table is on the page, wide enough for its columns, and
// leads to reports.
func TestSideBySideInBrowser(t *testing.T) {
	dir := saveSystems(t)
	if err := WriteCampaign(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	page := browsertest.Open(t, 1200, 900)
	page.GotoFile(filepath.Join(dir, IndexFile))
	page.Screenshot("campaign-systems")
	columns := browsertest.Eval[int](page, `document.querySelectorAll(".sides thead th").length`)
	if links := browsertest.Eval[int](page, `document.querySelectorAll(".sides a.sq").length`); columns != 4 || links != 6 {
		t.Errorf("%d columns, %d links to reports", columns, links)
	}
	if wide := browsertest.Eval[bool](page, `document.documentElement.scrollWidth > innerWidth`); wide {
		t.Error("the page is wider than the window")
	}
}
