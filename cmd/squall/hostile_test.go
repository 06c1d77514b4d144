package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"squall/history"
	"squall/history/check"
	"squall/history/elections"
	"squall/history/historytest"
	"squall/history/ledger"
	"squall/internal/machinetest"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/campaign"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// nasty is evil with all that a text can do to a page of Markdown and to a table.
const nasty = evil + "\n::error::x\u2028##vso[task.x]y \u2066\x7f\U000e0041 <img src=x onerror=x> </code></td> [a](http://b.example) ![c](//d.example) " +
	"@octocat #12 www.e.example | f |\n# g\n```\n"

// hostile is more of it than has room in a line.
var hostile = nasty + strings.Repeat("y", 64<<10)

// said is what squall printed, and what it wrote for a CI system.
type said struct{ out, errOut, annotations, junit, summary string }

// hear runs a command as GitHub's runner does, with all it can write.
func hear(t *testing.T, a *app, publishes bool, args ...string) (heard said, code int) {
	t.Helper()
	dir := t.TempDir()
	step, junit, summary := filepath.Join(dir, "step.md"), filepath.Join(dir, "j.xml"), filepath.Join(dir, "s.md")
	t.Setenv(githubVariable, "true")
	t.Setenv(summaryVariable, step)
	if publishes {
		args = append(args, "--junit", junit, "--summary", summary)
	}
	var out, errOut bytes.Buffer
	a.program, a.out, a.errOut = "squall", plain.NewWriter(&out), plain.NewWriter(&errOut)
	code = a.run(context.Background(), append([]string{"squall"}, args...))
	parts := func(text string) (rest string) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "::error title=squall") {
				heard.annotations += line
			} else {
				rest += line
			}
		}
		return rest
	}
	heard.out, heard.errOut = parts(out.String()), parts(errOut.String())
	if publishes && fileExists(junit) {
		heard.junit, heard.summary = readFile(t, junit), readFile(t, summary)
		if got := readFile(t, step); got != heard.summary+"\n" {
			t.Errorf("the step's summary is another than that of --summary: %.300q", got)
		}
	}
	return heard, code
}

func fileExists(path string) bool { _, err := os.Stat(path); return err == nil }

// safe looks at every byte.
func (s said) safe(t *testing.T, what string) {
	t.Helper()
	for name, text := range map[string]string{"stdout": s.out, "stderr": s.errOut, "summary": s.summary, "junit": s.junit} {
		quiet(t, what+", "+name, text)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(s.annotations, "\n"), "\n") {
		command, ours := strings.CutPrefix(line, "::error title=squall")
		_, message, begun := strings.Cut(command, "::")
		if line != "" && !(ours && begun) {
			t.Errorf("%s: an annotation that is none of ours: %.300q", what, line)
		}
		message = strings.NewReplacer("%0A", "\n", "%25", "%").Replace(message)
		quiet(t, what+", an annotation", message)
		if len(line) > 20<<10 {
			t.Errorf("%s: an annotation has %d bytes", what, len(line))
		}
	}
	if s.junit != "" {
		junitSafe(t, what, s.junit)
	}
	markdownSafe(t, what, s.summary)
}

// quiet: the text shows itself and does nothing else, no line is another's, and
// it is bounded.
func quiet(t *testing.T, what, text string) {
	t.Helper()
	mostLine, most := 40<<10, 4<<20
	if json.Valid([]byte(text)) { // which is data, and all of it
		mostLine = most
	}
	if len(text) > most {
		t.Errorf("%s: %d bytes", what, len(text))
	}
	for line := range strings.SplitSeq(text, "\n") {
		start := strings.TrimSpace(line)
		if strings.HasPrefix(start, "::") || strings.HasPrefix(line, "FAKE") || strings.Contains(line, "##[") || strings.Contains(line, "##vso") || len(line) > mostLine {
			t.Errorf("%s has the line (%d bytes) %.300q", what, len(line), line)
		}
		for _, r := range line {
			if r != ' ' && r != '\t' && !unicode.IsPrint(r) {
				t.Errorf("%s: %q in %.300q", what, r, line)
				return
			}
		}
	}
}

// junitSafe reads a JUnit report as a CI system does and looks at what it gets.
func junitSafe(t *testing.T, what, text string) {
	t.Helper()
	for dec := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: no XML: %v", what, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			for _, a := range token.Attr {
				quiet(t, what+", JUnit's "+a.Name.Local, a.Value)
				if strings.Contains(a.Value, "\n") {
					t.Errorf("%s: JUnit's %s has lines: %.200q", what, a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			quiet(t, what+", JUnit's text", string(token))
		}
	}
}

var ownTags = regexp.MustCompile(`</?(?:code|details|summary)>`)

// markdownSafe: no tag but squall's own, no link, picture, mention or reference,
// and every row of a table has its cells.
func markdownSafe(t *testing.T, what, text string) {
	t.Helper()
	bare := ownTags.ReplaceAllString(text, "")
	for _, bad := range []string{"<", "](", "![", "@octocat", " #12 ", "://", "www.", "```", "\\"} {
		if i := strings.Index(bare, bad); i >= 0 {
			t.Errorf("%s: the summary has %q: %.200q", what, bad, bare[max(0, i-80):])
		}
	}
	if prose := regexp.MustCompile(`<code>.*?</code>`).ReplaceAllString(text, ""); strings.Contains(prose, "&#64;octocat") || strings.Contains(prose, "&#35;12 ") {
		t.Errorf("%s: the summary mentions somebody or refers to something", what)
	}
	cells := 0
	for line := range strings.SplitSeq(text, "\n") {
		switch n := strings.Count(line, "|"); {
		case !strings.HasPrefix(line, "|"):
			cells = 0
			if n > 0 {
				t.Errorf("%s: a row outside of a table: %.200q", what, line)
			}
		case cells == 0:
			cells = n
		case cells != n:
			t.Errorf("%s: a row of %d cells in a table of %d: %.300q", what, n, cells, line)
		}
	}
}

// hostileRun is a recorded run in which every text that a history may hold is
// hostile; change may make more of it.
func hostileRun(t *testing.T, change func(*history.History)) (out, dir string) {
	t.Helper()
	const s = int64(1e9)
	return recorded(t, func(h *history.History) {
		h.Header.Test, h.Header.Squall = hostile, hostile
		for i := range h.Ops {
			op := &h.Ops[i]
			op.Key = nasty
			said := op.Register()
			for _, v := range []*history.Value{&said.Value, &said.Result} {
				if v.Present {
					v.Data = nasty + v.Data
				}
			}
			op.SetRegister(said)
		}
		h.Ops[3].Out = history.Text("never written " + hostile)
		h.Ops[4].Outcome, h.Ops[4].Error, h.Ops[4].Out = history.Fail, hostile, ""
		for i := range h.Faults {
			f := &h.Faults[i]
			f.Name, f.Variant, f.Detail, f.Proof = hostile, hostile, hostile, []string{hostile}
		}
		for i := range h.Nodes {
			e := &h.Nodes[i]
			e.Reason, e.Leader = nasty, nasty
			if e.Hash != "" {
				e.Hash = nasty + e.Hash
			}
		}
		h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n2", Boot: 1, Kind: history.EventRole, Role: history.RoleLeader, Time: 7 * s, Term: 1, Reason: hostile})
		h.Marks = append(h.Marks, history.Mark{Name: history.MarkMissed, Time: 20 * s, Text: hostile}, history.Mark{Name: history.MarkOverloaded, Time: 20 * s, Text: hostile})
		change(h)
	})
}

func TestCommandsOnAHostileRun(t *testing.T) {
	machinetest.NotUnderRace(t, "commands one after the other, whose parts are run under the detector where they are")
	for name, change := range map[string]func(*history.History){
		"a violation": func(*history.History) {},
		"invalid and stopped": func(h *history.History) {
			h.Marks = append(h.Marks, history.Mark{Name: history.MarkInvalid, Time: 20e9, Text: hostile}, history.Mark{Name: history.MarkStopped, Time: 20e9, Text: hostile})
			h.Ops[3].Out = history.Null
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, dir := hostileRun(t, change)
			walk(t, out, dir)
			if err := os.WriteFile(filepath.Join(dir, orchestrator.EnvFile), mustJSON(t, map[string]any{hostile: hostile, "engine": hostile}), 0o644); err != nil {
				t.Fatal(err)
			}
			hostileResults(t, dir)
			said, _ := hear(t, &app{}, false, "list", "runs", "--out", out)
			said.safe(t, "list of hostile results")
			if !strings.Contains(said.out, `\x1b[2J`) {
				t.Errorf("list does not show the verdict: %q", said.out)
			}
			for _, args := range [][]string{{"list", "runs", "--json", "--out", out}, {"compare", dir, dir}, {"compare", dir, dir, "--json"}, {"report", dir}} {
				said, _ := hear(t, &app{}, false, args...)
				said.safe(t, strings.Join(args[:1], " ")+" of hostile results")
			}
		})
	}
}

// walk has every command that reads a run say what it finds there.
func walk(t *testing.T, out, dir string) {
	t.Helper()
	shown := false
	for _, args := range [][]string{{"check", dir}, {"check", dir, "--json"}, {"check", dir, "--baseline", dir}, {"check", dir, "--threshold", "ops > 5"}} {
		said, code := hear(t, &app{}, true, args...)
		said.safe(t, strings.Join(args, " "))
		if code == exitPass && strings.Contains(dir, "Hostile") {
			t.Errorf("%q passed", args)
		}
		if len(args) > 2 && args[2] == "--json" && !json.Valid([]byte(said.out)) {
			t.Errorf("%q is no JSON: %.300q", args, said.out)
		}
		shown = shown || strings.Contains(said.out, `\x1b[2J`) && strings.Contains(said.junit, `\x1b[2J`) && strings.Contains(said.annotations, `\x1b[2J`)
	}
	if !shown && strings.Contains(dir, "Hostile") {
		t.Error("no check shows the hostile text at all")
	}
	for _, args := range [][]string{{"report", dir}, {"compare", dir, dir}, {"compare", dir, dir, "--json"}, {"list", "runs", "--out", out},
		{"list", "runs", "--json", "--out", out}, {"list", "--out", out}, {"run", "--dry-run", "--plan", dir, "--time", hostile}, {"elections", "--from", dir}} {
		said, _ := hear(t, &app{open: noRuntime}, false, args...)
		said.safe(t, strings.Join(args[:1], " "))
	}
}

func noRuntime(context.Context, string, *slog.Logger) (opened, error) {
	return opened{}, errors.New(hostile)
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// hostileResults puts a hostile text into every text of results.json.
func hostileResults(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, check.ResultsName)
	var results any
	if err := json.Unmarshal([]byte(readFile(t, path)), &results); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, mustJSON(t, poisoned(results)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func poisoned(v any) any {
	switch v := v.(type) {
	case string:
		return hostile
	case []any:
		for i := range v {
			v[i] = poisoned(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = poisoned(v[key])
		}
	}
	return v
}

// TestFieldTextsArePrintedPlain: the two histories that people met.
func TestFieldTextsArePrintedPlain(t *testing.T) {
	for _, name := range []string{"w1-ghcmd", "h8-esc"} {
		dir := historytest.Field(t, name)
		walk(t, filepath.Dir(dir), dir)
	}
}

// TestHostilePlans are refused with a plain line, or shown plainly.
func TestHostilePlans(t *testing.T) {
	machinetest.NotUnderRace(t, "commands one after the other, whose parts are run under the detector where they are")
	_, dir := recorded(t, func(*history.History) {})
	var whole map[string]any
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, testplan.PlanFile))), &whole); err != nil {
		t.Fatal(err)
	}
	test := whole["test"].(map[string]any)
	spoil := map[string]func(){"schedule": func() { whole["schedule"] = []any{map[string]any{"id": 1, "fault": hostile, "variant": hostile}} },
		"nodes": func() { whole["nodes"] = []string{hostile} }, "command": func() { whole["command"], whole["squall"] = hostile, hostile }}
	for key, value := range test {
		if _, ok := value.(string); ok {
			spoil["test."+key] = func() { test[key] = hostile }
		}
	}
	spoil["test.thresholds"] = func() { test["thresholds"] = []string{hostile} }
	for what, do := range spoil {
		before := mustJSON(t, whole)
		do()
		if err := os.WriteFile(filepath.Join(dir, testplan.PlanFile), mustJSON(t, whole), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"run", "--dry-run", "--plan", dir}, {"run", "--dry-run", "--json", "--plan", dir}, {"check", dir}, {"report", dir}} {
			said, code := hear(t, &app{open: noRuntime}, args[0] == "check", args...)
			said.safe(t, what+", "+args[0])
			if code == exitPass && args[0] == "run" {
				t.Errorf("%s: run passed", what)
			}
		}
		whole = nil
		if err := json.Unmarshal(before, &whole); err != nil {
			t.Fatal(err)
		}
		test = whole["test"].(map[string]any)
	}
}

// TestAHostileCampaignRecord is resumed: it has run all its cells but for one,
// which no runtime here can run.
func TestAHostileCampaignRecord(t *testing.T) {
	out := t.TempDir()
	file := filepath.Join(out, "c.yaml")
	if err := os.WriteFile(file, []byte("name: c\njobs: 1\nseeds: [1, 2, 3]\nmatrix:\n  nodes: [3]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	read, err := campaign.Read(file, campaign.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := campaign.NewPlan(read, hostile, "squall", hostile)
	if err != nil {
		t.Fatal(err)
	}
	record := &ledger.Campaign{SchemaVersion: ledger.SchemaVersion, Squall: hostile, Name: hostile, File: hostile, Digest: plan.Digest, Command: hostile,
		Stopped: hostile, Cells: plan.Cells, Thresholds: []check.Threshold{{Text: hostile, Why: hostile, Unit: hostile}},
		Baseline: &ledger.Baseline{Dir: hostile, Stopped: []string{hostile}, Rows: []ledger.Row{{Group: hostile, Metric: hostile, Unit: hostile, Note: hostile,
			Lost: true, Old: ledger.Center{Count: 1}, New: ledger.Center{Count: 1}}}}}
	for i := range record.Cells {
		c := &record.Cells[i]
		c.Nemesis, c.Workload, c.System, c.Mutant, c.Command, c.Settings = hostile, hostile, hostile, hostile, hostile, map[string]string{hostile: hostile}
		if i > 0 {
			c.State = ledger.Done
			c.Attempts = []ledger.Attempt{{Dir: "cells/" + c.ID, Verdict: check.Violation, Reason: hostile, Stopped: hostile, Missed: []string{hostile}}}
		}
	}
	record.Cells[2].Attempts[0].Verdict = check.Verdict(hostile)
	dir := filepath.Join(out, campaign.Folder, "c", "20261128T000000Z")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Write(dir, record); err != nil {
		t.Fatal(err)
	}
	unable := func(context.Context, string, *slog.Logger) (opened, error) {
		return opened{nothing{}, hostile, func() {}}, nil
	}
	for _, open := range []func(context.Context, string, *slog.Logger) (opened, error){noRuntime, unable} {
		for _, args := range [][]string{{"campaign", file, "--out", out}, {"campaign", file, "--out", out, "--json"}, {"campaign", file, "--out", out, "--dry-run"}} {
			said, _ := hear(t, &app{open: open}, true, args...)
			said.safe(t, args[0])
		}
	}
	t.Setenv(githubVariable, "")
	var conclusion bytes.Buffer
	a := &app{program: "squall", out: plain.NewWriter(&conclusion), errOut: plain.NewWriter(&conclusion)}
	if err := ledger.Write(dir, record); err != nil {
		t.Fatal(err)
	}
	concluded := said{junit: filepath.Join(out, "j.xml"), summary: filepath.Join(out, "s.md")}
	_ = a.concludeCampaign(t.Context(), plan, &campaign.Outcome{Dir: dir, Record: record}, nil, a.out, &campaignFlags{outputs: outputFlags{concluded.junit, concluded.summary}})
	said{out: conclusion.String(), junit: readFile(t, concluded.junit), summary: readFile(t, concluded.summary)}.safe(t, "the end of a campaign")
	for _, args := range [][]string{{"compare", dir, dir}, {"list", "--out", out}} {
		said, _ := hear(t, &app{}, false, args...)
		said.safe(t, args[0])
	}
}

// nothing is a runtime that can do nothing, and says so at length.
type nothing struct{ machines.Runtime }

func (nothing) Name() string                         { return hostile }
func (nothing) Describe(context.Context) string      { return hostile }
func (nothing) Arch(context.Context) (string, error) { return "", errors.New(hostile) }
func (nothing) Can(context.Context) map[string]string {
	return map[string]string{}
}
func (nothing) Up(context.Context, machines.ClusterSpec) (machines.Cluster, error) {
	return nil, errors.New(hostile)
}

func TestHostileElections(t *testing.T) {
	_, dir := hostileRun(t, func(*history.History) {})
	record := &elections.Record{SchemaVersion: elections.SchemaVersion, Squall: hostile, Command: hostile, System: hostile, Runtime: hostile, Nodes: []string{"n1", "n2", "n3"},
		Ranges: []elections.Range{{Min: 100, Max: 200, Trials: []elections.Trial{{Leader: hostile, Outcome: elections.Invalid, Why: hostile},
			{Begin: 1e9, End: 20e9, Leader: "n1", Term: 1, Behind: []string{hostile}, Outcome: elections.Outcome(hostile), Why: hostile}}}}}
	if err := record.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"elections", "--from", dir}, {"elections", "--from", dir, "--json"}} {
		said, code := hear(t, &app{}, false, args...)
		said.safe(t, "elections")
		if code == exitPass || !strings.Contains(said.out+said.errOut, `\x1b[2J`) {
			t.Errorf("code %d: %.500q", code, said.out+said.errOut)
		}
	}
}

// TestOtherCommandsPrintPlain: what they are called with, and what computers and
// engines say of themselves.
func TestOtherCommandsPrintPlain(t *testing.T) {
	name := hostile[:150] // a folder's name has room for so much
	name = strings.NewReplacer("\x00", "", "/", "").Replace(name)
	dir := filepath.Join(t.TempDir(), name)
	for _, args := range [][]string{{"init", dir}, {"init", dir}, {"list", "runs", "--out", dir}, {"check", dir}, {"clean", hostile}, {"doctor", hostile}, {"man", hostile}, {"schema", hostile}, {"version", hostile}} {
		said, _ := hear(t, &app{}, false, args...)
		said.safe(t, args[0])
		if !strings.Contains(said.out+said.errOut, `\x1b[2J`) && args[0] != "list" {
			t.Errorf("%s does not show what it was given: %q", args[0], said)
		}
	}
	for _, asJSON := range []bool{false, true} {
		var out bytes.Buffer
		a := &app{out: plain.NewWriter(&out)}
		if err := a.printNeeds([]need{{Name: hostile, Found: hostile, Fix: hostile}, {Name: "x", OK: true, Found: "two\nlines"}}, asJSON); err != nil {
			t.Fatal(err)
		}
		said{out: out.String()}.safe(t, "doctor")
	}
}
