// Package host measures the computer that a test runs on: how busy it is, how
// much memory is free, how long its disk takes and how late its timers wake. On a
// computer that is overloaded, elections, latencies and the proofs of faults are
// its own and not those of the cluster.
package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// State is the computer at a moment. What cannot be told here is -1.
type State struct {
	Cores       int     `json:"cores"`
	Load        float64 `json:"load"`        // average of the last minute, of all that runs here
	FreeMiB     float64 `json:"freeMiB"`     // memory that can be had without swapping
	MemoryMiB   float64 `json:"memoryMiB"`   // in all
	CPUStall    float64 `json:"cpuStall"`    // % of the last 10 s in which something waited for a processor (PSI)
	DiskStall   float64 `json:"diskStall"`   // likewise for the disk, everything at once
	MemoryStall float64 `json:"memoryStall"` // likewise for memory, everything at once
	SyncMs      float64 `json:"syncMs"`      // a small write and its fsync
	LateMs      float64 `json:"lateMs"`      // how late a timer woke, at worst
}

const unknown = -1

// How long Look watches timers, and how often the computer is looked at.
const (
	lookFor  = 200 * time.Millisecond
	tick     = 50 * time.Millisecond
	glance   = 2 * time.Second
	probed   = 4 << 10 // bytes written to see how long the disk takes
	probeTry = ".host-probe"
)

// Look measures for a fifth of a second; dir is a folder on the disk that is meant.
func Look(dir string) State {
	s := read()
	s.SyncMs = syncMs(dir)
	s.LateMs = 0
	for begin := time.Now(); time.Since(begin) < lookFor; {
		due := time.Now().Add(tick)
		time.Sleep(tick)
		s.LateMs = max(s.LateMs, ms(time.Since(due)))
	}
	return s
}

// read is what the system says of itself.
func read() State {
	s := State{Cores: runtime.NumCPU(), Load: unknown, FreeMiB: unknown, MemoryMiB: unknown,
		CPUStall: unknown, DiskStall: unknown, MemoryStall: unknown, SyncMs: unknown, LateMs: unknown}
	s.fill()
	return s
}

// syncMs is how long a small write and its fsync take in a folder; unknown where
// nothing can be written.
func syncMs(dir string) float64 {
	path := filepath.Join(dir, probeTry)
	f, err := os.Create(path)
	if err != nil {
		return unknown
	}
	defer os.Remove(path)
	defer f.Close()
	begin := time.Now()
	if _, err := f.Write(make([]byte, probed)); err != nil {
		return unknown
	}
	if err := f.Sync(); err != nil {
		return unknown
	}
	return ms(time.Since(begin))
}

func ms(d time.Duration) float64 { return float64(d.Round(10*time.Microsecond)) / 1e6 }

// From where on a computer is too busy for a test that begins.
const (
	busyLoad  = 3.0   // for each core
	busyLate  = 100.0 // ms
	busySync  = 250.0 // ms
	busyCPU   = 60.0  // %, see State.CPUStall
	busyStall = 20.0  // %, memory
	leastFree = 128.0 // MiB
)

// Busy says what of a state makes a computer a bad place for a test that begins
// now; "" is nothing.
func (s State) Busy() string {
	var why []string
	if s.Load > busyLoad*float64(s.Cores) && waiting(s.CPUStall) {
		why = append(why, loadText(s.Load, s.Cores))
	}
	if s.LateMs > busyLate {
		why = append(why, fmt.Sprintf("a timer woke %s late", span(s.LateMs)))
	}
	if s.SyncMs > busySync {
		why = append(why, fmt.Sprintf("the disk took %s to store 4 KiB", span(s.SyncMs)))
	}
	if s.FreeMiB >= 0 && s.FreeMiB < leastFree {
		why = append(why, fmt.Sprintf("only %.0f MiB of memory are free", s.FreeMiB))
	}
	if s.MemoryStall > busyStall {
		why = append(why, stallText(s.MemoryStall))
	}
	return strings.Join(why, "; ")
}

// String is the state in words.
func (s State) String() string {
	parts := []string{fmt.Sprintf("%d cores", s.Cores)}
	add := func(known float64, format string, args ...any) {
		if known >= 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(s.Load, "load %s", figure(s.Load))
	add(s.FreeMiB, "%.0f of %.0f MiB of memory free", s.FreeMiB, s.MemoryMiB)
	add(s.SyncMs, "the disk stores 4 KiB in %s", span(s.SyncMs))
	add(s.LateMs, "timers wake at most %s late", span(s.LateMs))
	return strings.Join(parts, ", ")
}

// waiting reports whether something waits for a processor now, as far as the
// kernel tells: the average of a minute still tells of load that is over, and on
// Linux of what waits for disks.
func waiting(cpuStall float64) bool { return cpuStall < 0 || cpuStall > busyCPU }

func loadText(load float64, cores int) string {
	return fmt.Sprintf("load %s on %d cores", figure(load), cores)
}

func stallText(share float64) string {
	return fmt.Sprintf("everything waited for memory %.0f %% of the time", share)
}

// figure leaves out decimals that mean nothing.
func figure(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// span writes milliseconds as people do.
func span(ms float64) string {
	if ms >= 1000 {
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return figure(ms) + " ms"
}
