package reports

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"squall/internal/machinetest"
	"squall/reports/browsertest"
)

// BenchmarkMillion writes the report of a run of a million operations, and says
// what it takes: time, the memory that the process ever held at once, and the
// sizes of the pages. SQUALL_BENCH_RUN names a folder to keep the run in.
func BenchmarkMillion(b *testing.B) {
	dir := os.Getenv("SQUALL_BENCH_RUN")
	if dir == "" {
		dir = b.TempDir()
	}
	ops := 0
	func() { // the storm itself is not held while the report is made
		in := newStorm(7, 120, 15, 0, true)
		ops = len(in.Ops)
		saveRun(b, dir, in, judged(in))
	}()
	debug.FreeOSMemory()
	before := resident(b, "VmRSS:")
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak counts from here
	b.ResetTimer()
	for b.Loop() {
		if err := Write(context.Background(), dir); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(ops), "ops")
	b.ReportMetric(before, "MB-before")
	b.ReportMetric(resident(b, "VmHWM:"), "MB-peak")
	for _, name := range []string{ReportFile, TimelineFile, "latency.svg"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/1e6, "MB-"+name)
	}
}

// BenchmarkUsable opens the pages of a run in a browser, and says how long it takes
// until they can be used, as they say themselves: from the start of navigation to
// the first frame with all charts, or to the last operation drawn. SQUALL_LOOK_RUN
// names a run; without it the run is one of 120 s with 15 clients.
func BenchmarkUsable(b *testing.B) {
	dir := os.Getenv("SQUALL_LOOK_RUN")
	if dir == "" {
		dir = b.TempDir()
		in := newStorm(7, 120, 15, 10*time.Millisecond, true)
		saveRun(b, dir, in, judged(in))
		if err := Write(context.Background(), dir); err != nil {
			b.Fatal(err)
		}
	}
	for _, file := range []string{ReportFile, TimelineFile} {
		b.Run(file, func(b *testing.B) {
			page := browsertest.Open(b, 1200, 900)
			var took []float64
			for b.Loop() {
				page.GotoFile(filepath.Join(dir, file))
				await(b, page, "'squall' in window")
				took = append(took, browsertest.Eval[float64](page, "squall.usable"))
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2], "ms-usable-median")
			b.ReportMetric(took[len(took)-1], "ms-usable-worst")
		})
	}
}

// resident is a figure of the process's memory in MB.
func resident(b *testing.B, name string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		machinetest.Skip(b, "no /proc to read the memory from")
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			kB, _ := strconv.ParseFloat(fields[1], 64)
			return kB / 1e3
		}
	}
	return 0
}
