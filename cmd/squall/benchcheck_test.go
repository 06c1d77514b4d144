package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"squall/history/check"
	"squall/history/check/checkbench"
)

// TestBenchMeasuresOneHistory: what a process of squall bench check prints.
func TestBenchMeasuresOneHistory(t *testing.T) {
	for by, flags := range map[string]benchFlags{
		"squall":    {measure: "general", scale: 0.01},
		"porcupine": {measure: "general", scale: 0.001, by: "porcupine", rival: time.Hour, memory: 1 << 20},
	} {
		t.Run(by, func(t *testing.T) {
			var out bytes.Buffer
			if err := (&app{out: &out, errOut: io.Discard}).benchOne(t.Context(), &flags); err != nil {
				t.Fatal(err)
			}
			var r checkbench.Reading
			if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				t.Fatalf("%v: %s", err, &out)
			}
			if r.Over != "" || r.Verdict != check.Pass || r.PeakMB <= 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestBenchLimitsPorcupine in time and memory.
func TestBenchLimitsPorcupine(t *testing.T) {
	f := benchFlags{rival: 30 * time.Second, memory: 4096}
	for want, got := range map[string]string{"": f.over(29*time.Second, 4000), "30 s": f.over(31*time.Second, 10), "4,096 MB": f.over(time.Second, 5000)} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestBenchRefuses what it cannot measure.
func TestBenchRefuses(t *testing.T) {
	for want, flags := range map[string]benchFlags{
		`there is no history "nope"`:  {only: []string{"nope"}, repeat: 1, scale: 1},
		"expected a number above 0":   {repeat: 0, scale: 1},
		"expected a number above 0\t": {repeat: 1},
	} {
		err := (&app{out: io.Discard, errOut: io.Discard}).runBenchCheck(t.Context(), &flags)
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) || exitCode(err) != exitUsage {
			t.Errorf("%+v: %v, want %s", flags, err, want)
		}
	}
}
