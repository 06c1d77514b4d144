package agent

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"squall/nodeimage/agent/protocol"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	selfCgroup = "/proc/self/cgroup"
	// noLimit is from where on version 1 of control groups has no limit.
	noLimit = 1 << 60
)

// usage reads the control groups of this process, which in a machine are the
// machine's. root is where control groups are mounted, self the file that tells
// which are this process's.
func usage(root, self string) protocol.Usage {
	var u protocol.Usage
	memory, memory2, err := findGroup(root, self, "memory", "memory.current")
	if err == nil {
		err = readMemory(memory, memory2, &u)
	}
	if err != nil {
		u.MemoryWhy = err.Error()
	}
	cpu, cpu2, err := findGroup(root, self, "cpu", "cpu.max")
	if err == nil {
		err = readCPU(cpu, cpu2, &u)
	}
	if err != nil {
		u.CPUWhy = err.Error()
	}
	return u
}

// findGroup finds this process's group with a controller. A container sees its
// own group where others see all of them; it may be told a path that it does not
// see. file is one that such a group of version 2 has.
func findGroup(root, self, controller, file string) (dir string, unified bool, err error) {
	text, err := os.ReadFile(self)
	if err != nil {
		return "", false, err
	}
	path1, path2 := "/", "/"
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		if fields[1] == "" {
			path2 = fields[2]
		}
		for _, c := range strings.Split(fields[1], ",") {
			if c == controller {
				path1 = fields[2]
			}
		}
	}
	for _, at := range []string{filepath.Join(root, controller, path1), filepath.Join(root, controller)} {
		if _, err := os.Stat(filepath.Join(at, "cgroup.procs")); err == nil {
			return at, false, nil
		}
	}
	for _, at := range []string{filepath.Join(root, path2), root} {
		if _, err := os.Stat(filepath.Join(at, file)); err == nil {
			return at, true, nil
		}
	}
	return "", false, fmt.Errorf("the machine has no control group of its own with the controller %s in %s: "+
		"it cannot be limited there either", controller, root)
}

func readMemory(dir string, unified bool, u *protocol.Usage) error {
	limit, used, events, prefix := "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control", "total_"
	if unified {
		limit, used, events, prefix = "memory.max", "memory.current", "memory.events", ""
	}
	var err error
	if u.MemoryLimit, err = readNumber(dir, limit); err != nil {
		return err
	}
	if u.MemoryLimit >= noLimit {
		u.MemoryLimit = 0
	}
	if u.MemoryUsed, err = readNumber(dir, used); err != nil {
		return err
	}
	stat, err := readTable(dir, "memory.stat")
	if err != nil {
		return err
	}
	u.MemoryFiles = stat[prefix+"active_file"] + stat[prefix+"inactive_file"]
	counts, err := readTable(dir, events)
	if err != nil {
		return err
	}
	kills, ok := counts["oom_kill"]
	if !ok {
		return fmt.Errorf("%s of the machine's control group does not count kills: the kernel is older than 4.13", events)
	}
	u.OOMKills = uint64(kills)
	return nil
}

func readCPU(dir string, unified bool, u *protocol.Usage) error {
	stat, err := readTable(dir, "cpu.stat")
	if err != nil {
		return err
	}
	if unified {
		u.CPUThrottled = time.Duration(stat["throttled_usec"]) * time.Microsecond
		text, err := os.ReadFile(filepath.Join(dir, "cpu.max"))
		if err != nil {
			return err
		}
		var quota, period float64
		if n, _ := fmt.Sscan(string(text), &quota, &period); n == 2 && period > 0 { // else it is "max"
			u.CPULimit = quota / period
		}
		return nil
	}
	u.CPUThrottled = time.Duration(stat["throttled_time"])
	quota, err := readNumber(dir, "cpu.cfs_quota_us")
	if err != nil {
		return err
	}
	period, err := readNumber(dir, "cpu.cfs_period_us")
	if err != nil {
		return err
	}
	if quota > 0 && period > 0 {
		u.CPULimit = float64(quota) / float64(period)
	}
	return nil
}

// readNumber reads a file with one number; "max" is 0.
func readNumber(dir, file string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, err
	}
	word := strings.TrimSpace(string(text))
	if word == "max" {
		return 0, nil
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s of the machine's control group: %w", file, err)
	}
	return n, nil
}

// readTable reads a file with a name and a number on each line.
func readTable(dir, file string) (map[string]int64, error) {
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	table := map[string]int64{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
			table[name] = n
		}
	}
	return table, lines.Err()
}
