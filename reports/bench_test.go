package reports

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
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

// resident is a figure of the process's memory in MB.
func resident(b *testing.B, name string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc to read the memory from")
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			kB, _ := strconv.ParseFloat(fields[1], 64)
			return kB / 1e3
		}
	}
	return 0
}
