package checkbench

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
)

// Reading is what one measurement came to.
type Reading struct {
	Seconds float64 `json:"seconds"` // of the check, without making its history
	// Processor is what the whole process took, s; Measure leaves it to who began that.
	Processor float64 `json:"processor,omitempty"`
	// PeakMB is the most memory that the process ever took, its history included.
	PeakMB float64 `json:"peakMB"`
	// HistoryMB is what the history takes.
	HistoryMB float64 `json:"historyMB"`
	// Over says which limit ended it: "60 s", "4096 MB"; "" when it came to its end.
	Over string `json:"over,omitempty"`
	// Verdict must be pass.
	Verdict check.Verdict `json:"verdict"`
	Summary string        `json:"summary,omitempty"`
}

// Measure makes the case's history and has it judged, by squall or by porcupine. It is for a
// process that does nothing else: its memory is that of the process.
func (c Case) Measure(ctx context.Context, scale float64, rival bool) Reading {
	h := c.History(scale)
	runtime.GC()
	debug.FreeOSMemory()
	r := Reading{HistoryMB: float64(check.HeapBytes()) / 1e6}
	begin := time.Now()
	if rival {
		r.Verdict = c.porcupine(h)
	} else {
		res := c.check.Check(ctx, &check.Input{History: h})
		r.Verdict, r.Summary = res.Verdict, res.Summary
	}
	r.Seconds, r.PeakMB = time.Since(begin).Seconds(), PeakMB()
	return r
}

func (c Case) porcupine(h *history.History) check.Verdict {
	legal, err := linearizable.Porcupine(*c.model, h.Ops)
	switch {
	case err != nil:
		return check.Unknown
	case !legal:
		return check.Violation
	}
	return check.Pass
}

// PeakMB is the most memory that this process ever took, MB: by its kernel, or else what Go
// has asked of it.
func PeakMB() float64 {
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range bytes.Lines(status) {
			if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "VmHWM:" {
				if kb, err := strconv.ParseFloat(string(f[1]), 64); err == nil {
					return kb * 1024 / 1e6
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys) / 1e6
}
