package driver

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/workloads"
)

func testConfig(nodes int) Config {
	return Config{System: "fake", Workload: "register", Nodes: testNodes(nodes), Seed: 7, Clients: 6}
}

// TestProtocol runs a whole, quiet test: every command and every event.
func TestProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(3)...)
		r := drive(t, f, testConfig(3))
		r.await(EventStats)
		r.say("dance")
		if e := r.await(EventError); !strings.Contains(e.Error, `unknown command "dance"`) {
			t.Errorf("an unknown command is answered %+v", e)
		}
		time.Sleep(2 * time.Second)
		r.say(CommandStop)
		end := r.await(EventLoadEnd)
		if load := r.ops(); int64(len(load)) != end.OK || end.InFlight != 0 {
			t.Errorf("at %+v, %d operations were written", end, len(load))
		}
		r.say(CommandFinal)
		done := r.await(EventFinalDone)
		r.quit()

		ops := r.ops()
		if n := int64(len(ops)); n != done.OK || done.Fail+done.Info != 0 {
			t.Errorf("%d operations were written, %+v counted", n, done)
		}
		if want := int64(3.1 * 6 * 500); done.OK < want*8/10 || end.OK > want*12/10 {
			t.Errorf("6 clients at 2 ms made %d operations in 3.1 s, %d were expected", end.OK, want)
		}
		if end.Latency == nil || end.Latency.Count != end.OK || end.Latency.P50 < 1.9 || end.Latency.P50 > 2.1 {
			t.Errorf("latency %+v of operations of 2 ms", end.Latency)
		}
		checkFinalReads(t, ops, done)
		var names []string
		for _, e := range r.events() {
			if e.Event != EventStats && e.Event != EventError {
				names = append(names, e.Event)
			}
		}
		if want := []string{EventReady, EventLoadBegin, EventLoadEnd, EventFinal, EventFinalDone}; !slices.Equal(names, want) {
			t.Errorf("events %q, want %q", names, want)
		}
		nodesOfProcess := map[int64]string{}
		for _, op := range ops {
			if node, ok := nodesOfProcess[op.Process]; ok && node != op.Node && !op.Final {
				t.Fatalf("process %d went from %s to %s", op.Process, node, op.Node)
			}
			nodesOfProcess[op.Process] = op.Node
		}
	})
}

// checkFinalReads: the keys that were in use are read through each node.
func checkFinalReads(t *testing.T, ops []history.Op, done Event) {
	t.Helper()
	nodes := map[string]map[string]bool{}
	count := 0
	for _, op := range ops {
		if !op.Final {
			continue
		}
		count++
		if nodes[op.Key] == nil {
			nodes[op.Key] = map[string]bool{}
		}
		nodes[op.Key][op.Node] = true
	}
	everywhere := 0
	for _, n := range nodes {
		if len(n) == 3 {
			everywhere++
		}
	}
	if everywhere < 10 {
		t.Errorf("%d keys were read at last through every node, want 5 in use and 5 before them", everywhere)
	}
	if done.Final == nil || done.Final.Wanted != count || done.Final.Missing != 0 {
		t.Errorf("final reads: %+v, there are %d", done.Final, count)
	}
}

// TestPausedNode: clients of a node that answers nothing go on under new
// processes, have at most one write wait there, and get every answer that still
// comes.
func TestPausedNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(3)...)
		r := drive(t, f, testConfig(3))
		time.Sleep(500 * time.Millisecond)
		f.set("n1", paused)
		time.Sleep(3500 * time.Millisecond)
		f.set("n1", healthy)
		time.Sleep(500 * time.Millisecond)
		r.say(CommandStop)
		end := r.await(EventLoadEnd)
		r.quit()
		ops := r.ops()
		if end.Fail+end.Info != 0 {
			t.Errorf("a pause shorter than the timeout left %d failed, %d unknown", end.Fail, end.Info)
		}
		var slow []history.Op
		for _, op := range ops {
			if time.Duration(op.Return-op.Call) > 100*time.Millisecond {
				slow = append(slow, op)
			}
		}
		// Two clients, each with an operation from the start of the pause, and
		// one from each second of it.
		sortByCall(slow)
		if len(slow) != 8 {
			t.Fatalf("%d operations waited for the paused node, want 2 clients × 4", len(slow))
		}
		calls, wrote := map[int64]bool{}, map[int64]bool{}
		for i, op := range slow {
			client := op.Process % 6
			if op.Node != "n1" || wrote[client] && op.Func != history.Read {
				t.Errorf("%d: %+v waited; want nothing but reads of n1 after a client's first write", i, op)
			}
			calls[op.Process] = true
			wrote[client] = wrote[client] || op.Func != history.Read
		}
		if len(calls) != 8 {
			t.Errorf("they belong to %d processes, want 8", len(calls))
		}
		for p := range calls {
			if c := p % 6; c != 0 && c != 3 {
				t.Errorf("process %d is of client %d, which is not a client of n1", p, c)
			}
		}
	})
}

// TestTimeout: what is never answered is unknown, or failed if it was a read,
// and the next operation is of another process.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(1)...)
		cfg := testConfig(1)
		cfg.Clients = 40
		r := drive(t, f, cfg)
		time.Sleep(500 * time.Millisecond)
		f.set("n1", paused)
		time.Sleep(9 * time.Second)
		f.set("n1", healthy)
		r.say(CommandStop)
		end := r.await(EventLoadEnd)
		r.quit()
		ops := r.ops()
		if end.Info == 0 || end.Info > 40 {
			t.Errorf("%d operations have an unknown outcome; want some, one a client at most", end.Info)
		}
		if end.Fail < 40*3 || end.Fail > 40*5 {
			t.Errorf("%d reads failed, want about 4 of each of 40 clients", end.Fail)
		}
		for _, op := range ops {
			d := time.Duration(op.Return - op.Call)
			switch {
			case op.Outcome == history.Info && op.Func == history.Read:
				t.Fatalf("a read of unknown outcome: %+v", op)
			case op.Outcome != history.OK && (d < 5*time.Second || d > 5200*time.Millisecond || op.Error != "timeout: no answer in 5s"):
				t.Fatalf("after %v it was given up: %+v", d, op)
			}
		}
	})
}

// TestStopWaits for what is under way, however long it takes, and the final
// reads do not go on under the processes of what was never answered.
func TestStopWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(2)...)
		cfg := testConfig(2)
		cfg.Clients = 20
		r := drive(t, f, cfg)
		time.Sleep(500 * time.Millisecond)
		f.set("n2", paused)
		time.Sleep(100 * time.Millisecond)
		r.say(CommandStop)
		time.Sleep(time.Second)
		before := f.nodes["n1"].ops.Load() + f.nodes["n2"].ops.Load()
		end := r.await(EventLoadEnd)
		if end.InFlight != 0 || end.Info == 0 || end.Info+end.Fail != 10 {
			t.Errorf("10 clients of n2 had an operation under way; the end of the load: %+v", end)
		}
		if after := f.nodes["n1"].ops.Load() + f.nodes["n2"].ops.Load(); after != before {
			t.Errorf("%d operations began after the stop", after-before)
		}
		f.set("n2", healthy)
		r.say(CommandFinal)
		if done := r.await(EventFinalDone); done.Final.Missing != 0 {
			t.Errorf("final reads: %+v", done.Final)
		}
		r.quit()
		r.ops() // checks the processes
	})
}

// TestSilentConnection: one that answers nothing for long is made anew.
func TestSilentConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(1)...)
		r := drive(t, f, testConfig(1))
		time.Sleep(500 * time.Millisecond)
		f.set("n1", paused)
		time.Sleep(9 * time.Second)
		if n := f.nodes["n1"].dials.Load(); n != 1 {
			t.Errorf("%d connections after 9 s, want 1: what was asked of a paused node must be answered when it wakes up", n)
		}
		time.Sleep(3 * time.Second)
		if n := f.nodes["n1"].dials.Load(); n != 2 {
			t.Errorf("%d connections after 12 s of silence, want 2", n)
		}
		r.quit()
		r.ops()
	})
}

// TestDeadNode: a node that refuses connections costs little, and is used
// again soon after it is back.
func TestDeadNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(20*time.Millisecond, testNodes(3)...)
		cfg := testConfig(3)
		cfg.Clients = 60
		r := drive(t, f, cfg)
		time.Sleep(500 * time.Millisecond)
		f.set("n2", down)
		before := f.nodes["n2"].dials.Load()
		time.Sleep(10 * time.Second)
		dials := f.nodes["n2"].dials.Load() - before
		f.set("n2", healthy)
		back := r.now()
		time.Sleep(time.Second)
		r.say(CommandStop)
		end := r.await(EventLoadEnd)
		r.quit()

		perClient := float64(end.Fail) / 20 / 10
		if perClient < 1 || perClient > 15 {
			t.Errorf("%.1f failed operations a second of each client of the dead node, want a few", perClient)
		}
		if dials > 10*1000/15+10 {
			t.Errorf("%d attempts to connect in 10 s", dials)
		}
		first := int64(0)
		for _, op := range r.ops() {
			if op.Outcome == history.Fail && op.Func != history.Read && op.Error != "connect: connection refused" && !strings.Contains(op.Error, "reset") {
				t.Fatalf("failed for another reason: %+v", op)
			}
			if op.Node == "n2" && op.Outcome == history.OK && op.Call > back && (first == 0 || op.Call < first) {
				first = op.Call
			}
		}
		if wait := time.Duration(first - back); first == 0 || wait > restMost*2 {
			t.Errorf("n2 answered again %v after it was back", wait)
		}
	})
}

// TestBreakingNode: every operation breaks the connection; nobody knows which
// writes took effect.
func TestBreakingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(2)...)
		r := drive(t, f, testConfig(2))
		time.Sleep(300 * time.Millisecond)
		f.set("n2", breaking)
		time.Sleep(5 * time.Second)
		f.set("n2", healthy)
		r.say(CommandFinal)
		done := r.await(EventFinalDone)
		r.quit()
		if done.Info < 20 || done.Info > 3*5*50 {
			t.Errorf("%d operations of unknown outcome, want some, and no spinning", done.Info)
		}
		for _, op := range r.ops() {
			if op.Outcome == history.Info && op.Func == history.Read || op.Outcome != history.OK && op.Node != "n2" {
				t.Fatalf("unexpected: %+v", op)
			}
		}
		if done.Final.Missing != 0 {
			t.Errorf("final reads: %+v", done.Final)
		}
	})
}

// TestRefusingNode: certain failures are failures, and do not spin either.
func TestRefusingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(100*time.Microsecond, testNodes(1)...)
		f.set("n1", refusing)
		r := drive(t, f, testConfig(1))
		time.Sleep(5 * time.Second)
		r.say(CommandStop)
		end := r.await(EventLoadEnd)
		r.quit()
		if end.OK+end.Info != 0 || end.Fail < 6*10 || end.Fail > 6*100 {
			t.Errorf("after 5 s of refusals to 6 clients: %+v", end.Counts)
		}
		if n := f.nodes["n1"].dials.Load(); n != 1 {
			t.Errorf("%d connections were made, want 1: a refusal is no loss of it", n)
		}
	})
}

// TestFinalReadsOfADeadNodeEnd: they are missing, in bounded time.
func TestFinalReadsOfADeadNodeEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(3)...)
		cfg := testConfig(3)
		cfg.Duration = 500 * time.Millisecond
		r := drive(t, f, cfg)
		r.await(EventLoadEnd)
		f.set("n3", down)
		f.set("n2", paused)
		begin := time.Now()
		r.say(CommandFinal)
		done := r.await(EventFinalDone)
		r.quit()
		if d := time.Since(begin); d > 11*time.Second {
			t.Errorf("the final reads took %v", d)
		}
		byNode := map[string]int{}
		for _, op := range r.ops() {
			if op.Final && op.Outcome == history.OK {
				byNode[op.Node]++
			}
		}
		if got := done.Final.Wanted - done.Final.Missing; byNode["n1"] == 0 || len(byNode) != 1 || got != byNode["n1"] {
			t.Errorf("final reads %+v; answers by node: %v", done.Final, byNode)
		}
	})
}

// TestOpenLoop: operations arrive at their rate whatever the system does, and
// the wait of those that came during a stall is counted.
func TestOpenLoop(t *testing.T) {
	for _, arrival := range []string{Poisson, Uniform} {
		t.Run(arrival, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(2*time.Millisecond, testNodes(1)...)
				cfg := testConfig(1)
				cfg.Rate, cfg.Arrival, cfg.MaxInFlight = workloads.Constant(1000), arrival, 4
				cfg.Patience = 3 * time.Second
				r := drive(t, f, cfg)
				time.Sleep(5 * time.Second)
				f.set("n1", paused)
				time.Sleep(time.Second)
				f.set("n1", healthy)
				time.Sleep(14 * time.Second)
				r.say(CommandStop)
				end := r.await(EventLoadEnd)
				r.quit()
				if end.OK < 19500 || end.OK > 20500 || end.Fail+end.Info > 0 {
					t.Errorf("%+v operations in 20 s at 1000/s", end.Counts)
				}
				slow := 0
				for _, op := range r.ops() {
					if op.Return-op.Call > int64(50*time.Millisecond) {
						slow++
					}
				}
				if slow != 4 {
					t.Errorf("%d calls lasted through the stall; 4 are possible at once", slow)
				}
				// A twentieth of the operations was due in the stall, and as
				// many while the rest was caught up with.
				if l := end.Latency; l.P50 > 20 || l.P99 < 500 || l.Max < 900 {
					t.Errorf("latency from when they were due: %+v; the stall of 1 s must show", l)
				}
			})
		})
	}
}

// TestOpenLoopInPhases: the load follows its phases.
func TestOpenLoopInPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(1)
		var err error
		if cfg.Rate, err = workloads.ParseRate("200 for 2s, 0 for 2s, 200-1000 for 4s"); err != nil {
			t.Fatal(err)
		}
		cfg.Arrival = Uniform
		r := drive(t, newFake(2*time.Millisecond, testNodes(1)...), cfg)
		r.await(EventLoadBegin)
		time.Sleep(8 * time.Second)
		r.say(CommandStop)
		end := r.await(EventLoadEnd)
		r.quit()
		perSecond := map[int64]int{}
		ops := r.ops()
		first := slices.MinFunc(ops, func(a, b history.Op) int { return cmp.Compare(a.Call, b.Call) }).Call
		for _, op := range ops {
			if !op.Final {
				perSecond[(op.Call-first)/int64(time.Second)]++
			}
		}
		for second, want := range []int{200, 200, 0, 0, 300, 500, 700, 900} {
			if n := perSecond[int64(second)]; n < want-5 || n > want+5 {
				t.Errorf("second %d: %d operations, want %d", second, n, want)
			}
		}
		if end.OK < 2780 || end.OK > 2810 {
			t.Errorf("%+v operations, want 2800", end.Counts)
		}
	})
}

// TestQuitAtOnce: whatever is under way, the driver ends soon, and all that it
// began is in the history.
func TestQuitAtOnce(t *testing.T) {
	end := map[string]func(r *run){
		"quit":    func(r *run) { r.say(CommandQuit) },
		"eof":     func(r *run) { r.in.Close() },
		"context": func(r *run) { r.cancel() },
	}
	for name, end := range end {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(2*time.Millisecond, testNodes(3)...)
				r := drive(t, f, testConfig(3))
				time.Sleep(300 * time.Millisecond)
				f.set("n1", paused)
				time.Sleep(100 * time.Millisecond)
				begin := time.Now()
				end(r)
				if err := r.wait(); err != nil {
					t.Fatal(err)
				}
				if d := time.Since(begin); d > time.Second {
					t.Errorf("it took %v to end", d)
				}
				var began int64
				for _, n := range f.nodes {
					began += n.ops.Load()
				}
				ops := r.ops()
				if int64(len(ops)) != began {
					t.Errorf("%d operations reached the system, %d are in the history", began, len(ops))
				}
				if !slices.ContainsFunc(ops, func(op history.Op) bool { return op.Outcome != history.OK }) {
					t.Error("operations at the paused node ended well")
				}
			})
		})
	}
}

// TestQuitDuringFinalReads ends them.
func TestQuitDuringFinalReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(2)...)
		cfg := testConfig(2)
		cfg.Duration = 100 * time.Millisecond
		r := drive(t, f, cfg)
		r.await(EventLoadEnd)
		f.set("n1", paused)
		r.say(CommandFinal)
		r.await(EventFinal)
		r.quit()
		r.ops()
	})
}

// TestBrokenStreams: a history that cannot be written ends the driver with
// the reason.
func TestBrokenStreams(t *testing.T) {
	for name, stream := range map[string]func(r *run) *batches{
		"write the history": func(r *run) *batches { return &r.history },
		"report the event":  func(r *run) *batches { return &r.status },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(2*time.Millisecond, testNodes(2)...)
				r := drive(t, f, testConfig(2))
				time.Sleep(300 * time.Millisecond)
				stream(r).failWith(io.ErrClosedPipe)
				err := r.wait()
				if !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), name) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}
