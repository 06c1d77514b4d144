package orchestrator

import (
	"path/filepath"
	"strings"
	"testing"

	"squall/history/check"
	"squall/history/measure"
)

func TestThresholdsOfATestFile(t *testing.T) {
	test := DefaultTest()
	_, err := parseTestFile("t.yaml", []byte("threshold:\n  - throughput > 5/s\n  - latency{op=write} p(99) < 50ms\n"), &test)
	if err != nil || len(test.Thresholds) != 2 || test.Thresholds[1] != "latency{op=write} p(99) < 50ms" {
		t.Errorf("%q, %v", test.Thresholds, err)
	}
	if command := CommandFor("squall", test); !strings.Contains(command, `--threshold 'throughput > 5/s; latency{op=write} p(99) < 50ms'`) {
		t.Errorf("the command does not repeat them: %s", command)
	}
	for text, want := range map[string]string{
		"threshold:\n  - throughput > 5/s\n  - thruput > 5/s\n": `t.yaml:3:5: threshold: threshold "thruput > 5/s", column 1: there is no metric "thruput"`,
		"threshold: latency < 5ms\n":                            `t.yaml:1:12: threshold: threshold "latency < 5ms", column 9: latency has many values`,
		"threshold:\n  - [throughput]\n":                        "t.yaml:2:5: threshold: expected a threshold, found a list",
	} {
		scratch := DefaultTest()
		if _, err := parseTestFile("t.yaml", []byte(text), &scratch); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v; want %s", text, err, want)
		}
	}
}

// A run is judged by what is in results.json, and that is written there; an
// invalid one is not judged.
func TestJudge(t *testing.T) {
	dir := t.TempDir()
	results := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: check.Pass, Ops: measure.Ops{OK: 50, Total: 100, LoadSeconds: 10}}
	if err := judge(dir, results, []string{"throughput > 4/s", "availability > 99%"}); err != nil {
		t.Fatal(err)
	}
	stored, err := check.ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	if missed := stored.Missed(); len(stored.Thresholds) != 2 || len(missed) != 1 || missed[0].Text != "availability > 99%" || missed[0].Value != 50 {
		t.Errorf("%+v", stored.Thresholds)
	}
	results.Verdict = check.Invalid
	if err := judge(dir, results, []string{"throughput > 4/s"}); err != nil || results.Thresholds != nil || !strings.Contains(strings.Join(results.Reasons, ""), "thresholds: not judged") {
		t.Errorf("an invalid run was judged: %+v, %v", results.Thresholds, err)
	}
	results.Verdict = check.Pass
	if err := judge(dir, results, []string{"nothing > 4"}); err == nil {
		t.Error("a threshold that names no metric was taken")
	}
	if err := judge(filepath.Join(dir, "gone"), results, []string{"throughput > 4/s"}); err == nil {
		t.Error("results that could not be written were no error")
	}
}
