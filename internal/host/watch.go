package host

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

// Record is what was seen of the computer before a test and during it.
type Record struct {
	Before State  `json:"before"`
	During During `json:"during"`
	// Words are both as a person reads them.
	Words struct {
		Before string `json:"before"`
		During string `json:"during"`
	} `json:"words"`
	// Overloaded says why the times of the test may not be the cluster's; "" they
	// may well be.
	Overloaded string `json:"overloaded"`
}

// During is the worst of a test's time. What cannot be told here is -1.
type During struct {
	Seconds     float64 `json:"seconds"`
	LoadMost    float64 `json:"loadMost"`
	FreeLeast   float64 `json:"freeLeastMiB"`
	CPUStall    float64 `json:"cpuStallMost"`    // %, see State
	DiskStall   float64 `json:"diskStallMost"`   // %
	MemoryStall float64 `json:"memoryStallMost"` // %
	SyncMean    float64 `json:"syncMeanMs"`
	SyncMost    float64 `json:"syncMostMs"`
	LateMost    float64 `json:"lateMostMs"` // squall's own timers
	LateShare   float64 `json:"lateShare"`  // %, of timers that woke more than 100 ms late
	DriverLate  float64 `json:"driverLateMs"`
	// Slept is by how much the wall clock ran ahead of the clock that stands
	// still while a computer sleeps, or was set.
	Slept float64 `json:"sleptSeconds"`
}

// From where on a test's times are the computer's own. They are far from what a
// storm on two cores does to its host.
const (
	mostLoad      = 8.0    // for each core
	mostLate      = 1000.0 // ms, once
	mostLateShare = 2.0    // % of timers, more than 100 ms late
	mostSync      = 5000.0 // ms, once
	mostSyncMean  = 500.0  // ms
	mostSlept     = 1.0    // s
)

// Watch watches the computer while a test runs.
type Watch struct {
	dir   string
	begin time.Time
	stop  chan struct{}
	timer sync.WaitGroup

	mu     sync.Mutex
	record Record
	cores  int
	ticks  int
	late   int
	syncs  int
	synced float64   // ms in all
	asked  time.Time // of the probe of the disk that is under way; zero: none is
}

// Start looks at the computer and watches it until Stop; dir is where the test
// writes.
func Start(dir string) *Watch {
	w := newWatch(dir, Look(dir))
	w.timer.Go(w.watchTimers)
	go w.watchState() // it is not waited for: a disk may hang
	return w
}

func newWatch(dir string, before State) *Watch {
	w := &Watch{dir: dir, begin: time.Now(), stop: make(chan struct{}), cores: before.Cores}
	w.record.Before = before
	w.record.During = During{LoadMost: before.Load, FreeLeast: before.FreeMiB, CPUStall: unknown, DiskStall: unknown,
		MemoryStall: unknown, SyncMean: unknown, SyncMost: unknown}
	return w
}

func (w *Watch) watchTimers() {
	for {
		due := time.Now().Add(tick)
		select {
		case <-w.stop:
			return
		case <-time.After(tick):
		}
		w.tookTimer(ms(time.Since(due)))
	}
}

func (w *Watch) tookTimer(late float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ticks++
	if late > busyLate {
		w.late++
	}
	w.record.During.LateMost = max(w.record.During.LateMost, late)
}

func (w *Watch) watchState() {
	for {
		w.mu.Lock()
		w.asked = time.Now()
		w.mu.Unlock()
		s := read()
		s.SyncMs = syncMs(w.dir)
		w.saw(s)
		select {
		case <-w.stop:
			return
		case <-time.After(glance):
		}
	}
}

// saw takes what was read of the system.
func (w *Watch) saw(s State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = time.Time{}
	d := &w.record.During
	d.LoadMost = max(d.LoadMost, s.Load)
	if s.FreeMiB >= 0 && (d.FreeLeast < 0 || s.FreeMiB < d.FreeLeast) {
		d.FreeLeast = s.FreeMiB
	}
	d.CPUStall, d.DiskStall, d.MemoryStall = max(d.CPUStall, s.CPUStall), max(d.DiskStall, s.DiskStall), max(d.MemoryStall, s.MemoryStall)
	if s.SyncMs >= 0 {
		w.syncs++
		w.synced += s.SyncMs
		d.SyncMost = max(d.SyncMost, s.SyncMs)
	}
}

// Driver takes how late the driver of the load was with what it does every
// second.
func (w *Watch) Driver(late time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.record.During.DriverLate = max(w.record.During.DriverLate, ms(late))
}

// Stop ends the watch and returns what was seen.
func (w *Watch) Stop() Record {
	w.mu.Lock()
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.mu.Unlock()
	w.timer.Wait()
	return w.So()
}

// So is what was seen so far.
func (w *Watch) So() Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record
	d := &r.During
	now := time.Now()
	d.Seconds = round(now.Sub(w.begin).Seconds())
	d.Slept = max(0, round(now.Round(0).Sub(w.begin.Round(0)).Seconds()-now.Sub(w.begin).Seconds()))
	if w.ticks > 0 {
		d.LateShare = round(100 * float64(w.late) / float64(w.ticks))
	}
	if w.syncs > 0 {
		d.SyncMean = round(w.synced / float64(w.syncs))
	}
	if !w.asked.IsZero() { // a disk that has not answered yet
		if waited := ms(now.Sub(w.asked)); waited > mostSync {
			d.SyncMost = max(d.SyncMost, waited)
		}
	}
	r.Overloaded = d.overloaded(w.cores)
	r.Words.Before, r.Words.During = r.Before.String(), d.String()
	return r
}

// String is the worst in words.
func (d During) String() string {
	var parts []string
	add := func(known float64, format string, args ...any) {
		if known >= 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(d.LoadMost, "load at most %s", figure(d.LoadMost))
	add(d.FreeLeast, "at least %.0f MiB of memory free", d.FreeLeast)
	add(d.SyncMean, "the disk stored 4 KiB in %s on average and %s at most", span(d.SyncMean), span(d.SyncMost))
	add(d.LateMost, "timers woke at most %s late", span(d.LateMost))
	add(d.DriverLate, "the driver was at most %s late", span(d.DriverLate))
	return strings.Join(parts, ", ")
}

// overloaded says what is over the bounds.
func (d During) overloaded(cores int) string {
	var why []string
	add := func(over bool, format string, args ...any) {
		if over {
			why = append(why, fmt.Sprintf(format, args...))
		}
	}
	add(d.LateMost > mostLate, "a timer woke %s late", span(d.LateMost))
	add(d.LateMost <= mostLate && d.LateShare > mostLateShare, "%.0f %% of timers woke more than 100 ms late", d.LateShare)
	add(d.DriverLate > mostLate, "the driver was late by %s", span(d.DriverLate))
	add(d.SyncMost > mostSync, "the disk took %s to store 4 KiB", span(d.SyncMost))
	add(d.SyncMost <= mostSync && d.SyncMean > mostSyncMean, "the disk took %s to store 4 KiB on average", span(d.SyncMean))
	add(d.FreeLeast >= 0 && d.FreeLeast < leastFree/2, "only %.0f MiB of memory were free", d.FreeLeast)
	add(d.MemoryStall > busyStall, "%s", stallText(d.MemoryStall))
	add(d.Slept > mostSlept, "the computer slept, or its clock was set, by %.0f s", d.Slept)
	busy := d.LoadMost > mostLoad*float64(cores) && waiting(d.CPUStall)
	if busy || len(why) > 0 && d.LoadMost > busyLoad*float64(cores) {
		why = append([]string{loadText(d.LoadMost, cores)}, why...)
	}
	return strings.Join(why, "; ")
}

func round(v float64) float64 { return math.Round(v*100) / 100 }
