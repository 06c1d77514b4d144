package testplan

import (
	"strings"
	"testing"
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
