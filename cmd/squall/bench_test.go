package main

import (
	"context"
	"os"
	"testing"
	"time"

	"squall/history/check"
	"squall/orchestrator"
	"squall/reports"
)

// BenchmarkCheckAndReport checks a run and writes its report: straight on, as
// `squall run` does at its end, and from the files again, as `squall check` and
// then `squall report` do. SQUALL_MILLION names the run's directory; TestRecordMillion
// of history/check writes such.
func BenchmarkCheckAndReport(b *testing.B) {
	dir := os.Getenv("SQUALL_MILLION")
	if dir == "" {
		b.Skip("SQUALL_MILLION names no run directory")
	}
	again := func(ctx context.Context, c *check.Checked) error { return reports.Write(ctx, c.Dir) }
	for name, report := range map[string]func(context.Context, *check.Checked) error{"straight": reports.WriteChecked, "again": again} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				began := time.Now()
				checked, err := orchestrator.Check(b.Context(), dir)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(began).Seconds(), "check-s")
				began = time.Now()
				if err := report(b.Context(), checked); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(began).Seconds(), "report-s")
			}
		})
	}
}
