package kv

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"squall/nodeimage/raft"
)

// meddled gives each node of a cluster message faults that the test sets.
func meddled(faults map[NodeID]*MessageFaults) func(*Config) {
	return func(cfg *Config) {
		cfg.Messages = new(MessageFaults)
		faults[cfg.ID] = cfg.Messages
	}
}

// rules has a node do that to all messages from some peers.
func rules(t testing.TB, f *MessageFaults, what string, from ...int) {
	t.Helper()
	var words []string
	for _, id := range from {
		words = append(words, fmt.Sprintf("from=n%d,%s", id, what))
	}
	if answer := f.carryOut("rules 1 " + strings.Join(words, " ")); !strings.HasPrefix(answer, "ok 1 ") {
		t.Fatalf("%s was answered %q", what, answer)
	}
}

// TestAnAppendIsReceivedTwice: a message sent once over a real connection reaches
// the receiver twice, and one of a type without a rule once.
func TestAnAppendIsReceivedTwice(t *testing.T) {
	t.Parallel()
	lnA, lnB := localListener(t), localListener(t)
	peers := map[NodeID]string{1: lnA.Addr().String(), 2: lnB.Addr().String()}
	a, b := startPeerEnd(t, 1, peers, lnA), startPeerEnd(t, 2, peers, lnB)
	rules(t, b.transport.faults, "do=duplicate,types=append", 1)
	eventually(t, "a connection", func() bool { return a.up(2) })
	a.transport.Send(2, &raft.Message{Type: raft.MsgAppend, From: 1, To: 2, Term: 5, Index: 7})
	a.transport.Send(2, &raft.Message{Type: raft.MsgHeartbeat, From: 1, To: 2, Term: 5})
	var got []string
	for range 3 {
		m := <-b.received
		got = append(got, fmt.Sprint(m.Type, " ", m.Index))
	}
	if fmt.Sprint(got) != "[append 7 append 7 heartbeat 0]" {
		t.Errorf("received %v", got)
	}
	if got := b.transport.faults.counts(); got != " 0 1/1" {
		t.Errorf("counted %q", got)
	}
}

// TestLostHeartbeatsCostTheLead: followers that no message of the leader reaches,
// by its type alone, elect another one; when the rules have ended all agree.
func TestLostHeartbeatsCostTheLead(t *testing.T) {
	t.Parallel()
	faults := map[NodeID]*MessageFaults{}
	c := startCluster(t, 3, meddled(faults))
	lead := c.leader()
	term := c.servers[lead].Status().Term
	for id, f := range faults {
		if id != NodeID(lead+1) {
			rules(t, f, "do=lose,types=heartbeat+append", lead+1)
		}
	}
	eventually(t, "another term", func() bool {
		st := c.servers[(lead+1)%3].Status()
		return st.Term > term && st.Leader != 0
	})
	for _, f := range faults {
		rules(t, f, "")
	}
	c.leader()
	c.sameState()
	c.checkTraces()
}

// TestTheClusterStandsMessageFaults counts keys up on every node while messages
// come late, twice, out of order, again in later terms, or not at all, and a
// leader is cut off now and then, so that there are later terms.
func TestTheClusterStandsMessageFaults(t *testing.T) {
	t.Parallel()
	faults := map[NodeID]*MessageFaults{}
	meddle := meddled(faults)
	c := startCluster(t, 3, func(cfg *Config) {
		meddle(cfg)
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
	rng := rand.New(rand.NewPCG(3, 4))
	all := []string{"do=lose,share=0.2", "do=delay,share=0.3,delay=40000000", "do=duplicate,share=0.5", "do=duplicate,share=0.5,delay=60000000",
		"do=reorder,share=0.5,delay=50000000,count=8", "do=replay,count=32,delay=100000000", "do=lose,types=vote-reply", "do=replay,count=32"}
	hit := map[string]int{}
	for round := range 40 {
		what := all[round%len(all)]
		for _, f := range faults {
			rules(t, f, fmt.Sprintf("%s,seed=%d", what, rng.Uint64()), 1, 2, 3)
		}
		time.Sleep(150 * time.Millisecond)
		if round%4 == 3 {
			rules(t, faults[NodeID(c.leader()+1)], "do=lose", 1, 2, 3) // deaf, it is deposed, and another one stands for election
			time.Sleep(500 * time.Millisecond)
		}
		for _, f := range faults {
			hit[what] += hits(f)
		}
	}
	for _, f := range faults {
		rules(t, f, "")
	}
	before := counts[0].Load() + counts[1].Load()
	eventually(t, "progress without faults", func() bool { return counts[0].Load()+counts[1].Load() > before+50 })
	t.Logf("%d acknowledged under message faults, which hit %v", before, hit)
	close(stop)
	wg.Wait()
	c.leader()
	c.sameState()
	c.checkTraces()
	for _, what := range all {
		if hit[what] == 0 && what != "do=lose,types=vote-reply" { // nobody knows whether a vote was asked for meanwhile
			t.Errorf("%s has hit nothing", what)
		}
	}
}

// hits is how many messages the rules in force have hit.
func hits(f *MessageFaults) (n int) {
	r := f.inForce.Load()
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rule := range r.rules {
		n += int(rule.hit)
	}
	return n
}
