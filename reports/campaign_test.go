package reports

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"squall/history/check"
	"squall/history/ledger"
	"squall/internal/machinetest"
	"squall/reports/browsertest"
)

func writeCampaign(t testing.TB, dir string) (index, junit, summary string) {
	t.Helper()
	if err := WriteCampaign(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, name := range []string{IndexFile, JUnitFile, SummaryFile} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts[0], texts[1], texts[2]
}

// suites reads a JUnit report back and holds it to the rules of the schema that
// Jenkins and others check it by.
func suites(t testing.TB, text string) junitSuites {
	t.Helper()
	var s junitSuites
	if err := xml.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("the JUnit report is not XML: %v", err)
	}
	tests, failures, errs := 0, 0, 0
	for _, suite := range s.Suites {
		n := map[string]int{}
		for _, c := range suite.Cases {
			problems := 0
			for kind, p := range map[string]*junitProblem{"failure": c.Failure, "error": c.Error, "skipped": c.Skipped} {
				if p != nil {
					problems++
					n[kind]++
				}
			}
			if problems > 1 || c.Name == "" || c.Class == "" || c.Time == "" {
				t.Errorf("the case %q has %d problems, or lacks a name, a class or a time", c.Name, problems)
			}
		}
		if suite.Name == "" || suite.Tests != len(suite.Cases) || suite.Failures != n["failure"] || suite.Errors != n["error"] || suite.Skipped != n["skipped"] {
			t.Errorf("the suite %q counts %d, %d, %d, %d; there are %d, %v", suite.Name, suite.Tests, suite.Failures, suite.Errors, suite.Skipped, len(suite.Cases), n)
		}
		tests, failures, errs = tests+suite.Tests, failures+suite.Failures, errs+suite.Errors
	}
	if s.Tests != tests || s.Failures != failures || s.Errors != errs {
		t.Errorf("the whole counts %d, %d, %d; the suites %d, %d, %d", s.Tests, s.Failures, s.Errors, tests, failures, errs)
	}
	allowedOnly(t, text)
	return s
}

// allowedOnly holds every element to the attributes and children that the schema
// knows of.
func allowedOnly(t testing.TB, text string) {
	t.Helper()
	attrs := map[string]string{"testsuites": "name tests failures errors time", "testsuite": "name tests failures errors skipped time timestamp",
		"testcase": "name classname time", "failure": "message type", "error": "message type", "skipped": "message", "property": "name value", "properties": "", "system-out": ""}
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		known, ok := attrs[start.Name.Local]
		if !ok {
			t.Errorf("JUnit has no element %s", start.Name.Local)
		}
		for _, a := range start.Attr {
			if !slices.Contains(strings.Fields(known), a.Name.Local) {
				t.Errorf("%s has no attribute %s", start.Name.Local, a.Name.Local)
			}
		}
	}
}

func TestCampaignJUnit(t *testing.T) {
	dir, _ := saveCampaign(t)
	_, junit, _ := writeCampaign(t, dir)
	s := suites(t, junit)
	if s.Tests != 26 || s.Failures != 3 || s.Errors != 2 { // 24 cells, a threshold, the baseline
		t.Errorf("%d cases, %d failures, %d errors", s.Tests, s.Failures, s.Errors)
	}
	found := map[string]junitCase{}
	for _, suite := range s.Suites {
		for _, c := range suite.Cases {
			found[c.Name] = c
		}
	}
	mutant := found["nodes-3_nemesis-kill_s2"]
	if mutant.Failure == nil || mutant.Failure.Type != "violation" || !strings.Contains(mutant.Out.Text, "read(k4) → 41") ||
		!strings.Contains(mutant.Out.Text, "repeat: squall run --nodes 3 --nemesis 'kill' --seed 2") {
		t.Errorf("the mutant's case: %+v", mutant)
	}
	if c := found["nodes-5_nemesis-kill_s3"]; c.Failure == nil || c.Failure.Type != "threshold" || !strings.Contains(c.Failure.Message, "52.1 ms") {
		t.Errorf("the missed threshold: %+v", c.Failure)
	}
	if c := found["nodes-5_nemesis-delay-20ms_s4"]; c.Skipped == nil {
		t.Error("a waiting cell is not skipped")
	}
	if c := found["baseline ../last-night"]; c.Failure == nil || !strings.Contains(c.Failure.Message, "throughput is significantly worse: 2,300/s to 1,990/s") {
		t.Errorf("the baseline's loss: %+v", c.Failure)
	}
}

// A campaign whose cells are gone, damaged or of another schema has its pages, and
// they say so; without a record there are none.
func TestCampaignDamaged(t *testing.T) {
	dir, c := saveCampaign(t)
	if err := os.RemoveAll(filepath.Join(dir, "cells", c.Cells[0].ID)); err != nil {
		t.Fatal(err)
	}
	for i, text := range map[int]string{2: "{", 3: `{"schemaVersion": 77}`} {
		path := filepath.Join(dir, filepath.FromSlash(c.Cells[i].Last().Dir), check.ResultsName)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	index, junit, _ := writeCampaign(t, dir)
	if strings.Contains(index, `href="./cells/`+c.Cells[0].ID) {
		t.Error("a report that is gone is linked")
	}
	for _, want := range []string{"no such file", "unexpected end of JSON", "schema version 77"} {
		if !strings.Contains(junit, want) {
			t.Errorf("the JUnit report does not say %q", want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ledger.FileName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteCampaign(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged record: %v", err)
	}
	if err := WriteCampaign(context.Background(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no campaign in") {
		t.Errorf("no record: %v", err)
	}
}

// A campaign that has just begun has pages too, and so has an empty one.
func TestCampaignPartial(t *testing.T) {
	dir, c := saveCampaign(t)
	for i := range c.Cells {
		c.Cells[i].State, c.Cells[i].Attempts = ledger.Waiting, nil
	}
	c.Thresholds, c.Baseline = nil, nil
	for range 2 {
		if err := ledger.Write(dir, c); err != nil {
			t.Fatal(err)
		}
		index, junit, summary := writeCampaign(t, dir)
		suites(t, junit)
		if len(c.Cells) > 0 && (!strings.Contains(index, "24 cells of 24 to go") || !strings.Contains(summary, "24 waiting")) {
			t.Errorf("it does not say that all are waiting: %s", summary)
		}
		c.Cells = nil
	}
}

// spite puts a hostile text wherever a record has one.
func spite(t testing.TB, evil string) (dir string) {
	dir, c := saveCampaign(t)
	if len(evil) > 1<<16 { // a few of these are enough
		c.Cells = c.Cells[:2]
	}
	c.Name, c.File, c.Command, c.Squall, c.Stopped = evil, evil, evil, evil, evil
	for i := range c.Cells {
		cell := &c.Cells[i]
		cell.System, cell.Workload, cell.Nemesis, cell.Mutant, cell.Command = evil, evil, evil, evil, evil
		if last := cell.Last(); last != nil && cell.State == ledger.Done {
			last.Reason, last.Missed = evil, []string{evil}
			r := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: check.Violation, Reasons: []string{evil},
				Checks:     []check.Result{{Name: evil, Verdict: check.Violation, Summary: evil, Witness: []check.WitnessOp{{Node: evil, Text: evil, Outcome: evil}}}},
				Thresholds: []check.Threshold{{Text: evil, Why: evil}}}
			if err := check.WriteResults(filepath.Join(dir, filepath.FromSlash(last.Dir)), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Thresholds = []check.Threshold{{Text: evil, Why: evil}}
	c.Baseline.Dir = evil
	for i := range c.Baseline.Rows {
		c.Baseline.Rows[i].Group, c.Baseline.Rows[i].Metric, c.Baseline.Rows[i].Note = evil, evil, evil
	}
	if err := ledger.Write(dir, c); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCampaignHostile(t *testing.T) {
	var dirs []string
	for i, evil := range append(slices.Clone(hostile), "| a | b |\n# head\n<details>`x` @somebody #1 ![x](https://example.org/x.png)", strings.Repeat("long ", machinetest.Rounds(1<<14, 1<<18))) {
		dir := spite(t, evil)
		dirs = append(dirs, dir)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			index, junit, summary := writeCampaign(t, dir)
			suites(t, junit)
			if strings.ContainsAny(evil, `<>"'`) && strings.Contains(index, evil) {
				t.Error("it is in the page as it is")
			}
			if n := strings.Count(index, "<script"); n != 1 {
				t.Errorf("the page has %d scripts", n)
			}
			for _, bad := range []string{"<script", "<img", "<iframe", "@somebody", "](http", "\x1b", "\x00"} {
				if strings.Contains(summary, bad) {
					t.Errorf("the summary holds %q", bad)
				}
			}
			if len(summary) > 1<<20 || !utf8.ValidString(summary) {
				t.Errorf("the summary has %d bytes, or is no UTF-8", len(summary))
			}
		})
	}
	t.Run("browser", func(t *testing.T) { openHostileCampaigns(t, dirs[:len(hostile)]) })
}

// A summary is cut at a line, and says so.
func TestSummaryIsBounded(t *testing.T) {
	dir, _ := saveCampaign(t)
	c, err := readCampaign(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text := campaignMarkdown(c, 2000)
	if len(text) > 2000 || !strings.HasSuffix(text, "The report has everything.\n") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

func TestAnnotations(t *testing.T) {
	dir, _ := saveCampaign(t)
	out, err := CampaignOutputs(dir)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.Annotations), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[1], "::error title=squall%3A violation%3A nodes-3_nemesis-kill_s2::linearizable: 1 of 12 keys is not linearizable%0Arepeat: ") {
		t.Errorf("%s", out.Annotations)
	}
	var many []issue
	for range 12 {
		many = append(many, issue{"a,b: 100%", "one\r\n::error::two\x1b[31m"})
	}
	text := annotate(many)
	if strings.Count(text, "\n") != 10 || !strings.HasSuffix(text, "::error title=squall::and 3 more: see the summary\n") ||
		!strings.HasPrefix(text, "::error title=a%2Cb%3A 100%25::one\\r%0A:\\x3aerror::two\\x1b[31m\n") {
		t.Errorf("%s", text)
	}
}

// What a run and a campaign look like in CI, to be read by people: a change of
// these files is looked at.
func TestCampaignGolden(t *testing.T) {
	dir, _ := saveCampaign(t)
	_, junit, summary := writeCampaign(t, dir)
	res := &check.Results{Verdict: check.Pass, Checks: []check.Result{{Name: "linearizable", Verdict: check.Pass, Summary: "12 keys", Seconds: 0.25}},
		Thresholds: []check.Threshold{{Text: "throughput > 2000/s", Why: "110 successes in 10 s: 11/s", Value: 11, Limit: 2000, Unit: "ops/s"}}}
	run, err := RunOutputs("runs/latest", "raftkv-register", "squall run --seed 1", res, nil)
	if err != nil {
		t.Fatal(err)
	}
	suites(t, string(run.JUnit))
	golden(t, "campaign.junit.golden.xml", strings.ReplaceAll(junit, dir, "DIR"))
	golden(t, "campaign.summary.golden.md", strings.ReplaceAll(summary, dir, "DIR"))
	golden(t, "run.junit.golden.xml", string(run.JUnit))
	golden(t, "run.summary.golden.md", run.Summary)
	if want := "::error title=squall%3A threshold missed::throughput > 2000/s: 110 successes in 10 s: 11/s\n"; run.Annotations != want {
		t.Errorf("%s", run.Annotations)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed; if it is for the better, run `go test ./reports -update`:\n%s", name, got)
	}
}

func TestCampaignInBrowser(t *testing.T) {
	dir, c := saveCampaign(t)
	writeCampaign(t, dir)
	page := browsertest.Open(t, 1200, 900)
	page.GotoFile(filepath.Join(dir, IndexFile))
	page.Screenshot("campaign-light")
	if n := browsertest.Eval[int](page, `document.querySelectorAll("#all tbody tr").length`); n != len(c.Cells) {
		t.Errorf("%d cells in the table, %d in the record", n, len(c.Cells))
	}
	if n := browsertest.Eval[int](page, `document.querySelectorAll(".sq").length`); n != len(c.Cells) {
		t.Errorf("%d squares", n)
	}
	const first = `document.querySelector("#all tbody tr").cells[%d].textContent`
	column := browsertest.Eval[int](page, `[...document.querySelectorAll("#all th")].findIndex(h => h.textContent === "throughput")`)
	click := fmt.Sprintf(`document.querySelectorAll("#all th button")[%d].click(), %s`, column, fmt.Sprintf(first, column))
	slowest := browsertest.Eval[string](page, click)
	fastest := browsertest.Eval[string](page, click)
	if !strings.HasPrefix(fastest, "2,") || len(slowest) > 5 {
		t.Errorf("sorted by throughput, from %s to %s", slowest, fastest)
	}
	if last := browsertest.Eval[string](page, `[...document.querySelectorAll("#all tbody tr")].at(-1).dataset.outcome`); last == "pass" {
		t.Error("what has no figure does not come last")
	}
	shown := browsertest.Eval[string](page, `(() => { const s = document.getElementById("outcome"); s.value = "violation"; s.dispatchEvent(new Event("change"));
		return [...document.querySelectorAll("#all tbody tr")].filter(r => !r.hidden).map(r => r.cells[1].textContent).join() })()`)
	if shown != "nodes-3_nemesis-kill_s2" {
		t.Errorf("of violations it shows %s", shown)
	}
	if wide := browsertest.Eval[bool](page, `document.documentElement.scrollWidth > innerWidth`); wide {
		t.Error("the page is wider than the window")
	}
	for _, r := range page.Requests() {
		if !strings.HasPrefix(r, "file://") {
			t.Errorf("the page asks for %s", r)
		}
	}
	title := browsertest.Eval[string](page, `document.querySelector("a.sq.violation").getAttribute("href")`)
	page.GotoFile(filepath.Join(dir, title))
	if got := browsertest.Eval[string](page, `document.title`); got != "nodes-3_nemesis-kill_s2" {
		t.Errorf("the square leads to %q", got)
	}
	if troubles := page.Troubles(); len(troubles) > 0 {
		t.Errorf("%q", troubles)
	}
	page.Dark(true)
	page.GotoFile(filepath.Join(dir, IndexFile))
	page.Screenshot("campaign-dark")
}

// openHostileCampaigns opens, on a phone, the pages that each of the hostile made.
func openHostileCampaigns(t *testing.T, dirs []string) {
	page := browsertest.Open(t, 390, 800)
	for i, dir := range dirs {
		evil := hostile[i]
		page.GotoFile(filepath.Join(dir, IndexFile))
		if n := browsertest.Eval[int](page, `document.scripts.length + document.querySelectorAll("iframe, img, [onerror], [onmouseover]").length`); n != 1 {
			t.Errorf("%q: %d scripts and strangers", evil, n)
		}
		if wide := browsertest.Eval[bool](page, `document.documentElement.scrollWidth > innerWidth`); wide {
			t.Errorf("%q: the page is wider than the window", evil)
		}
		if i == 0 {
			page.Screenshot("campaign-hostile-phone")
		}
	}
	dir, _ := saveCampaign(t)
	writeCampaign(t, dir)
	page.GotoFile(filepath.Join(dir, IndexFile))
	page.Screenshot("campaign-phone")
	if troubles := page.Troubles(); len(troubles) > 0 {
		t.Errorf("%q", troubles)
	}
}
