package checktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/history/check/traces"
	"squall/history/check/validity"
	"squall/history/historytest"
)

// recordRun writes a history into a new run directory.
func recordRun(t *testing.T, recs ...history.Record) string {
	t.Helper()
	dir := t.TempDir()
	rec, err := history.Create(filepath.Join(dir, history.FileName), history.Header{Test: "t", Nodes: []string{"n1", "n2"}, Functions: history.RegisterFunctions()})
	Must(t, err)
	for _, r := range recs {
		Must(t, rec.Append(r))
	}
	Must(t, rec.Close())
	return dir
}

func mark(name string) history.Record { return history.Record{Mark: &history.Mark{Name: name}} }

// goodRun is what a short test of a correct cluster leaves.
func goodRun() []history.Record {
	recs := []history.Record{mark(history.MarkUp), mark(history.MarkServing), mark(history.MarkLoadBegin)}
	ops := Simulate(rand.New(rand.NewPCG(1, 2)), "r0", Shape{N: 300, Clients: 5, Pending: 2})
	for i := range ops {
		recs = append(recs, history.Record{Op: &ops[i]})
	}
	for _, e := range []history.NodeEvent{
		{Node: "n1", Boot: 1, Kind: history.EventVote, Time: 1, Term: 1, Vote: "n1"},
		{Node: "n1", Boot: 1, Kind: history.EventRole, Time: 2, Term: 1, Role: history.RoleLeader},
		{Node: "n1", Boot: 1, Kind: history.EventCommit, Time: 3, Index: 1, EntryTerm: 1, Hash: "aa"},
		{Node: "n1", Boot: 1, Kind: history.EventState, Time: 4, Index: 1, Hash: "bb"},
	} {
		recs = append(recs, history.Record{Node: &e})
	}
	return append(recs, mark(history.MarkDone))
}

func allCheckers() []check.Checker {
	return append([]check.Checker{linearizable.Checker(linearizable.RegisterModel()), validity.Activity(0)}, traces.Invariants()...)
}

func TestRunVerdicts(t *testing.T) {
	bad := BadKey("bad")
	bad[0].Process, bad[1].Process = 2000, 2000
	staleRead := []history.Record{{Op: &bad[0]}, {Op: &bad[1]}}
	noDone := goodRun()
	noDone = noDone[:len(noDone)-1]
	twoLeaders := history.Record{Node: &history.NodeEvent{Node: "n2", Boot: 1, Kind: history.EventRole, Time: 9, Term: 1, Role: history.RoleLeader}}
	hard := HardKey("hard")
	var undecidable []history.Record
	for i := range hard {
		hard[i].Node = "n1"
		hard[i].Process += 1000 // those of the good run are busy
		undecidable = append(undecidable, history.Record{Op: &hard[i]})
	}
	for _, tt := range []struct {
		name    string
		recs    []history.Record
		verdict check.Verdict
		reasons []string // what each begins with
	}{
		{"pass", goodRun(), check.Pass, nil},
		{"stale read", slices.Concat(goodRun(), staleRead), check.Violation, []string{"linearizable: "}},
		{"invariant", append(goodRun(), twoLeaders), check.Violation, []string{"election-safety: two leaders in term 1: n1 and n2"}},
		{"invalid", noDone, check.Invalid, []string{"activity: the history ends before"}},
		{"unknown", slices.Concat(goodRun(), undecidable), check.Unknown, []string{"linearizable: 1 of 2 keys could not be decided (hard)"}},
		{"seen, and not found", append(goodRun(), history.Record{Mark: &history.Mark{Name: history.MarkSeen, Time: 99, Text: "linearizable: …"}}), check.Unknown,
			[]string{"a violation was seen while the test ran, and the check of the whole history finds none"}},
		{"violation before invalid", slices.Concat(noDone, staleRead), check.Violation, []string{"linearizable: ", "activity: "}},
		{"invalid before unknown", slices.Concat(noDone, undecidable), check.Invalid, []string{"activity: ", "linearizable: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := recordRun(t, tt.recs...)
			res, err := check.Run(t.Context(), dir, allCheckers(), check.Limits{Time: 1e8, Memory: 1 << 40})
			Must(t, err)
			if res.Verdict != tt.verdict || len(res.Reasons) != len(tt.reasons) {
				t.Fatalf("%s %q, want %s %q", res.Verdict, res.Reasons, tt.verdict, tt.reasons)
			}
			for i, want := range tt.reasons {
				if !strings.HasPrefix(res.Reasons[i], want) {
					t.Errorf("reason %q, want it to begin with %q", res.Reasons[i], want)
				}
			}
			if len(res.Checks) != len(allCheckers()) || res.History.Records != int64(len(tt.recs)) || res.History.Bytes == 0 {
				t.Errorf("%d checks, history %+v", len(res.Checks), res.History)
			}
			again, err := check.ReadResults(dir)
			Must(t, err)
			// Through JSON, where empty and absent are the same.
			a, _ := json.Marshal(res)
			b, _ := json.Marshal(again)
			if diff := cmp.Diff(string(a), string(b)); diff != "" {
				t.Errorf("results.json (-returned +written):\n%s", diff)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// Judge leaves it to others to add to the results, and to write them; it gives the
// history that it read, or says what is wrong with it.
func TestJudge(t *testing.T) {
	dir := recordRun(t, goodRun()...)
	checked, err := check.Judge(t.Context(), dir, allCheckers(), check.Limits{}, 0)
	Must(t, err)
	if checked.Damage != nil || len(checked.History.Ops) == 0 || checked.Results.Verdict != check.Pass {
		t.Errorf("%+v", checked)
	}
	if _, err := os.Stat(filepath.Join(dir, check.ResultsName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("results.json was written already: %v", err)
	}
	Must(t, checked.Write())
	if res, err := check.ReadResults(dir); err != nil || res.Verdict != check.Pass {
		t.Errorf("%+v, %v", res, err)
	}
	Must(t, os.WriteFile(filepath.Join(dir, history.FileName), []byte("what?!"), 0o644))
	checked, err = check.Judge(t.Context(), dir, allCheckers(), check.Limits{}, 0)
	if err != nil || checked.Damage == nil || checked.History != nil || checked.Results.Verdict != check.Invalid {
		t.Errorf("%+v, %v", checked, err)
	}
}

func TestRunErrors(t *testing.T) {
	if _, err := check.Run(t.Context(), t.TempDir(), allCheckers(), check.Limits{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no history: %v", err)
	}
	dir := t.TempDir()
	Must(t, os.WriteFile(filepath.Join(dir, history.FileName), []byte("what?!"), 0o644))
	if _, err := check.ReadResults(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no results: %v", err)
	}
	if res, err := check.Run(t.Context(), dir, allCheckers(), check.Limits{}); err != nil || res.Verdict != check.Invalid {
		t.Errorf("not a history: %+v, %v", res, err)
	}
	for _, data := range []string{"{", `{"schemaVersion":99}`} {
		Must(t, os.WriteFile(filepath.Join(dir, check.ResultsName), []byte(data), 0o644))
		if _, err := check.ReadResults(dir); err == nil {
			t.Errorf("results %s: no error", data)
		}
	}
}

type panics struct{}

func (panics) Name() string                                     { return "panics" }
func (panics) Check(context.Context, *check.Input) check.Result { panic("out of paper") }

func TestRunGoesOn(t *testing.T) {
	dir := recordRun(t, goodRun()...)
	res, err := check.Run(t.Context(), dir, []check.Checker{panics{}, linearizable.Checker(linearizable.RegisterModel())}, check.Limits{})
	Must(t, err)
	if res.Verdict != check.Unknown || !strings.Contains(res.Checks[0].Summary, "out of paper") || res.Checks[1].Verdict != check.Pass {
		t.Errorf("a checker that panics: %+v", res.Checks)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	res, err = check.Run(ctx, dir, allCheckers(), check.Limits{})
	Must(t, err)
	if res.Verdict != check.Unknown || len(res.Reasons) != 1 || !strings.HasPrefix(res.Reasons[0], "linearizable, activity, election-safety, ") {
		t.Errorf("after an interruption: %s %q", res.Verdict, res.Reasons)
	}
	if res, err = check.Run(t.Context(), dir, nil, check.Limits{}); err != nil || res.Verdict != check.Unknown {
		t.Errorf("without checkers: %+v, %v", res, err)
	}
}

func TestRunOfCutHistory(t *testing.T) {
	dir := recordRun(t, goodRun()...)
	path := filepath.Join(dir, history.FileName)
	data, err := os.ReadFile(path)
	Must(t, err)
	Must(t, os.WriteFile(path, data[:len(data)-3], 0o644)) // a part of its end is missing
	res, err := check.Run(t.Context(), dir, allCheckers(), check.Limits{})
	Must(t, err)
	if want := fmt.Sprintf("up to byte %d", len(data)-32); res.Verdict != check.Invalid || !strings.Contains(res.History.Truncated, want) {
		t.Errorf("%s %q, truncated %q", res.Verdict, res.Reasons, res.History.Truncated)
	}
}

// A history that no recorder writes is damaged, and nothing in it counts: it
// accuses nobody.
func TestADamagedHistoryIsInvalid(t *testing.T) {
	for name, want := range map[string]string{
		"x1-info-no-value":   `line 126 (frame 0, byte 0): a write with outcome "info" without its value to store "v"`,
		"v2-backwards-stale": "line 131 (frame 0, byte 0): the operation returned 1.5s before its call (d = -1500000000)",
	} {
		dir := historytest.Field(t, name)
		res, err := check.Run(t.Context(), dir, allCheckers(), check.Limits{})
		Must(t, err)
		if res.Verdict != check.Invalid || len(res.Reasons) != 1 || !strings.HasPrefix(res.Reasons[0], "history: the history is damaged: "+want) {
			t.Errorf("%s: %s %q", name, res.Verdict, res.Reasons)
		}
		if back, err := check.ReadResults(dir); err != nil || back.Verdict != check.Invalid || len(back.Checks) != 1 {
			t.Errorf("%s: results.json: %+v, %v", name, back, err)
		}
	}
}
