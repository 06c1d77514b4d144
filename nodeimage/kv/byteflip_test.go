package kv

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// badNetwork changes one byte of a hundredth of the chunks it carries, while on.
type badNetwork struct {
	on      atomic.Bool
	changed atomic.Int64
}

func (n *badNetwork) change(_ bool, _ int, chunk []byte) {
	if len(chunk) == 0 || !n.on.Load() || rand.N(100) != 0 {
		return
	}
	chunk[rand.N(len(chunk))] ^= byte(1 + rand.N(255))
	n.changed.Add(1)
}

// writeOutcome is what a client knows of a value it wrote.
type writeOutcome int

const (
	failed  writeOutcome = iota // certainly not written
	unknown                     // maybe
	written                     // acknowledged
)

// writer writes every key once, always the value that belongs to it.
type writer struct {
	t        *testing.T
	name     string
	addr     string
	outcomes map[string]writeOutcome // by key
	acked    []string
	read     int

	worked *atomic.Int64 // writes that were acknowledged, and then a read, of all writers
}

// valueOf is long enough that most changed bytes hit a value.
func valueOf(key string) string { return strings.Repeat(key+".", 20) }

// run writes, and reads what was acknowledged, until stop is closed. A client
// whose connection is lost is replaced.
func (s *writer) run(stop <-chan struct{}) {
	var c *Client
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for i := 0; !isClosed(stop); i++ {
		if c == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			var err error
			c, err = Dialer{Timeout: 2 * time.Second}.Dial(ctx, s.addr)
			cancel()
			if err != nil {
				c = nil
				time.Sleep(5 * time.Millisecond)
				continue
			}
		}
		if err := s.step(c, fmt.Sprintf("%s-%d", s.name, i)); err != nil {
			c.Close()
			c = nil
		}
	}
}

// step writes a key and reads another.
func (s *writer) step(c *Client, key string) error {
	ctx := context.Background()
	switch err := c.Put(ctx, key, valueOf(key)); {
	case err == nil:
		s.outcomes[key] = written
		s.acked = append(s.acked, key)
	case Certain(err):
		s.outcomes[key] = failed
		return err
	default:
		s.outcomes[key] = unknown
		return err
	}
	old := s.acked[rand.N(len(s.acked))]
	v, found, err := c.Get(ctx, old)
	if err == nil {
		s.read++
		s.worked.Add(1)
		if !found || v != valueOf(old) {
			s.t.Errorf("%s was acknowledged; it is read as %q, %v", old, v, found)
		}
	}
	return err
}

// check compares what the cluster holds in the end with what the writer knows.
func (s *writer) check(c *Client) {
	for key, outcome := range s.outcomes {
		v, found, err := c.Get(context.Background(), key)
		switch {
		case err != nil:
			s.t.Fatalf("read %s in the end: %v", key, err)
		case found && v != valueOf(key):
			s.t.Errorf("%s holds %q", key, v)
		case found && outcome == failed:
			s.t.Errorf("%s is there, and was said to have failed for certain", key)
		case !found && outcome == written:
			s.t.Errorf("%s was acknowledged, and is lost", key)
		}
	}
}

// startOn starts a cluster in which everybody reaches everybody through the
// network, and returns where clients find its nodes.
func startOn(t *testing.T, network *badNetwork) (c *cluster, clients []string) {
	c = startCluster(t, 3, func(cfg *Config) {
		cfg.SnapshotEvery, cfg.SnapshotKeep = 100, 20 // so that a node that comes back needs a snapshot
		cfg.RequestTimeout = time.Second
		cfg.Peers = maps.Clone(cfg.Peers)
		for id, addr := range cfg.Peers {
			if id != cfg.ID {
				cfg.Peers[id] = startChanger(t, addr, network.change).addr()
			}
		}
	})
	for _, s := range c.servers {
		clients = append(clients, startChanger(t, s.ClientAddr(), network.change).addr())
	}
	return c, clients
}

// wellAndDamaged checks that no running node failed, and returns how many
// damaged connections they saw.
func (c *cluster) wellAndDamaged() (damaged uint64) {
	c.t.Helper()
	for i, s := range c.servers {
		if s == nil {
			continue
		}
		if err := s.Err(); err != nil {
			c.t.Errorf("n%d failed: %v", i+1, err)
		}
		damaged += s.metrics.damaged.Load()
	}
	return damaged
}

// fallBehindAndReturn stops a follower until the others have forgotten what it
// needs, starts it again and waits until it has caught up. It returns which one
// it was, and the damaged connections seen until then.
func (c *cluster) fallBehindAndReturn() (behind int, damaged uint64) {
	c.t.Helper()
	behind = (c.leader() + 1) % 3
	damaged = c.wellAndDamaged()
	last := c.servers[behind].Status().LastIndex
	c.stop(behind)
	eventually(c.t, "the others forget", func() bool {
		first := c.servers[(behind+1)%3].Status().FirstIndex
		return min(first, c.servers[(behind+2)%3].Status().FirstIndex) > last+1
	})
	goal := c.servers[(behind+1)%3].Status().CommitIndex
	c.restart(behind)
	eventually(c.t, "it catches up", func() bool { return c.servers[behind].Status().Applied >= goal })
	trace, err := os.ReadFile(c.traces[behind].Name())
	if err != nil || !bytes.Contains(trace, []byte(`"reason":"installed"`)) {
		c.t.Errorf("n%d caught up without a snapshot (%v)", behind+1, err)
	}
	return behind, damaged
}

// TestClusterOnANetworkThatChangesBytes writes and reads for some seconds, or
// longer where a busy machine gets little done in them, in
// which every hundredth chunk is changed, among nodes and with clients, and in
// which one node comes back that has to be sent a snapshot. It makes many
// connections, and so is not parallel either (see flipEach).
func TestClusterOnANetworkThatChangesBytes(t *testing.T) {
	network := &badNetwork{}
	c, clients := startOn(t, network)
	c.leader()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var writers []*writer
	var worked atomic.Int64
	for i, addr := range clients {
		for j := range 3 {
			s := &writer{t: t, name: fmt.Sprintf("n%d-%d", i+1, j), addr: addr, outcomes: make(map[string]writeOutcome), worked: &worked}
			writers = append(writers, s)
			wg.Go(func() { s.run(stop) })
		}
	}
	network.on.Store(true)
	time.Sleep(time.Second) // of load; that it was one is asserted below
	behind, seen := c.fallBehindAndReturn()
	time.Sleep(time.Second)
	eventually(t, "enough writes and reads succeed", func() bool { return worked.Load() >= 10 })
	network.on.Store(false)
	close(stop)
	wg.Wait()
	c.leader()
	seen = max(seen, c.wellAndDamaged())
	client := dialServer(t, c.servers[behind].ClientAddr(), 20*time.Second)
	counts := map[writeOutcome]int{}
	reads := 0
	for _, s := range writers {
		s.check(client)
		for _, f := range s.outcomes {
			counts[f]++
		}
		reads += s.read
	}
	t.Logf("%d chunks changed, %d damaged connections seen; writes: %d acknowledged, %d unknown, %d failed; %d reads",
		network.changed.Load(), seen, counts[written], counts[unknown], counts[failed], reads)
	if seen == 0 || counts[written] < 10 || reads == 0 {
		t.Error("that was no test of anything")
	}
	c.sameState()
	c.checkTraces()
}
