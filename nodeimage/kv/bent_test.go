package kv

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"squall/nodeimage/raft"
)

// bendable gives each node of a cluster a clock of its own that can be bent.
func bendable(t testing.TB, clocks map[NodeID]*Clock) func(*Config) {
	return func(cfg *Config) {
		c, err := NewClock()
		if err != nil {
			t.Fatal(err)
		}
		cfg.Clock, clocks[cfg.ID] = c, c
	}
}

// TestBentClocksKeepTheClusterCorrect counts keys up on every node while the
// clocks of all of them jump, race, crawl and stand still.
func TestBentClocksKeepTheClusterCorrect(t *testing.T) {
	t.Parallel()
	begun, err := monotonic()
	if err != nil {
		t.Fatal(err)
	}
	clocks := map[NodeID]*Clock{}
	bend := bendable(t, clocks)
	c := startCluster(t, 3, func(cfg *Config) {
		bend(cfg)
		cfg.Heartbeat, cfg.ElectionMin, cfg.ElectionMax = 20*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond
		cfg.SnapshotEvery, cfg.SnapshotKeep = 100, 20
		cfg.RequestTimeout = time.Second
	})
	c.leader()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var counts [2]atomic.Int64
	for i := range c.cfgs {
		for j := range counts {
			wg.Go(func() { countUp(t, c.cfgs[i].ClientAddr, []string{"a", "b"}[j], &counts[j], stop) })
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rates := []float64{0, 0.1, 0.5, 1, 1, 1.05, 3, 20}
	for range 40 {
		if at := clocks[NodeID(1+rng.IntN(3))]; rng.IntN(4) == 0 {
			at.heal()
		} else {
			at.bendBy(time.Duration(rng.Int64N(int64(2*time.Hour)))-time.Hour, rates[rng.IntN(len(rates))])
		}
		time.Sleep(time.Duration(rng.Int64N(int64(100 * time.Millisecond))))
	}
	healed := time.Now()
	for _, at := range clocks {
		at.heal()
	}
	before := counts[0].Load() + counts[1].Load()
	eventually(t, "progress with the clocks right again", func() bool { return counts[0].Load()+counts[1].Load() > before+50 })
	t.Logf("%d acknowledged under bent clocks; right again, 50 more within %v", before, time.Since(healed))
	close(stop)
	wg.Wait()
	c.leader()
	c.sameState()
	c.checkTraces()
	ended, _ := monotonic()
	c.eachEvent(func(node int, e nodeEvent) {
		if at := time.Duration(e.Time); at < begun-time.Millisecond || at > ended+time.Millisecond {
			t.Errorf("n%d traced at %v, the test went from %v to %v: that is not true time", node, at, begun, ended)
		}
	})
}

// eachEvent reads the traces anew.
func (c *cluster) eachEvent(do func(node int, e nodeEvent)) {
	for i, f := range c.traces {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			c.t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			var e nodeEvent
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				c.t.Fatalf("trace of n%d: %q: %v", i+1, lines.Text(), err)
			}
			do(i+1, e)
		}
	}
}

// TestNothingHangsAfterTheHealing: all clocks were a day ahead or behind, or
// stood still; once they are right again, nothing waits for that day.
func TestNothingHangsAfterTheHealing(t *testing.T) {
	t.Parallel()
	for name, offset := range map[string]time.Duration{"ahead": 24 * time.Hour, "behind": -24 * time.Hour} {
		for _, rate := range []float64{0, 1} {
			clocks := map[NodeID]*Clock{}
			c := startCluster(t, 3, bendable(t, clocks))
			c.leader()
			for _, at := range clocks {
				at.bendBy(offset, rate)
			}
			time.Sleep(700 * time.Millisecond)
			for _, at := range clocks {
				at.bendBy(offset/2, rate)
			}
			time.Sleep(100 * time.Millisecond)
			for _, at := range clocks {
				at.heal()
			}
			lead := c.leader()
			client := dialServer(t, c.servers[(lead+1)%3].ClientAddr(), 10*time.Second)
			eventually(t, name+": a write", func() bool { return client.Put(context.Background(), "k", "v") == nil })
			c.stop(c.leader())
			c.leader()
			c.sameState()
		}
	}
}

// TestRequestsLiveByTheClock: what a request may wait for goes by the node's
// clock, and what is counted of it by true time.
func TestRequestsLiveByTheClock(t *testing.T) {
	t.Parallel()
	leader, held := silent(1)
	follower, _ := answering(1)
	leaderless, _ := answering(0)
	clocks := map[NodeID]*Clock{}
	bend := bendable(t, clocks)
	nodes := startFakes(t, []consensus{leader, follower, leaderless}, []*Machine{nil, nil, nil}, func(c *Config) {
		bend(c)
		c.RequestTimeout, c.LeaderWait = time.Hour, 30*time.Minute
	})
	eventually(t, "connection to the leader", func() bool { return nodes[1].forwards.links[1].Load() != nil })
	put := func(n *testNode) chan error {
		c := dialServer(t, n.ClientAddr(), 50*time.Second)
		ended := make(chan error, 1)
		go func() { ended <- c.Put(context.Background(), "k", "v") }()
		return ended
	}
	ended := []chan error{put(nodes[0]), put(nodes[1]), put(nodes[2])}
	await(t, held, "a request at the leader")
	await(t, held, "the other request at the leader")
	eventually(t, "request parked", func() bool {
		nodes[2].frontend.router.mu.Lock()
		defer nodes[2].frontend.router.mu.Unlock()
		return len(nodes[2].frontend.router.waiting) > 0
	})
	for _, id := range []NodeID{2, 3, 1} { // the leader last: it holds n2's request, too
		i := id - 1
		select {
		case err := <-ended[i]:
			t.Fatalf("n%d answered before its clock moved: %v", id, err)
		case <-time.After(5 * expireEvery):
		}
		clocks[id].bendBy(45*time.Minute, 1)
		if id == 3 {
			wantError(t, <-ended[i], CodeNotLeader, true)
			continue
		}
		select {
		case err := <-ended[i]:
			t.Fatalf("n%d answered a quarter of an hour early: %v", id, err)
		case <-time.After(5 * expireEvery):
		}
		clocks[id].bendBy(61*time.Minute, 1)
		wantError(t, <-ended[i], CodeTimeout, false)
	}
	for i, n := range nodes {
		if took := time.Duration(n.metrics.nanoseconds[OpPut].Load()); took > 50*time.Second || took <= 0 {
			t.Errorf("n%d counts %v for a request, in true time", i+1, took)
		}
	}
}

// TestRequestsDoNotOutliveTheBend: they came when the clock was a day ahead.
func TestRequestsDoNotOutliveTheBend(t *testing.T) {
	t.Parallel()
	leader, held := silent(1)
	follower, _ := answering(1)
	leaderless, _ := answering(0)
	clocks := map[NodeID]*Clock{}
	bend := bendable(t, clocks)
	nodes := startFakes(t, []consensus{leader, follower, leaderless}, []*Machine{nil, nil, nil}, func(c *Config) {
		bend(c)
		c.Clock.bendBy(24*time.Hour, 1)
		c.RequestTimeout, c.LeaderWait = 300*time.Millisecond, 100*time.Millisecond
		if c.ID == 1 {
			c.RequestTimeout = time.Hour // so that what n2 forwarded is n2's to give up
		}
	})
	eventually(t, "connection to the leader", func() bool { return nodes[1].forwards.links[1].Load() != nil })
	for _, c := range []struct {
		node int
		want Code
	}{{1, CodeTimeout}, {2, CodeNotLeader}} {
		client := dialServer(t, nodes[c.node].ClientAddr(), 50*time.Second)
		ended := make(chan error, 1)
		clocks[NodeID(c.node+1)].bendBy(24*time.Hour, 0) // so that it has time to come
		go func() { ended <- client.Put(context.Background(), "k", "v") }()
		if c.node == 1 {
			await(t, held, "a request at the leader")
		} else {
			eventually(t, "request parked", func() bool {
				nodes[2].frontend.router.mu.Lock()
				defer nodes[2].frontend.router.mu.Unlock()
				return len(nodes[2].frontend.router.waiting) > 0
			})
		}
		clocks[NodeID(c.node+1)].heal()
		wantError(t, <-ended, c.want, c.want == CodeNotLeader)
	}
}

// TestBentLeaderLosesItsLead: one whose clock jumps forward steps down, because to its clock nobody was heard for
// longer than an election timeout; and one whose clock stands still is replaced.
func TestBentLeaderLosesItsLead(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]func(*Clock){
		"forward": func(c *Clock) { c.bendBy(time.Minute, 1) },
		"frozen":  func(c *Clock) { c.bendBy(0, 0) },
		"back":    func(c *Clock) { c.bendBy(-time.Minute, 1) },
	} {
		clocks := map[NodeID]*Clock{}
		c := startCluster(t, 3, bendable(t, clocks))
		lead := c.leader()
		term := c.servers[lead].Status().Term
		bend(clocks[NodeID(lead+1)])
		polls := 0
		eventually(t, name+": another term", func() bool {
			// A leader that hears a follower after a jump, and before it looks at its
			// clock, has a quorum still: then the next jump is noticed, or the one after.
			if polls++; name == "forward" && polls%100 == 0 {
				clocks[NodeID(lead+1)].bendBy(time.Duration(1+polls/100)*time.Minute, 1)
			}
			st := c.servers[(lead+1)%3].Status()
			return st.Term > term && st.Leader != 0
		})
		eventually(t, name+": the old leader follows", func() bool {
			st := c.servers[lead].Status()
			return st.Term > term && (st.Role == raft.Follower || st.Role == raft.Leader)
		})
		clocks[NodeID(lead+1)].heal()
		c.leader()
		c.sameState()
	}
}

// TestFrozenFollowerWithholdsItsVote: to its clock the leader was heard just
// now, so the third node finds no majority until the clock goes on.
func TestFrozenFollowerWithholdsItsVote(t *testing.T) {
	t.Parallel()
	clocks := map[NodeID]*Clock{}
	c := startCluster(t, 3, bendable(t, clocks))
	lead := c.leader()
	frozen, third := (lead+1)%3, (lead+2)%3
	clocks[NodeID(frozen+1)].bendBy(0, 0)
	c.stop(lead)
	eventually(t, "the third node asks for votes", func() bool { return c.servers[third].Status().Leader == 0 })
	for range 60 {
		time.Sleep(20 * time.Millisecond)
		if st := c.servers[third].Status(); st.Role == raft.Leader {
			t.Fatalf("the third node leads term %d: the frozen one voted", st.Term)
		}
	}
	clocks[NodeID(frozen+1)].heal()
	c.leader()
	c.sameState()
}
