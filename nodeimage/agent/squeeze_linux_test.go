package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"squall/nodeimage/agent/protocol"
)

func TestSpin(t *testing.T) {
	h := newHarness(t, new(recorder))
	const long = 200 * time.Millisecond
	for threads := range 3 {
		if threads == 0 {
			continue
		}
		begin := time.Now()
		cpu, err := h.Spin(t.Context(), long, threads)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < long {
			t.Errorf("%d threads for %v: it took %v", threads, long, took)
		}
		// How much they get depends on what else runs here. A thread measures
		// up to the end of its slice, so it may get a little more.
		if most := time.Duration(threads) * (long + 100*time.Millisecond); cpu <= 0 || cpu > most {
			t.Errorf("%d threads for %v got %v of processors' time, want up to %v", threads, long, cpu, most)
		}
	}
	for _, bad := range []struct {
		d       time.Duration
		threads int
	}{{0, 1}, {-1, 1}, {protocol.MaxSpin + 1, 1}, {1, 0}, {1, protocol.MaxSpinThreads + 1}} {
		if _, err := h.Spin(t.Context(), bad.d, bad.threads); err == nil || !strings.Contains(err.Error(), "are possible") {
			t.Errorf("spin %v, %d: %v", bad.d, bad.threads, err)
		}
	}
}

// hogged is the resident memory, in bytes, of all hogs of this process.
func hogged(t *testing.T) (bytes int64) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		st, err := readStat(dir + "/stat")
		cmdline, _ := os.ReadFile(dir + "/cmdline")
		if err != nil || st.ppid != os.Getpid() || !strings.HasSuffix(string(cmdline), "squeeze\x00hog\x00") {
			continue
		}
		status, _ := os.ReadFile(dir + "/status")
		for line := range strings.Lines(string(status)) {
			var kib int64
			if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kib); n == 1 {
				bytes += kib << 10
			}
		}
	}
	return bytes
}

func TestHog(t *testing.T) {
	h := newHarness(t, new(recorder))
	ctx := t.Context()
	const runtimeOwn = 32 << 20 // what a Go program has for itself, at most
	for _, want := range []int64{64 << 20, 16<<20 + 1, 0} {
		var state protocol.HogState
		var err error
		if want == 0 {
			err = h.Unhog(ctx)
		} else {
			state, err = h.Hog(ctx, protocol.HogSpec{Bytes: want})
		}
		if err != nil || state != (protocol.HogState{Held: want}) {
			t.Fatalf("hog %d: %+v, %v", want, state, err)
		}
		if got := hogged(t); got < want || got > want+runtimeOwn || want == 0 && got > 0 {
			t.Errorf("hog %d: %d bytes are in use", want, got)
		}
	}
	if err := h.Unhog(ctx); err != nil {
		t.Errorf("nothing to let go: %v", err)
	}
	if _, err := h.Hog(ctx, protocol.HogSpec{Bytes: -1}); err == nil {
		t.Error("less than nothing was taken")
	}
	// More than any computer has.
	if _, err := h.Hog(ctx, protocol.HogSpec{Bytes: 1 << 60}); err == nil || !strings.Contains(err.Error(), "cannot allocate memory") {
		t.Errorf("hog of all memory: %v", err)
	}
	// One that is called off while it grows.
	growing := make(chan error, 1)
	go func() {
		_, err := h.Hog(ctx, protocol.HogSpec{Bytes: 4 << 30})
		growing <- err
	}()
	eventually(t, "some growth", func() bool { return hogged(t) > 8<<20 })
	if err := h.Unhog(ctx); err != nil {
		t.Error(err)
	}
	if err := <-growing; err == nil || !strings.Contains(err.Error(), "called off") {
		t.Errorf("a hog that was called off: %v", err)
	}
	if got := hogged(t); got > 0 {
		t.Errorf("%d bytes are still in use", got)
	}
}

// TestServerFirst: a hog may make the server the kernel's first victim, and
// what it did to it is taken back.
func TestServerFirst(t *testing.T) {
	h := newHarness(t, new(recorder))
	ctx := t.Context()
	spec := protocol.HogSpec{Bytes: 1 << 20, ServerFirst: true}
	if _, err := h.Hog(ctx, spec); !errors.Is(err, protocol.ErrNotRunning) {
		t.Errorf("without a server: %v, want ErrNotRunning", err)
	}
	server := h.run(t, "hang")
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	score := func(pid int) string {
		text, err := os.ReadFile(oomScore(pid))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := score(server.PID)
	if before != fmt.Sprintln(serverScore) {
		t.Errorf("a server's score is %q, want %d: above the agent's", before, serverScore)
	}
	if _, err := h.Hog(ctx, spec); err != nil {
		t.Fatal(err)
	}
	if got := score(server.PID); got != killFirst+"\n" {
		t.Errorf("the server's score is %q, want %s", got, killFirst)
	}
	if got := score(os.Getpid()); got != string(own) {
		t.Errorf("the agent's score went from %q to %q", own, got)
	}
	if _, err := h.Hog(ctx, protocol.HogSpec{Bytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if got := score(server.PID); got != before {
		t.Errorf("with another hog the server's score is %q, want %q", got, before)
	}
	if _, err := h.Hog(ctx, spec); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Unhog(ctx); err != nil {
		t.Errorf("after the server's end: %v", err)
	}
}

// TestServerEndsGrowth: it is not the kernel that kills the server here, but for
// the hog it is all the same.
func TestServerEndsGrowth(t *testing.T) {
	h := newHarness(t, new(recorder))
	h.run(t, "hang")
	go func() {
		for hogged(t) < 200<<20 { // much more than it and its decoys need for themselves
			time.Sleep(time.Millisecond)
		}
		h.Kill(t.Context())
	}()
	const want = 4 << 30
	state, err := h.Hog(t.Context(), protocol.HogSpec{Bytes: want, ServerFirst: true})
	if err != nil || !state.ServerEnded || state.Held < 50<<20 || state.Held >= want {
		t.Errorf("got %+v, %v, want that the server's end ended it", state, err)
	}
	if got := hogged(t); got < state.Held {
		t.Errorf("%d bytes are in use, %d are held", got, state.Held)
	}
}

func TestUsage(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  protocol.Usage
	}{
		"version 1, seen from inside a container": {map[string]string{
			"self":                              "4:memory:/docker/abc\n1:cpu:/docker/abc\n0::/docker/abc\n",
			"fs/memory/cgroup.procs":            "",
			"fs/memory/memory.limit_in_bytes":   "67108864\n",
			"fs/memory/memory.usage_in_bytes":   "5000\n",
			"fs/memory/memory.stat":             "active_file 1\ntotal_active_file 100\ntotal_inactive_file 200\n",
			"fs/memory/memory.oom_control":      "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
			"fs/cpu/cgroup.procs":               "",
			"fs/cpu/cpu.cfs_quota_us":           "20000\n",
			"fs/cpu/cpu.cfs_period_us":          "100000\n",
			"fs/cpu/cpu.stat":                   "nr_periods 5\nnr_throttled 2\nthrottled_time 1500\n",
			"fs/unified/cgroup.procs":           "",
			"fs/memory/other/cgroup.procs":      "",
			"fs/memory/other/memory.stat":       "total_active_file 9\n",
			"fs/memory/other/memory.oom_contro": "oom_kill 9\n",
		}, protocol.Usage{MemoryLimit: 64 << 20, MemoryUsed: 5000, MemoryFiles: 300, OOMKills: 3, CPULimit: 0.2, CPUThrottled: 1500}},
		"version 1 without limits, seen from outside": {map[string]string{
			"self":                                "4:memory,pids:/box\n1:cpu,cpuacct:/box\n",
			"fs/memory/cgroup.procs":              "",
			"fs/memory/box/cgroup.procs":          "",
			"fs/memory/box/memory.limit_in_bytes": "9223372036854771712\n",
			"fs/memory/box/memory.usage_in_bytes": "6000\n",
			"fs/memory/box/memory.stat":           "total_active_file 0\n",
			"fs/memory/box/memory.oom_control":    "oom_kill 0\n",
			"fs/cpu/box/cgroup.procs":             "",
			"fs/cpu/box/cpu.cfs_quota_us":         "-1\n",
			"fs/cpu/box/cpu.cfs_period_us":        "100000\n",
			"fs/cpu/box/cpu.stat":                 "throttled_time 0\n",
		}, protocol.Usage{MemoryUsed: 6000}},
		"version 2": {map[string]string{
			"self":                "0::/\n",
			"fs/memory.max":       "67108864\n",
			"fs/memory.current":   "5000\n",
			"fs/memory.stat":      "anon 4000\nactive_file 100\ninactive_file 200\n",
			"fs/memory.events":    "low 0\nmax 7\noom 3\noom_kill 3\n",
			"fs/cpu.max":          "25000 100000\n",
			"fs/cpu.stat":         "usage_usec 9\nthrottled_usec 15\n",
			"fs/box/memory.stat":  "anon 1\n",
			"fs/box/cgroup.procs": "",
		}, protocol.Usage{MemoryLimit: 64 << 20, MemoryUsed: 5000, MemoryFiles: 300, OOMKills: 3, CPULimit: 0.25, CPUThrottled: 15 * time.Microsecond}},
		"version 2 without limits": {map[string]string{
			"self":                  "0::/box\n",
			"fs/box/memory.max":     "max\n",
			"fs/box/memory.current": "5000\n",
			"fs/box/memory.stat":    "anon 4000\n",
			"fs/box/memory.events":  "oom_kill 0\n",
			"fs/box/cpu.max":        "max 100000\n",
			"fs/box/cpu.stat":       "throttled_usec 0\n",
		}, protocol.Usage{MemoryUsed: 5000}},
	} {
		root := t.TempDir()
		for file, text := range test.files {
			path := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := usage(filepath.Join(root, "fs"), filepath.Join(root, "self")); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
	none := t.TempDir()
	if err := os.WriteFile(filepath.Join(none, "self"), []byte("0::/\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	u := usage(none, filepath.Join(none, "self"))
	if !strings.Contains(u.MemoryWhy, "no control group of its own with the controller memory") || !strings.Contains(u.CPUWhy, "controller cpu") {
		t.Errorf("without control groups: %+v", u)
	}
}
