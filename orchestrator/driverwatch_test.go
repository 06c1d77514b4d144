package orchestrator

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"squall/nodeimage/agent/protocol"
	"squall/workloads/driver"
)

// watchedDriver is a driver as its watch sees it.
type watchedDriver struct {
	said   uint64
	taking bool
	state  protocol.ProcState
	err    error // of its machine
	gone   error // what machines are reached through
	host   string
	asked  int
	failed *failure
}

// failure is what a test failed because of, for several goroutines.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (d *watchedDriver) watch() *driverWatch {
	return &driverWatch{
		heard: func() (uint64, bool) { return atomic.LoadUint64(&d.said), d.taking },
		state: func(context.Context) (protocol.ProcState, error) { d.asked++; return d.state, d.err },
		reach: func(context.Context) error { return d.gone },
		busy:  func() string { return d.host },
		fail:  d.failed.set,
	}
}

// watching has a driver watched by a ticker in virtual time.
func watching(t *testing.T, d *watchedDriver, live func()) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tick := time.NewTicker(driverLook)
		defer tick.Stop()
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.watch().watch(ctx, tick.C)
		}()
		live()
		synctest.Wait()
		cancel()
		<-done
	})
}

// TestADriverThatHangsIsNoticed: after so long, and by what is known of it.
func TestADriverThatHangsIsNoticed(t *testing.T) {
	running, stopped := protocol.ProcState{Running: true, State: "S"}, protocol.ProcState{Running: true, State: "T"}
	dead := errors.New("no answer")
	for name, test := range map[string]struct {
		d     watchedDriver
		after time.Duration // it is not taken to hang before, and is then; 0: never
		want  string
	}{
		"stopped":                   {watchedDriver{state: stopped}, driverSilence, "has said nothing for 10s: its process is stopped, as by SIGSTOP"},
		"stopped, on a busy host":   {watchedDriver{state: stopped, host: "load 90"}, driverSilence, "is stopped"},
		"hangs":                     {watchedDriver{state: running}, driverSilence, "its process runs and hangs; its log is nodes/driver/server.log"},
		"late, on a busy host":      {watchedDriver{state: running, host: "the host is busy: load 90"}, driverPatience, "for 30s: its process runs and hangs"},
		"frozen with its machine":   {watchedDriver{err: dead}, driverSilence, "its machine does not answer either"},
		"the engine hangs":          {watchedDriver{err: dead, gone: dead}, 0, ""},
		"it has just ended":         {watchedDriver{state: protocol.ProcState{}}, 0, ""},
		"squall is slow to take it": {watchedDriver{state: running, taking: true}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := test.d
			d.failed = new(failure)
			watching(t, &d, func() {
				synctest.Wait()
				atomic.AddUint64(&d.said, 1)
				time.Sleep(driverLook) // it is heard for the last time
				if test.after == 0 {
					time.Sleep(time.Hour)
					return
				}
				time.Sleep(test.after - time.Millisecond)
				synctest.Wait()
				if d.failed.get() != nil {
					t.Errorf("too early: %v", d.failed.get())
				}
				time.Sleep(time.Millisecond)
			})
			if test.after == 0 && d.failed.get() != nil || test.after > 0 && (d.failed.get() == nil || !strings.Contains(d.failed.get().Error(), test.want)) {
				t.Errorf("the test fails because of %v, want %q", d.failed.get(), test.want)
			}
		})
	}
}

// TestADriverThatSpeaksIsNotAsked, however late each word of it is.
func TestADriverThatSpeaksIsNotAsked(t *testing.T) {
	d := &watchedDriver{state: protocol.ProcState{Running: true, State: "T"}, failed: new(failure)}
	watching(t, d, func() {
		for range 100 {
			time.Sleep(driverSilence - driverLook)
			synctest.Wait() // for the look of the same moment
			atomic.AddUint64(&d.said, 1)
		}
	})
	if d.failed.get() != nil || d.asked > 0 {
		t.Errorf("failed because of %v, asked %d times", d.failed.get(), d.asked)
	}
}

// TestTheTimeInWhichSquallWasStoppedDoesNotCount: it has no ticks, however long it
// was.
func TestTheTimeInWhichSquallWasStoppedDoesNotCount(t *testing.T) {
	d := &watchedDriver{state: protocol.ProcState{Running: true, State: "T"}, failed: new(failure)}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ticks := make(chan time.Time)
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.watch().watch(ctx, ticks)
		}()
		for range driverSilence/driverLook - 1 {
			time.Sleep(time.Hour)
			ticks <- time.Now()
		}
		synctest.Wait()
		if d.failed.get() != nil || d.asked > 0 {
			t.Errorf("after %d looks it fails because of %v", driverSilence/driverLook-1, d.failed.get())
		}
		ticks <- time.Now()
		<-done
		cancel()
	})
	if d.failed.get() == nil {
		t.Error("after one look more it does not fail")
	}
}

// TestWhatTheDriverSaysIsHeard: of whichever kind, and while it is being recorded.
func TestWhatTheDriverSaysIsHeard(t *testing.T) {
	l := newLoader()
	l.sink, l.log, l.status = new(sink), io.Discard, func(driver.Event) {}
	taking := false
	l.lines = func([]byte) error { _, taking = l.heard(); return nil }
	l.Stream(protocol.StreamTrace, 1, []byte("{}\n"))
	if !taking {
		t.Error("what is being recorded counts as silence")
	}
	l.Stream(protocol.StreamLog, 1, []byte("a"))
	if said, taking := l.heard(); said != 2 || taking {
		t.Errorf("said %d, taking: %t", said, taking)
	}
}

// TestADriverThatHangsIsNotWaitedFor at the end of a test.
func TestADriverThatHangsIsNotWaitedFor(t *testing.T) {
	l := newLoader()
	ctx, cancel, usual := l.patience(t.Context())
	defer cancel()
	if _, bounded := ctx.Deadline(); bounded || usual <= hungGrace {
		t.Errorf("one that does not hang has %v, bounded: %t", usual, bounded)
	}
	l.hung.Store(true)
	ctx, cancel, grace := l.patience(t.Context())
	defer cancel()
	if _, bounded := ctx.Deadline(); !bounded || grace != hungGrace {
		t.Errorf("one that hangs has %v, bounded: %t", grace, bounded)
	}
}
