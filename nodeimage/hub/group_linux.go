package hub

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cpuPeriod is the kernel's own choice, in microseconds.
const cpuPeriod = 100_000

// noLimit is from where on version 1 of control groups has no limit of memory.
const noLimit = 1 << 60

// Files of control groups, in version 1 and in version 2.
const (
	quota1  = "cpu.cfs_quota_us"
	quota2  = "cpu.max"
	memory1 = "memory.limit_in_bytes"
	memory2 = "memory.max"
	swap1   = "memory.memsw.limit_in_bytes" // memory and swap together
	swap2   = "memory.swap.max"             // swap alone
)

// inUseError refuses a limit of memory below what is in use.
type inUseError struct {
	limit, used int64 // bytes
}

func (e *inUseError) Error() string {
	return fmt.Sprintf("memory: %d bytes are less than the machine uses now (%d bytes that it cannot give back at once): "+
		"give it more, or end what uses it", e.limit, e.used)
}

// weigh gives the group as much of the processors, when others want them too,
// as so many processes outside would get. Where it cannot, the kernel shares
// out as it likes.
func (g group) weigh(machines int) {
	if g.unified {
		_ = g.put("cpu.weight", strconv.Itoa(min(100*machines, 10_000)))
		return
	}
	_ = g.put("cpu.shares", strconv.Itoa(min(1024*machines, 262_144)))
}

// setProcesses bounds processes and threads; 0 is no limit.
func (g group) setProcesses(n int64) error {
	text := strconv.FormatInt(n, 10)
	if n == 0 {
		text = "max"
	}
	return g.put("pids.max", text) // the same in both versions
}

// leastCPUs is the least that the kernel measures out, in processors.
const leastCPUs = 0.01

// setCPUs limits processors' time; 0 is no limit.
func (g group) setCPUs(cpus float64) error {
	if cpus > 0 && cpus < leastCPUs {
		return fmt.Errorf("cpus: %v is too little: %v is the least", cpus, leastCPUs)
	}
	quota := strconv.Itoa(int(math.Round(cpus * cpuPeriod)))
	if g.unified {
		if cpus == 0 {
			quota = "max"
		}
		return g.put(quota2, quota+" "+strconv.Itoa(cpuPeriod))
	}
	if cpus == 0 {
		quota = "-1"
	}
	if err := g.put("cpu.cfs_period_us", strconv.Itoa(cpuPeriod)); err != nil {
		return err
	}
	return g.put(quota1, quota)
}

// cpus is the limit that is set.
func (g group) cpus() (float64, error) {
	file := quota1
	if g.unified {
		file = quota2
	}
	quota, err := g.number(file)
	return float64(max(quota, 0)) / cpuPeriod, err
}

// setMemory limits memory, and with it swap, so that none softens it; 0 is no
// limit.
func (g group) setMemory(bytes int64) error {
	if err := g.spare(bytes); err != nil {
		return err
	}
	if g.unified {
		return g.setMemory2(bytes)
	}
	text := strconv.FormatInt(bytes, 10)
	if bytes == 0 {
		text = "-1"
	}
	// Memory and swap together may at no time be limited to less than memory.
	files := []string{memory1, swap1}
	if before, err := g.memory(); err == nil && before != 0 && (bytes == 0 || bytes > before) {
		files = []string{swap1, memory1}
	}
	for _, file := range files {
		err := g.put(file, text)
		switch {
		case err == nil || file == swap1 && errors.Is(err, fs.ErrNotExist): // the kernel may not count swap
		case errors.Is(err, unix.EBUSY):
			used, _ := g.inUse()
			return &inUseError{bytes, used}
		default:
			return fmt.Errorf("memory: limiting it to %s: %w", text, err)
		}
	}
	return nil
}

func (g group) setMemory2(bytes int64) error {
	limit, swap := strconv.FormatInt(bytes, 10), "0"
	if bytes == 0 {
		limit, swap = "max", "max"
	}
	if err := g.put(swap2, swap); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("memory: limiting swap to %s: %w", swap, err)
	}
	if err := g.put(memory2, limit); err != nil {
		return fmt.Errorf("memory: limiting it to %s: %w", limit, err)
	}
	return nil
}

// memory is the limit that is set.
func (g group) memory() (int64, error) {
	file := memory1
	if g.unified {
		file = memory2
	}
	n, err := g.number(file)
	if n >= noLimit {
		n = 0
	}
	return n, err
}

// spare refuses a limit below what is in use: version 2 of control groups would
// kill at once to get there, and version 1 refuse after a long search.
func (g group) spare(bytes int64) error {
	if bytes == 0 {
		return nil
	}
	if used, err := g.inUse(); err == nil && used > bytes {
		return &inUseError{bytes, used}
	}
	return nil
}

// inUse is how much memory the group uses without what the kernel could take
// back at once: the pages of files.
func (g group) inUse() (int64, error) {
	file, prefix := "memory.usage_in_bytes", "total_"
	if g.unified {
		file, prefix = "memory.current", ""
	}
	used, err := g.number(file)
	if err != nil {
		return 0, err
	}
	stat, err := os.Open(filepath.Join(g.dir, "memory.stat"))
	if err != nil {
		return 0, err
	}
	defer stat.Close()
	lines := bufio.NewScanner(stat)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name != prefix+"active_file" && name != prefix+"inactive_file" {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading memory.stat of a control group: %w", err)
		}
		used -= n
	}
	return max(used, 0), lines.Err()
}
