package driver

import (
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
)

// These tests run the whole chain, generator, driver and checker, against
// systems that keep or break their promises.

// verdict judges what a driver recorded, key by key.
func verdict(t *testing.T, ops []history.Op) check.Result {
	t.Helper()
	sortByCall(ops)
	return linearizable.Checker(linearizable.RegisterModel()).Check(t.Context(), &check.Input{History: &history.History{Ops: ops}})
}

// storm drives three nodes through a script, and returns the history.
func storm(t *testing.T, cfg Config, script func(f *fake)) (ops []history.Op) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(5*time.Millisecond, testNodes(3)...)
		cfg.System, cfg.Workload, cfg.Nodes, cfg.Clients = "fake", "register", testNodes(3), 6
		r := drive(t, f, cfg)
		time.Sleep(500 * time.Millisecond)
		script(f)
		r.say(CommandFinal)
		r.await(EventFinalDone)
		r.quit()
		ops = r.ops()
	})
	return ops
}

func TestCorrectSystemPasses(t *testing.T) {
	ops := storm(t, Config{Seed: 1}, func(f *fake) {
		for i, m := range []mode{paused, down, breaking, refusing} {
			f.set(f.name(i), m)
			time.Sleep(2500 * time.Millisecond)
			f.set(f.name(i), healthy)
			time.Sleep(300 * time.Millisecond)
		}
	})
	if res := verdict(t, ops); res.Verdict != check.Pass {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
}

func TestViolationsAreCaught(t *testing.T) {
	scripts := map[string]func(f *fake){
		"stale reads for 300 ms": func(f *fake) {
			f.set("n2", stale)
			time.Sleep(300 * time.Millisecond)
			f.set("n2", healthy)
		},
		// A lost write shows only if somebody reads the key before it is written
		// again: in 100 ms, one storm of a thousand had nothing to show.
		"lost writes for 300 ms": func(f *fake) {
			f.set("n1", forgetful)
			time.Sleep(300 * time.Millisecond)
			f.set("n1", healthy)
			time.Sleep(300 * time.Millisecond)
		},
		// All that the node does when it wakes up is to answer what it was
		// asked meanwhile, from what it knew before.
		"a leader that wakes up": func(f *fake) {
			f.set("n1", paused)
			time.Sleep(3 * time.Second)
			f.set("n1", stale)
			time.Sleep(time.Millisecond)
			f.set("n1", healthy)
		},
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				if res := verdict(t, storm(t, Config{Seed: seed}, script)); res.Verdict != check.Violation {
					t.Errorf("seed %d: %s: %s", seed, res.Verdict, res.Summary)
				}
			}
		})
	}
}

// TestImpatienceIsWhatCatches is the control to "a leader that wakes up": with
// clients that wait out the pause, every read that the leader answers from old
// state was under way before anything newer was written, and nothing is wrong
// with that.
func TestImpatienceIsWhatCatches(t *testing.T) {
	ops := storm(t, Config{Seed: 1, Patience: 5 * time.Second}, func(f *fake) {
		f.set("n1", paused)
		time.Sleep(3 * time.Second)
		f.set("n1", stale)
		time.Sleep(time.Millisecond)
		f.set("n1", healthy)
	})
	if res := verdict(t, ops); res.Verdict != check.Pass {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
}
