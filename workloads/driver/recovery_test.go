package driver

import (
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
)

// countFinals are the operations after the storm by node, function and outcome.
func countFinals(ops []history.Op) map[string]map[history.Func]map[history.Outcome]int {
	count := map[string]map[history.Func]map[history.Outcome]int{}
	for _, op := range ops {
		if !op.Final {
			continue
		}
		if count[op.Node] == nil {
			count[op.Node] = map[history.Func]map[history.Outcome]int{history.Read: {}, history.Write: {}}
		}
		count[op.Node][op.Func][op.Outcome]++
	}
	return count
}

// TestRecovery: through each node a write and a read succeed, by processes and
// with values of their own, before the final reads.
func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(3)...)
		cfg := testConfig(3)
		cfg.Clients, cfg.Duration = 2, 300*time.Millisecond // fewer clients than nodes
		r := drive(t, f, cfg)
		r.await(EventLoadEnd)
		f.set("n1", breaking)  // of its writes nobody knows what became
		f.set("n2", refusing)  // its writes fail
		f.set("n3", forgetful) // acknowledges and forgets: nothing is wrong with the answers
		begin := time.Now()
		r.say(CommandRecover)
		r.say(CommandFinal) // waits
		time.Sleep(3 * time.Second)
		f.set("n1", healthy)
		f.set("n2", healthy)
		f.set("n3", healthy)
		done := r.await(EventRecovered)
		if done.Final == nil || *done.Final != (FinalCounts{Wanted: 6}) || time.Since(begin) > 5*time.Second {
			t.Errorf("after %v: %+v", time.Since(begin), done.Final)
		}
		r.await(EventFinalDone)
		r.quit()
		ops := r.ops() // no process goes on after an unknown outcome
		values := map[history.Data]bool{}
		for _, op := range ops {
			if op.Final && op.Func == history.Write {
				if values[op.In] || op.Key != "recovery-"+op.Node {
					t.Errorf("written twice, or to a key of the load: %+v", op)
				}
				values[op.In] = true
			}
		}
		count := countFinals(ops)
		for _, node := range []string{"n1", "n2", "n3"} {
			if count[node][history.Write][history.OK] != 1 || count[node][history.Read][history.OK] < 1 {
				t.Errorf("%s: %v", node, count[node])
			}
		}
		if count["n1"][history.Write][history.Info] < 5 || count["n2"][history.Write][history.Fail] < 5 {
			t.Errorf("attempts: %v", count)
		}
		events := r.events()
		order := ""
		for _, e := range events {
			if e.Event != EventStats {
				order += e.Event + " "
			}
		}
		if want := "ready load-begin load-end recovery recovered final final-done "; order != want {
			t.Errorf("events %s, want %s", order, want)
		}
	})
}

// TestNoRecovery: a node that never serves again ends the wait when the bound is
// over, and the history tells of the attempts.
func TestNoRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(3)...)
		cfg := testConfig(3)
		cfg.Duration, cfg.Recovery = 300*time.Millisecond, 12*time.Second
		r := drive(t, f, cfg)
		r.await(EventLoadEnd)
		f.set("n2", paused)
		f.set("n3", down)
		begin := time.Now()
		r.say(CommandRecover)
		done := r.await(EventRecovered)
		if took := time.Since(begin); took < 12*time.Second || took > 13*time.Second {
			t.Errorf("it took %v", took)
		}
		r.quit()
		if *done.Final != (FinalCounts{Wanted: 6, Missing: 4}) {
			t.Errorf("%+v", done.Final)
		}
		count := countFinals(r.ops())
		for _, node := range []string{"n2", "n3"} {
			if count[node][history.Write][history.OK]+count[node][history.Read][history.OK] != 0 || len(count[node][history.Write]) == 0 || len(count[node][history.Read]) == 0 {
				t.Errorf("%s: %v", node, count[node])
			}
		}
		if n := count["n2"][history.Write][history.Info]; n < 2 || n > 6 {
			t.Errorf("%d writes of a silent node; one that is not answered must not use up the time for all", n)
		}
	})
}
