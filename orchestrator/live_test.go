package orchestrator

import (
	"context"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/orchestrator/testplan"
)

// TestAGrowingHistoryIsJudged: a stale read is seen while the history grows, and what is
// recorded of it; where the test does not ask for that, or nothing is wrong, nothing ends.
func TestAGrowingHistoryIsJudged(t *testing.T) {
	for name, tt := range map[string]struct {
		stopOn string
		stale  bool
		seen   string
	}{
		"a stale read":      {testplan.StopViolation, true, "linearizable: no order explains read(k) → 1"},
		"nothing is wrong":  {testplan.StopViolation, false, ""},
		"nobody asks":       {testplan.StopNever, true, ""},
		"a plan of earlier": {"", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, marks := recordedRun(t)
			r.sight, r.plan.Test.StopOn = make(chan struct{}), tt.stopOn
			now := r.clock.now()
			r.loadBegan.Store(now)
			op := func(p int64, f history.Func, in, out history.Data, from, to int64) *history.Op {
				return &history.Op{Process: p, Node: "n1", Key: "k", Func: f, In: in, Out: out, Outcome: history.OK, Call: now + from, Return: now + to}
			}
			lines := func(open *history.Op, ended ...*history.Op) {
				text := history.AppendOp(nil, open, true)
				for _, o := range ended {
					text = history.AppendOp(text, o, false)
				}
				if err := r.recorder.AppendLines(text); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := r.judgeLive(ctx)
			found := history.Text("2")
			if tt.stale {
				found = history.Text("1")
			}
			lines(op(9, history.Read, "", "", 1, 0), op(1, history.Write, history.Text("1"), "", 10, 20), op(1, history.Write, history.Text("2"), "", 30, 40))
			lines(op(8, history.Read, "", "", 41, 0), op(2, history.Read, "", found, 50, 60))
			lines(op(7, history.Read, "", "", 61, 0))
			if tt.seen != "" {
				select {
				case <-r.sight:
				case <-time.After(time.Minute):
					t.Fatal("nothing was seen")
				}
				r.stopping()
			}
			cancel()
			done()
			var seen, stopped string
			for _, m := range marks() {
				switch m.Name {
				case history.MarkSeen:
					seen = m.Text
				case history.MarkStopped:
					stopped = m.Text
				}
			}
			if seen != tt.seen || r.stopped() != (tt.seen != "") || tt.seen != "" && !strings.HasSuffix(stopped, " of 20 s: violation seen") {
				t.Errorf("seen %q, stopped %v %q", seen, r.stopped(), stopped)
			}
		})
	}
}
