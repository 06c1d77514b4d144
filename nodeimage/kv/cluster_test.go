package kv

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"squall/nodeimage/raft"
)

// cluster is some real servers in this process, on loopback.
type cluster struct {
	t       testing.TB
	cfgs    []Config
	servers []*Server // nil: stopped
	traces  []*os.File
}

// steady has a cluster keep its leader on a busy computer, for tests that are of something else.
func steady(cfg *Config) { cfg.ElectionMin, cfg.ElectionMax = 2*time.Second, 3*time.Second }

func startCluster(t testing.TB, size int, change func(*Config)) *cluster {
	t.Helper()
	c := &cluster{t: t, cfgs: make([]Config, size), servers: make([]*Server, size)}
	peers := make(map[NodeID]string)
	all := make([]listeners, size)
	dir := t.TempDir()
	for i := range size {
		all[i] = listeners{client: localListener(t), peer: localListener(t), http: localListener(t)}
		peers[NodeID(i+1)] = all[i].peer.Addr().String()
	}
	for i := range size {
		trace, err := os.Create(filepath.Join(dir, fmt.Sprintf("trace-%d", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		c.traces = append(c.traces, trace)
		c.cfgs[i] = Config{ID: NodeID(i + 1), Peers: peers, DataDir: filepath.Join(dir, strconv.Itoa(i+1)), Trace: trace,
			ClientAddr: all[i].client.Addr().String(), PeerAddr: peers[NodeID(i+1)], HTTPAddr: all[i].http.Addr().String(),
			Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
		if change != nil {
			change(&c.cfgs[i])
		}
		cfg, err := c.cfgs[i].withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		if c.servers[i], err = start(cfg, all[i]); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.stop(i)
			c.traces[i].Close()
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return c
}

func (c *cluster) stop(i int) {
	if c.servers[i] != nil {
		c.servers[i].Stop()
		c.servers[i] = nil
	}
}

func (c *cluster) restart(i int) {
	c.t.Helper()
	s, err := Start(c.cfgs[i])
	if err != nil {
		c.t.Fatal(err)
	}
	c.servers[i] = s
}

// leader waits until all running nodes agree on a leader, and returns its place.
func (c *cluster) leader() int {
	c.t.Helper()
	at := -1
	eventually(c.t, "a leader", func() bool {
		at = -1
		var agreed NodeID
		for i, s := range c.servers {
			if s == nil {
				continue
			}
			st := s.Status()
			if st.Leader == 0 || agreed != 0 && st.Leader != agreed {
				return false
			}
			agreed = st.Leader
			if st.Role == raft.Leader {
				at = i
			}
		}
		return at >= 0
	})
	return at
}

// sameState waits until all running nodes hold the same log and state.
func (c *cluster) sameState() {
	c.t.Helper()
	eventually(c.t, "all nodes apply the same", func() bool {
		var first *raft.Status
		for _, s := range c.servers {
			if s == nil {
				continue
			}
			st := s.Status()
			if first == nil {
				first = &st
			}
			if st.LastIndex != first.LastIndex || st.Applied != st.LastIndex {
				return false
			}
		}
		return true
	})
	hashes := map[uint64]bool{}
	for i := range c.servers {
		if s := c.servers[i]; s != nil {
			s.Stop() // so that the state may be read
			c.servers[i] = nil
			hashes[s.machine.Hash()] = true
		}
	}
	if len(hashes) != 1 {
		c.t.Errorf("different states: hashes %v", hashes)
	}
}

func TestClusterServesOnEveryNode(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, steady)
	c.leader()
	for i, s := range c.servers {
		useAll(t, dialServer(t, s.ClientAddr(), 10*time.Second), fmt.Sprintf("key-%d", i))
	}
	for _, page := range []struct{ path, want string }{
		{"/", "<h1>n1:"}, {"/healthz", "ok\n"}, {"/metrics", "# TYPE squall_raft_term gauge\nsquall_raft_term "},
	} {
		if body := fetch(t, c.cfgs[0].HTTPAddr, page.path); !strings.Contains(body, page.want) {
			t.Errorf("%s does not hold %q:\n%s", page.path, page.want, body)
		}
	}
	var view statusView
	if err := json.Unmarshal([]byte(fetch(t, c.cfgs[0].HTTPAddr, "/status")), &view); err != nil {
		t.Fatal(err)
	}
	if view.Node != "n1" || view.Term == 0 || view.Leader == "" || len(view.Members) != 3 || view.Applied == 0 {
		t.Errorf("status: %+v", view)
	}
	checkMetrics(t, fetch(t, c.cfgs[0].HTTPAddr, "/metrics"))
	c.sameState()
	c.checkTraces()
}

func fetch(t testing.TB, addr, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
	return string(body)
}

// checkMetrics checks the form of every line.
func checkMetrics(t *testing.T, text string) {
	t.Helper()
	typed := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			if typed[name] {
				t.Errorf("%s begins twice", name)
			}
			typed[name] = true
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		series, number, ok := strings.Cut(line, " ")
		name, _, _ := strings.Cut(series, "{")
		family := strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count")
		if _, err := strconv.ParseFloat(number, 64); !ok || err != nil || !typed[name] && !typed[family] {
			t.Errorf("line %q", line)
		}
	}
}

// checkTraces checks that every node's trace can be read and tells of a leader.
func (c *cluster) checkTraces() {
	kinds := map[string]int{}
	leaders := map[uint64]string{}
	for i, f := range c.traces {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			c.t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		last := int64(0)
		for lines.Scan() {
			var e nodeEvent
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				c.t.Fatalf("trace of n%d: %q: %v", i+1, lines.Text(), err)
			}
			kinds[e.Kind]++
			if e.Time <= 0 || e.Time < last-int64(time.Second) {
				c.t.Errorf("trace of n%d goes back in time: %s", i+1, lines.Text())
			}
			last = e.Time
			if e.Kind == "role" && e.Role == "leader" {
				if other, ok := leaders[e.Term]; ok {
					c.t.Errorf("term %d has two leaders: n%d and %s", e.Term, i+1, other)
				}
				leaders[e.Term] = fmt.Sprintf("n%d", i+1)
			}
		}
	}
	for _, kind := range []string{"role", "vote", "commit", "members"} {
		if kinds[kind] == 0 {
			c.t.Errorf("no %q event in the traces: %v", kind, kinds)
		}
	}
	if len(leaders) == 0 {
		c.t.Error("the traces name no leader")
	}
}

// TestReadsStayLinearizableAcrossFailover counts keys up by compare-and-set on
// every node, while leaders are stopped and started again. Whatever was
// acknowledged before a read began, the read has to see.
func TestReadsStayLinearizableAcrossFailover(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, func(cfg *Config) {
		cfg.Heartbeat, cfg.ElectionMin, cfg.ElectionMax = 20*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond
		cfg.SnapshotEvery, cfg.SnapshotKeep = 100, 20 // so that nodes that come back need a snapshot
		cfg.RequestTimeout = time.Second
	})
	c.leader()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var counts [3]atomic.Int64
	for i := range c.cfgs {
		for j := range 2 { // two on each key: what one is told may come from the other
			wg.Go(func() {
				countUp(t, c.cfgs[i].ClientAddr, fmt.Sprintf("counter-%d", j), &counts[j], stop)
			})
		}
	}
	for range 3 {
		before := counts[0].Load() + counts[1].Load()
		eventually(t, "progress", func() bool { return counts[0].Load()+counts[1].Load() > before+120 })
		at := c.leader()
		c.stop(at)
		c.leader()
		before = counts[0].Load() + counts[1].Load()
		eventually(t, "progress without the old leader", func() bool { return counts[0].Load()+counts[1].Load() > before+120 })
		c.restart(at)
	}
	close(stop)
	wg.Wait()
	c.leader()
	c.sameState()
	c.checkTraces()
}

// countUp counts a key up until stop is closed. acked is the highest number that
// was acknowledged to anyone.
func countUp(t *testing.T, addr, key string, acked *atomic.Int64, stop <-chan struct{}) {
	var c *Client
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	ctx := context.Background()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if c == nil {
			var err error
			if c, err = (Dialer{Timeout: 2 * time.Second}).Dial(ctx, addr); err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
		}
		floor := acked.Load()
		text, found, err := c.Get(ctx, key)
		if err != nil {
			if !Certain(err) {
				t.Errorf("a read with an unknown outcome: %v", err)
			}
			c.Close()
			c = nil
			continue
		}
		n, _ := strconv.ParseInt(text, 10, 64)
		if n < floor {
			t.Errorf("%s: read %d after %d was acknowledged", key, n, floor)
			return
		}
		swapped, _, err := c.CAS(ctx, key, Value{Data: text, Present: found}, strconv.FormatInt(n+1, 10))
		if err == nil && swapped {
			for old := acked.Load(); n+1 > old && !acked.CompareAndSwap(old, n+1); old = acked.Load() {
			}
		}
	}
}

func TestStateSurvivesRestart(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, steady)
	c.leader()
	client := dialServer(t, c.servers[0].ClientAddr(), 10*time.Second)
	for i := range 100 {
		if err := client.Put(context.Background(), "key-"+strconv.Itoa(i), strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range c.servers {
		c.stop(i)
	}
	for i := range c.servers {
		c.restart(i)
	}
	c.leader()
	client = dialServer(t, c.servers[2].ClientAddr(), 10*time.Second)
	for i := range 100 {
		if v, found, err := client.Get(context.Background(), "key-"+strconv.Itoa(i)); err != nil || !found || v != strconv.Itoa(i) {
			t.Fatalf("key-%d holds %q, %v, %v", i, v, found, err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	taken := localListener(t)
	defer taken.Close()
	good := func() Config {
		return Config{ID: 1, Peers: map[NodeID]string{1: "localhost:1"}, DataDir: t.TempDir(),
			ClientAddr: "127.0.0.1:0", PeerAddr: "127.0.0.1:0", HTTPAddr: "off"}
	}
	for name, change := range map[string]func(*Config){
		"no id":           func(c *Config) { c.ID = 0 },
		"not among peers": func(c *Config) { c.ID = 2 },
		"peer 0":          func(c *Config) { c.Peers[0] = "localhost:2" },
		"peer portless":   func(c *Config) { c.Peers[2] = "localhost" },
		"no directory":    func(c *Config) { c.DataDir = "" },
		"a file in place": func(c *Config) { c.DataDir = writeFile(t) },
		"slow heartbeat":  func(c *Config) { c.Heartbeat = time.Minute },
		"port taken":      func(c *Config) { c.PeerAddr = taken.Addr().String() },
		"election reversed": func(c *Config) {
			c.ElectionMin, c.ElectionMax = time.Second, time.Millisecond
		},
	} {
		cfg := good()
		change(&cfg)
		if s, err := Start(cfg); err == nil {
			s.Stop()
			t.Errorf("%s: started", name)
		}
	}
	s, err := Start(good())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a single node leads itself", func() bool { return s.Status().Role == raft.Leader })
	useAll(t, dialServer(t, s.ClientAddr(), 10*time.Second), "key")
	s.Stop()
	s.Stop()
	if _, err := net.Dial("tcp", s.ClientAddr()); err == nil {
		t.Error("still listening after Stop")
	}
}

func writeFile(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}
