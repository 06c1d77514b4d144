package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLookMeasuresThisComputer(t *testing.T) {
	dir := t.TempDir()
	s := Look(dir)
	if s.Cores < 1 || s.SyncMs <= 0 || s.LateMs < 0 {
		t.Errorf("it saw %+v", s)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	if s := Look(filepath.Join(dir, "nowhere")); s.SyncMs != unknown || strings.Contains(s.String(), "disk") {
		t.Errorf("a folder that is not there takes %v ms: %s", s.SyncMs, s)
	}
}

// Each thing that is over its bound is told of, and nothing else is.
func TestOverloadIsNamed(t *testing.T) {
	calm := func() *Watch {
		w := newWatch("", State{Cores: 2, Load: 1, FreeMiB: 4000})
		for range 100 {
			w.tookTimer(1)
		}
		w.saw(State{Cores: 2, Load: 9, FreeMiB: 3000, SyncMs: 8, CPUStall: 95, DiskStall: 60, MemoryStall: 0})
		return w
	}
	w := newWatch("", State{Cores: 2, Load: 103, FreeMiB: 4000})
	w.saw(State{Cores: 2, Load: 90, FreeMiB: 3000, SyncMs: 8, CPUStall: 48})
	if r := w.So(); r.Overloaded != "" {
		t.Errorf("the load of a minute ago is no overload: %s", r.Overloaded)
	}
	if r := calm().So(); r.Overloaded != "" {
		t.Errorf("a storm on two cores is no overload: %s", r.Overloaded)
	}
	for _, tc := range []struct {
		name string
		do   func(*Watch)
		want string
	}{
		{"load and driver", func(w *Watch) { w.saw(State{Load: 80, FreeMiB: 3000, SyncMs: 1}); w.Driver(4 * time.Second) },
			"load 80 on 2 cores; the driver was late by 4.0 s"},
		{"a timer", func(w *Watch) { w.tookTimer(1400) }, "load 9.0 on 2 cores; a timer woke 1.4 s late"},
		{"many timers", func(w *Watch) {
			for range 10 {
				w.tookTimer(300)
			}
		}, "load 9.0 on 2 cores; 9 % of timers woke more than 100 ms late"},
		{"disk", func(w *Watch) { w.saw(State{Load: 1, FreeMiB: 3000, SyncMs: 6200}) }, "load 9.0 on 2 cores; the disk took 6.2 s to store 4 KiB"},
		{"memory", func(w *Watch) { w.saw(State{Load: 1, FreeMiB: 30, SyncMs: 1}) }, "load 9.0 on 2 cores; only 30 MiB of memory were free"},
	} {
		w := calm()
		tc.do(w)
		if got := w.So().Overloaded; got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// What a system does not tell is neither shown nor held against it.
func TestAnUnknownStateIsNoOverload(t *testing.T) {
	s := State{Cores: 4, Load: unknown, FreeMiB: unknown, MemoryMiB: unknown, CPUStall: unknown, DiskStall: unknown, MemoryStall: unknown, SyncMs: unknown, LateMs: unknown}
	if s.Busy() != "" || s.String() != "4 cores" {
		t.Errorf("%q, busy: %q", s, s.Busy())
	}
	w := newWatch("", s)
	w.saw(s)
	if r := w.So(); r.Overloaded != "" {
		t.Errorf("overloaded: %s", r.Overloaded)
	}
}

func TestBusy(t *testing.T) {
	for _, tc := range []struct {
		s    State
		want string
	}{
		{State{Cores: 2, Load: 5.9, FreeMiB: 1000}, ""},
		{State{Cores: 2, Load: 12, FreeMiB: 1000, CPUStall: 90}, "load 12 on 2 cores"},
		{State{Cores: 2, Load: 12, FreeMiB: 1000, CPUStall: unknown}, "load 12 on 2 cores"},
		{State{Cores: 2, Load: 103, FreeMiB: 1000, CPUStall: 5}, ""}, // of a minute ago
		{State{Cores: 2, LateMs: 150, FreeMiB: 1000}, "a timer woke 150 ms late"},
		{State{Cores: 2, SyncMs: 300, FreeMiB: 50}, "the disk took 300 ms to store 4 KiB; only 50 MiB of memory are free"},
	} {
		if got := tc.s.Busy(); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.s, got, tc.want)
		}
	}
}

func TestAWatchEnds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(dir, State{Cores: 2, FreeMiB: 1})
		w.timer.Go(w.watchTimers)
		go w.watchState()
		time.Sleep(7 * time.Second)
		r := w.Stop()
		if again := w.Stop(); again.During.Seconds != r.During.Seconds {
			t.Errorf("stopped twice: %v and %v", r.During, again.During)
		}
		if r.During.Seconds != 7 || w.ticks < 100 || w.syncs != 4 {
			t.Errorf("%d timers and %d probes in %v s", w.ticks, w.syncs, r.During.Seconds)
		}
		time.Sleep(glance)
	})
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

// A disk that does not answer is noticed, and does not hold the end of the test.
func TestADiskThatHangsIsNoticed(t *testing.T) {
	w := newWatch("", State{Cores: 2, FreeMiB: 1000})
	w.asked = time.Now().Add(-9 * time.Second)
	if r := w.Stop(); !strings.Contains(r.Overloaded, "the disk took 9.0 s") {
		t.Errorf("overloaded: %q", r.Overloaded)
	}
}
