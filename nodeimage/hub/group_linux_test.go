package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/nodeimage/hub/protocol"
)

// fake is a directory with the files of a control group.
func fake(t *testing.T, unified bool, files map[string]string) group {
	t.Helper()
	g := group{t.TempDir(), unified}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func (g group) want(t *testing.T, when string, files map[string]string) {
	t.Helper()
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(g.dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s holds %q, %v, want %q", when, name, got, err, want)
		}
	}
}

func version1(t *testing.T) group {
	return fake(t, false, map[string]string{"cpu.cfs_period_us": "100000", quota1: "-1", memory1: "9223372036854771712", swap1: "9223372036854771712",
		"memory.usage_in_bytes": "50000000", "memory.stat": "cache 1\ntotal_active_file 10000000\ntotal_inactive_file 20000000\n"})
}

func version2(t *testing.T) group {
	return fake(t, true, map[string]string{quota2: "max 100000", memory2: "max", swap2: "max",
		"memory.current": "50000000", "memory.stat": "anon 20000000\nactive_file 10000000\ninactive_file 20000000\n"})
}

func TestSettingLimits(t *testing.T) {
	const mib64 = 64 << 20
	for name, test := range map[string]struct {
		group       group
		set, lifted map[string]string
	}{
		"version 1": {version1(t), map[string]string{quota1: "25000", "cpu.cfs_period_us": "100000", memory1: "67108864", swap1: "67108864"},
			map[string]string{quota1: "-1", memory1: "-1", swap1: "-1"}},
		"version 2": {version2(t), map[string]string{quota2: "25000 100000", memory2: "67108864", swap2: "0"},
			map[string]string{quota2: "max 100000", memory2: "max", swap2: "max"}},
	} {
		l := &limits{groups: map[string]map[string]group{"n1": {"cpus": test.group, "memory": test.group}}, lacks: map[string]error{}}
		if err := l.set("n1", protocol.Machine{CPUs: 0.25, Memory: mib64}, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		test.group.want(t, name, test.set)
		// Refused: less than the 20 MB that are no files, and less than can be
		// measured out. Nothing of it is done.
		var inUse *inUseError
		if err := l.set("n1", protocol.Machine{CPUs: 0.5, Memory: 10 << 20}, true); !errors.As(err, &inUse) || inUse.used != 20_000_000 {
			t.Errorf("%s: less than is in use: %v", name, err)
		}
		if err := l.set("n1", protocol.Machine{CPUs: 0.001}, true); err == nil || !strings.Contains(err.Error(), "cpus: 0.001 is too little") {
			t.Errorf("%s: next to no processor: %v", name, err)
		}
		test.group.want(t, name+", after what was refused", test.set)
		if err := l.set("n1", protocol.Machine{}, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		test.group.want(t, name+", lifted", test.lifted)
	}
}

// A kernel that does not count swap has no file to limit it in.
func TestNoSwapToLimit(t *testing.T) {
	for _, g := range []group{version1(t), version2(t)} {
		swap, memory := swap1, memory1
		if g.unified {
			swap, memory = swap2, memory2
		}
		if err := os.Remove(filepath.Join(g.dir, swap)); err != nil {
			t.Fatal(err)
		}
		if err := g.setMemory(64 << 20); err != nil {
			t.Error(err)
		}
		g.want(t, "without swap", map[string]string{memory: "67108864"})
		if _, err := os.Stat(filepath.Join(g.dir, swap)); err == nil {
			t.Error("a file was made that the kernel does not have")
		}
	}
}

func TestLimitsThatLack(t *testing.T) {
	g := version1(t)
	l := &limits{groups: map[string]map[string]group{"n1": {"cpus": g}}, lacks: map[string]error{"memory": os.ErrPermission}}
	if err := l.set("n1", protocol.Machine{CPUs: 0.25, Memory: 64 << 20}, true); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "--memory") {
		t.Errorf("a limit that cannot be set: %v", err)
	}
	g.want(t, "refused", map[string]string{quota1: "-1"})
	if err := l.set("n1", protocol.Machine{CPUs: 0.25}, true); err != nil {
		t.Errorf("the other limit: %v", err)
	}
	g.want(t, "set", map[string]string{quota1: "25000"})
}

// Processes are bounded where they can be, which nobody has to ask for.
func TestProcessesAreBounded(t *testing.T) {
	for _, unified := range []bool{false, true} {
		g := fake(t, unified, map[string]string{"pids.max": "max"})
		l := &limits{groups: map[string]map[string]group{"n1": {"processes": g}}, lacks: map[string]error{}}
		if err := l.set("n1", protocol.Machine{Processes: 4352}, false); err != nil {
			t.Error(err)
		}
		g.want(t, "bounded", map[string]string{"pids.max": "4352"})
	}
	l := &limits{groups: map[string]map[string]group{"n1": {}}, lacks: map[string]error{"processes": os.ErrPermission}}
	if err := l.set("n1", protocol.Machine{Processes: 4352}, false); err != nil {
		t.Errorf("a kernel that does not count them: %v", err)
	}
}

func TestTheMostWantedLimitIsFoundFirst(t *testing.T) {
	for want, m := range map[string]protocol.Machine{"cpus": {CPUs: 1}, "memory": {Memory: 1}} {
		if got := mostWantedFirst([]protocol.Machine{{}, m}); got[0].Name != want || len(got) != 3 || got[2].Name != "processes" {
			t.Errorf("%+v: %v", m, got)
		}
	}
}
