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

// pausedWrite makes a client of n1 write while its node does not answer, and returns what
// came of it. Of the node's two clients the second one sends again.
func pausedWrite(t *testing.T, resend bool) (write history.Op) {
	t.Helper()
	client := int64(0)
	if resend {
		client = 3
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFake(5*time.Millisecond, testNodes(3)...)
		cfg := Config{Seed: 1, System: "fake", Workload: "register", Nodes: testNodes(3), Clients: 6, Resend: true, Patience: 150 * time.Millisecond}
		r := driveSystem(t, resendingFake{f}, cfg)
		time.Sleep(500 * time.Millisecond)
		f.set("n1", paused)
		from := r.now()
		time.Sleep(8 * time.Second)
		r.quit()
		for _, op := range r.ops() {
			if op.Process%6 == client && op.Func != history.Read && op.Call >= from && op.Return-op.Call > int64(20*time.Millisecond) {
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

// Every node keeps a client that sends all once, however many clients there are, and the
// others send again.
func TestEveryNodeHasAClientThatSendsOnce(t *testing.T) {
	for nodes := 1; nodes <= 5; nodes++ {
		links := fakeLinks(newFake(0, testNodes(nodes)...), nodes)
		for clients := 1; clients <= 4*nodes; clients++ {
			once, again := map[int]int{}, map[int]int{}
			for i := range clients {
				if newResender(Config{Resend: true, Patience: time.Second}, i, links) == nil {
					once[i%nodes]++
				} else {
					again[i%nodes]++
				}
			}
			for n := range min(nodes, clients) {
				if d := once[n] - again[n]; once[n] == 0 || d < 0 || d > 1 {
					t.Errorf("%d clients on %d nodes: of node %d's, %d send once and %d again", clients, nodes, n+1, once[n], again[n])
				}
			}
		}
	}
}

// A node that serves reads but never answers what changes something is seen as one: its
// history has such operations of its own, and none of them succeeds.
func TestANodeThatAnswersNoWritesIsSeen(t *testing.T) {
	for _, clients := range []int{3, 6} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(5*time.Millisecond, testNodes(3)...)
			cfg := Config{Seed: 1, System: "fake", Workload: "register", Nodes: testNodes(3), Clients: clients, Resend: true, Patience: 150 * time.Millisecond}
			f.set("n1", mute)
			r := driveSystem(t, resendingFake{f}, cfg)
			time.Sleep(20 * time.Second)
			r.quit()
			reads, tried := 0, 0
			for _, op := range r.ops() {
				switch {
				case op.Node != "n1":
				case op.Func == history.Read && op.Outcome == history.OK:
					reads++
				case op.Func != history.Read && op.Outcome == history.OK:
					t.Errorf("%d clients: %+v", clients, op)
				case op.Func != history.Read:
					tried++
				}
			}
			if reads < 100 || tried < 3 {
				t.Errorf("%d clients: %d reads of n1 succeeded, and %d of its operations that change something did not", clients, reads, tried)
			}
		})
	}
}

// fakeLinks are links to that many nodes of a fake, one to each.
func fakeLinks(f *fake, nodes int) (links [][]*link) {
	c, err := newClock()
	if err != nil {
		panic(err)
	}
	for _, n := range testNodes(nodes) {
		links = append(links, []*link{{dialer: f, node: n, clock: c, work: registers(), timeout: time.Second, silence: time.Minute}})
	}
	return links
}

// sentAgain carries out one write by a client of n1 that sends again.
func sentAgain(t *testing.T, f *fake, then func(s *resender, op *history.Op)) (*resender, history.Op) {
	t.Helper()
	links := fakeLinks(f, 2)
	s := newResender(Config{Resend: true, Patience: 50 * time.Millisecond}, 2, links)
	op := history.Op{Process: 2, Node: "n1", Func: history.Write, Key: "k", In: `"1"`}
	if !s.takes(t.Context(), op.Func) {
		t.Fatal("there is no session")
	}
	then(s, &op)
	for _, l := range links {
		l[0].close()
	}
	return s, op
}

// Where the servers do not know the session any more the history says so, and another one
// is registered, though an attempt through another node was still under way.
func TestAForgottenSessionIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(5*time.Millisecond, testNodes(2)...)
		s, op := sentAgain(t, f, func(s *resender, op *history.Op) {
			f.set("n1", paused)
			f.forget()
			s.perform(t.Context(), op)
		})
		if s.session != nil {
			t.Error("the session that the servers forgot is kept")
		}
		if op.Outcome != history.Info || op.Error != errForgotten.Error() || op.Node != "n1" {
			t.Errorf("%+v", op)
		}
	})
}

// What an operation is can be looked at while it is under way, as the watcher does: the
// race detector has to find nothing.
func TestAnOperationUnderWayCanBeLookedAt(t *testing.T) {
	f := newFake(0, testNodes(2)...)
	_, op := sentAgain(t, f, func(s *resender, op *history.Op) {
		seen := make(chan history.Func, 1)
		go func() { seen <- op.Func }()
		s.perform(t.Context(), op)
		if f := <-seen; f != history.Write {
			t.Errorf("it is a %s", f)
		}
	})
	if op.Outcome != history.OK {
		t.Errorf("%+v", op)
	}
}
