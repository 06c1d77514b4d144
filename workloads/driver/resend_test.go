package driver

import (
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/history/check"
)

// resendStorm is storm, with clients that send again what is not answered.
func resendStorm(t *testing.T, seed uint64, repeats bool) (ops []history.Op, again int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(5*time.Millisecond, testNodes(3)...)
		f.repeats = repeats
		cfg := Config{Seed: seed, System: "fake", Workload: "register", Nodes: testNodes(3), Clients: 6, Resend: true, Patience: 150 * time.Millisecond}
		r := driveSystem(t, resendingFake{f}, cfg)
		time.Sleep(500 * time.Millisecond)
		for i, m := range []mode{paused, breaking, down, refusing} {
			f.set(f.name(i), m)
			time.Sleep(2500 * time.Millisecond)
			f.set(f.name(i), healthy)
			time.Sleep(300 * time.Millisecond)
		}
		r.say(CommandFinal)
		r.await(EventFinalDone)
		r.quit()
		ops, again = r.ops(), f.again
	})
	return ops, again
}

// What is sent again takes effect once on a system that knows it, and the history of it
// is one that can be.
func TestWhatIsSentAgainIsOneOperation(t *testing.T) {
	for seed := range uint64(3) {
		ops, again := resendStorm(t, seed, false)
		if res := verdict(t, ops); res.Verdict != check.Pass {
			t.Errorf("seed %d: %s: %s", seed, res.Verdict, res.Summary)
		}
		if again < 20 {
			t.Errorf("seed %d: only %d operations came a second time", seed, again)
		}
	}
}

// A system that carries out again what comes again is caught.
func TestASystemThatRepeatsIsCaught(t *testing.T) {
	for seed := range uint64(3) {
		ops, _ := resendStorm(t, seed, true)
		if res := verdict(t, ops); res.Verdict != check.Violation {
			t.Errorf("seed %d: %s: %s", seed, res.Verdict, res.Summary)
		}
	}
}

// pausedWrite makes client 0 write while its node does not answer, and returns what came
// of it.
func pausedWrite(t *testing.T, resend bool) (write history.Op) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(5*time.Millisecond, testNodes(3)...)
		cfg := Config{Seed: 1, System: "fake", Workload: "register", Nodes: testNodes(3), Clients: 3, Resend: resend, Patience: 150 * time.Millisecond}
		r := driveSystem(t, resendingFake{f}, cfg)
		time.Sleep(500 * time.Millisecond)
		f.set("n1", paused)
		from := r.now()
		time.Sleep(8 * time.Second)
		r.quit()
		for _, op := range r.ops() {
			if op.Process%3 == 0 && op.Func != history.Read && op.Call >= from && op.Return-op.Call > int64(20*time.Millisecond) {
				write = op
				break
			}
		}
	})
	if write.Func == "" {
		t.Fatal("nothing was written through the node that does not answer")
	}
	return write
}

// The outcome of an operation whose node does not answer is known from another one, which
// the history names. Sent once, it stays unknown.
func TestAnotherNodeTellsTheOutcome(t *testing.T) {
	if op := pausedWrite(t, true); op.Outcome != history.OK || op.Node == "n1" {
		t.Errorf("sent again: %+v", op)
	}
	if op := pausedWrite(t, false); op.Outcome != history.Info || op.Node != "n1" {
		t.Errorf("sent once: %+v", op)
	}
}
