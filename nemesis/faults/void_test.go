package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/nemesis"
)

// moody is a fault whose injection comes to what a test says, try by try.
func moody(undone *int, tries ...error) nemesis.Fault {
	try := 0
	return nemesis.Fault{Name: "moody", Kind: history.KindProcess, Variants: targets(), MinNodes: 1,
		Inject: func(ctx context.Context, h *nemesis.Hit) error {
			h.Targets = append(h.Targets, "n2")
			err := tries[min(try, len(tries)-1)]
			try++
			if errors.Is(err, context.DeadlineExceeded) { // it hangs
				<-ctx.Done()
				return fmt.Errorf("n2: look at its process: %w", ctx.Err())
			}
			h.Say("n2: done")
			return err
		},
		Undo: func(context.Context, *nemesis.Hit) error { *undone++; return nil }}
}

// runMoody runs a fault of a catalogue of its own, that is to hold for 20 s.
func runMoody(t *testing.T, fault nemesis.Fault, set func(*nemesis.Runner)) (recorded []history.Fault, warned []string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var rec memory
		begin := time.Now()
		r := nemesis.Runner{Catalogue: []nemesis.Fault{fault}, Cluster: newFake(3), Recorder: &rec,
			Now: func() int64 { return int64(time.Since(begin)) }, Warn: func(text string) { warned = append(warned, text) }}
		if set != nil {
			set(&r)
		}
		p := planned(fault, "one")
		p.ForMs = 20_000
		err = r.Run(t.Context(), []nemesis.Planned{p}, 0)
		recorded = rec.faults
	})
	return recorded, warned, err
}

// TestAFailedProofIsTriedAgain: what it did by halves is undone before.
func TestAFailedProofIsTriedAgain(t *testing.T) {
	undone := 0
	recorded, warned, err := runMoody(t, moody(&undone, errors.New("n2: state S"), nil), nil)
	if err != nil || len(recorded) != 2 || undone != 2 || len(warned) != 0 {
		t.Fatalf("Run = %v; recorded %+v; undone %d times; warned %q", err, recorded, undone, warned)
	}
	f := recorded[0]
	if f.Err != "" || len(f.Targets) != 1 || len(f.Proof) != 2 || f.Proof[0] != "try 1: n2: state S" || f.Proof[1] != "n2: done" {
		t.Errorf("%+v", f)
	}
}

// TestAVoidFault: a proof that never comes makes the fault void and says why, in
// words; the run goes on, and is not longer than the fault was to be.
func TestAVoidFault(t *testing.T) {
	undone := 0
	recorded, warned, err := runMoody(t, moody(&undone, errors.New("n2: state S")), nil)
	if err != nil || len(recorded) != 2 || recorded[0].Err != "n2: state S" || recorded[1].Err != "" || undone != 3 {
		t.Errorf("Run = %v; recorded %+v; undone %d times", err, recorded, undone)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "fault 1, moody(one), did not take effect: n2: state S") {
		t.Errorf("warned %q", warned)
	}

	recorded, _, err = runMoody(t, moody(&undone, context.DeadlineExceeded), func(r *nemesis.Runner) {
		r.Load = func() string { return "the host was overloaded: load 80 on 2 cores" }
	})
	want := "it was not seen within 15s: n2: look at its process: no answer in time (the host was overloaded: load 80 on 2 cores)"
	if err != nil || recorded[0].Err != want {
		t.Errorf("Run = %v; the reason is %q, want %q", err, recorded[0].Err, want)
	}
	if at := time.Duration(recorded[0].End); at > 40*time.Second { // two tries: the second began before its time was over
		t.Errorf("it was given up after %v", at)
	}
}

// TestAFaultThatLapses: what fails in the middle is no failure of the injection or
// of the heal, and the heal says that the fault did not hold to its end.
func TestAFaultThatLapses(t *testing.T) {
	undone := 0
	fault := moody(&undone, nil)
	steps := 0
	fault.Sustain = func(ctx context.Context, _ *nemesis.Hit) error {
		for sleep(ctx, 3*time.Second) {
			if steps++; steps == 2 {
				return errors.New("n2: process 7 runs on")
			}
		}
		return nil
	}
	recorded, warned, err := runMoody(t, fault, nil)
	if err != nil || len(recorded) != 2 || undone != 1 {
		t.Fatalf("Run = %v; recorded %+v; undone %d times", err, recorded, undone)
	}
	if in, out := recorded[0], recorded[1]; in.Err != "" || in.Lapsed != "" || out.Err != "" || out.Lapsed != "n2: process 7 runs on" {
		t.Errorf("recorded %+v", recorded)
	}
	if at := time.Duration(recorded[1].Begin); at != 21*time.Second { // it began after one
		t.Errorf("it was healed after %v", at)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "stopped taking effect before its end: n2: process 7 runs on") {
		t.Errorf("warned %q", warned)
	}
}

// TestAServerThatCrashesWhileAFaultHolds: it is started again, and the heal is none
// that failed.
func TestAServerThatCrashesWhileAFaultHolds(t *testing.T) {
	for _, again := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, begin := newFake(3), time.Now()
			var rec memory
			r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
			r.Notice = func(f history.Fault) {
				if f.ID == 1 && f.Phase == history.Inject {
					c.mu.Lock()
					c.crashing = again
					c.node(f.Targets[0]).proc = nemesis.Process{Exit: "exit status 2: panic", Crashed: true}
					c.mu.Unlock()
				}
			}
			second := planned(partition(), "one")
			second.ID, second.AtMs = 2, 10_000
			if err := r.Run(t.Context(), []nemesis.Planned{planned(pause(), "one"), second}, 0); err != nil || len(rec.faults) != 4 {
				t.Fatalf("Run = %v; recorded %+v", err, rec.faults)
			}
			healed := rec.faults[1]
			if healed.Err != "" || !strings.Contains(strings.Join(healed.Proof, "\n"), "ended by itself (exit status 2: panic)") {
				t.Errorf("it crashes again: %t; the heal: %+v", again, healed)
			}
			proof, err := nemesis.HealAll(t.Context(), c)
			if text := strings.Join(proof, "\n"); err != nil || strings.Contains(text, "ended by itself") != again {
				t.Errorf("it crashes again: %t; HealAll = %v, %v", again, proof, err)
			}
		})
	}
}

// TestMachinesOutOfReach: nothing is waited for any more.
func TestMachinesOutOfReach(t *testing.T) {
	var gone chan struct{}
	undone := 0
	fault := moody(&undone, nil)
	fault.Undo = func(ctx context.Context, _ *nemesis.Hit) error {
		undone++
		time.AfterFunc(time.Second, func() { close(gone) })
		<-ctx.Done()
		return ctx.Err()
	}
	var took time.Duration
	recorded, _, err := runMoody(t, fault, func(r *nemesis.Runner) {
		gone = make(chan struct{}) // of the bubble in which the test runs
		r.Abandon = gone
		r.Notice = func(f history.Fault) { took = time.Duration(f.End - f.Begin) }
	})
	if err == nil || undone != 1 || took != time.Second || !strings.Contains(recorded[1].Err, "can no longer be reached") {
		t.Errorf("Run = %v; the heal was tried %d times and took %v: %+v", err, undone, took, recorded)
	}
}
