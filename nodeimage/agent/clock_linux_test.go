package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/kv"
)

// serveKV is a real server: ID PEERS DIR HEARTBEAT ELECTION-MIN ELECTION-MAX.
func serveKV(args []string) error {
	clock, _, err := kv.InheritedClock()
	if err != nil {
		return err
	}
	messages, _, err := kv.InheritedMessageFaults()
	if err != nil {
		return err
	}
	id, _ := strconv.Atoi(args[0])
	cfg := kv.Config{ID: kv.NodeID(id), Peers: map[kv.NodeID]string{}, DataDir: args[2], Clock: clock, Messages: messages,
		ClientAddr: "127.0.0.1:0", HTTPAddr: "off", Trace: os.NewFile(3, "trace")}
	for i, addr := range strings.Split(args[1], ",") {
		cfg.Peers[kv.NodeID(i+1)] = addr
	}
	cfg.PeerAddr = cfg.Peers[cfg.ID]
	for i, to := range []*time.Duration{&cfg.Heartbeat, &cfg.ElectionMin, &cfg.ElectionMax} {
		if *to, err = time.ParseDuration(args[3+i]); err != nil {
			return err
		}
	}
	server, err := kv.Start(cfg)
	if err != nil {
		return err
	}
	<-server.Failed()
	return server.Err()
}

// kvNode is a real server under an agent of its own.
type kvNode struct {
	*harness
	spec protocol.StartSpec
}

func (n *kvNode) start(t *testing.T) {
	t.Helper()
	if _, err := n.Start(t.Context(), n.spec); err != nil {
		t.Fatal(err)
	}
}

func (n *kvNode) bend(t *testing.T, b protocol.ClockBend) {
	t.Helper()
	if err := n.BendClock(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func (n *kvNode) read(t *testing.T) protocol.ClockReading {
	t.Helper()
	r, err := n.ReadClock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// offset wants the clock to be so far from true time, which it keeps to.
func (n *kvNode) offset(t *testing.T, want time.Duration) {
	t.Helper()
	r := n.read(t)
	if off := r.Server - r.Mono - int64(want); max(off, -off) > r.Error+int64(readSlack) {
		t.Errorf("the clock is %v from true time, give or take %v; want %v", time.Duration(r.Server-r.Mono), time.Duration(r.Error), want)
	}
}

// readSlack is by how much a server may misjudge the machine's clock: it reads
// it once, through another call than the agent.
const readSlack = 500 * time.Microsecond

// startKV starts a cluster of so many nodes with these election times.
func startKV(t *testing.T, size int, heartbeat, electionMin, electionMax time.Duration) []*kvNode {
	t.Helper()
	var peers []string
	for range size {
		peers = append(peers, netip.AddrPortFrom(machinetest.Address(), 7000).String())
	}
	nodes := make([]*kvNode, size)
	for i := range nodes {
		nodes[i] = &kvNode{newHarness(t, new(recorder)), protocol.StartSpec{Clock: true, Messages: true, Argv: []string{"/proc/self/exe", "kv",
			strconv.Itoa(i + 1), strings.Join(peers, ","), t.TempDir(), heartbeat.String(), electionMin.String(), electionMax.String()}}}
		if _, err := nodes[i].Hello(t.Context()); err != nil { // it has its port; the next one takes another
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // before the directories go
		for _, n := range nodes {
			n.Kill(context.Background())
		}
	})
	return nodes
}

func startAll(t *testing.T, nodes []*kvNode) {
	t.Helper()
	for _, n := range nodes {
		n.start(t)
	}
}

// roleEvent is what the trace says of a role.
type roleEvent struct {
	Kind   string `json:"e"`
	Time   int64  `json:"t"`
	Term   uint64 `json:"term"`
	Role   string `json:"role"`
	Leader string `json:"leader"`
	Reason string `json:"reason"`
}

// roles are the role events since that moment.
func (n *kvNode) roles(t *testing.T, since int64) (events []roleEvent) {
	t.Helper()
	text := n.rec.text(protocol.StreamTrace)
	for line := range strings.Lines(text[:strings.LastIndexByte(text, '\n')+1]) {
		var e roleEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("trace line %q: %v", line, err)
		}
		if e.Kind == "role" && e.Time >= since {
			events = append(events, e)
		}
	}
	return events
}

// timeouts are when the node's election timeout ran out since that moment.
func (n *kvNode) timeouts(t *testing.T, since int64) (at []int64) {
	t.Helper()
	for _, e := range n.roles(t, since) {
		if e.Reason == "election timeout" {
			at = append(at, e.Time)
		}
	}
	return at
}

// leader waits for a node that leads since that moment, and returns the others too.
func leader(t *testing.T, nodes []*kvNode, since int64) (lead *kvNode, others []*kvNode) {
	t.Helper()
	eventually(t, "a leader", func() bool {
		best := uint64(0)
		for _, n := range nodes {
			for _, e := range n.roles(t, since) {
				if e.Role == "leader" && e.Term > best {
					lead, best = n, e.Term
				}
			}
		}
		return lead != nil
	})
	for _, n := range nodes {
		if n != lead {
			others = append(others, n)
		}
	}
	// That they know of it is what keeps them from electing another.
	eventually(t, "followers", func() bool {
		for _, n := range others {
			if last := n.roles(t, since); len(last) == 0 || last[len(last)-1].Leader == "" {
				return false
			}
		}
		return true
	})
	return lead, others
}

func TestBentClockIsMeasured(t *testing.T) {
	n := startKV(t, 1, 50*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond)[0]
	n.start(t)
	n.offset(t, 0)
	for _, b := range []protocol.ClockBend{
		{Offset: time.Hour}, {Offset: -24 * time.Hour}, {Rate: 1.05}, {Rate: 0.5}, {Offset: time.Minute, Rate: 1000},
		{Offset: -time.Second, Rate: 0.001}, {},
	} {
		before := mono()
		n.bend(t, b)
		after := mono()
		time.Sleep(30 * time.Millisecond) // for the rate to show; how long it took is measured
		r := n.read(t)
		rate := b.Rate
		if rate == 0 {
			rate = 1
		}
		// It was bent at some moment between before and after.
		from := before + (after-before)/2
		want := float64(from) + float64(b.Offset) + rate*float64(r.Mono-from)
		bound := math.Abs(rate-1)*float64(after-before)/2 + rate*float64(r.Error) + max(rate, 1)*float64(readSlack)
		if off := float64(r.Server) - want; math.Abs(off) > bound {
			t.Errorf("%+v: the clock shows %v, which is %v off; the bound is %v", b, time.Duration(r.Server), time.Duration(off), time.Duration(bound))
		}
		t.Logf("%+v: measured to within %v, reading took %v", b, time.Duration(bound), time.Duration(2*r.Error))
	}
}

func TestFrozenClockIsMeasured(t *testing.T) {
	n := startKV(t, 1, 50*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond)[0]
	n.start(t)
	n.bend(t, protocol.ClockBend{Offset: time.Hour})
	before := mono()
	n.bend(t, protocol.ClockBend{Offset: time.Hour, Frozen: true})
	after := mono()
	first := n.read(t)
	if shown := first.Server - int64(time.Hour); shown < before-int64(readSlack) || shown > after+int64(readSlack) {
		t.Errorf("frozen between %d and %d, it shows %d", before, after, shown)
	}
	time.Sleep(50 * time.Millisecond) // in which it may not move
	if later := n.read(t); later.Server != first.Server || later.Mono < first.Mono+int64(50*time.Millisecond) {
		t.Errorf("frozen, it shows %+v and later %+v", first, later)
	}
	n.bend(t, protocol.ClockBend{Offset: 2 * time.Hour, Frozen: true})
	if later := n.read(t); later.Server != first.Server+int64(time.Hour) {
		t.Errorf("frozen and set forward by an hour, it shows %+v after %+v", later, first)
	}
	n.bend(t, protocol.ClockBend{})
	n.offset(t, 0)
}

func TestJumpForwardStartsAnElection(t *testing.T) {
	// Timeouts so long that none runs out by itself.
	nodes := startKV(t, 3, 100*time.Millisecond, 8*time.Second, 10*time.Second)
	startAll(t, nodes)
	_, others := leader(t, nodes, 0)
	n := others[0]
	// A heartbeat that comes at the same moment may overtake the timeout: then
	// the leader was heard after the jump. Not every time, though.
	before := mono()
	for try := range time.Duration(5) {
		n.bend(t, protocol.ClockBend{Offset: (try + 1) * 11 * time.Second})
		time.Sleep(time.Second) // one that comes later is seen by the next try
		if at := n.timeouts(t, before); len(at) > 0 {
			t.Logf("the timeout ran out %v after jump %d was asked for, by true time", time.Duration(at[0]-before), try+1)
			return
		}
	}
	t.Error("after 5 jumps beyond its timeout the follower has begun no election")
}

func TestFrozenFollowersElectNobody(t *testing.T) {
	const electionMax = 600 * time.Millisecond
	nodes := startKV(t, 3, 50*time.Millisecond, electionMax/2, electionMax)
	startAll(t, nodes)
	lead, others := leader(t, nodes, 0)
	for _, n := range others {
		n.bend(t, protocol.ClockBend{Frozen: true})
	}
	frozen := mono()
	if _, err := lead.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * electionMax) // in which nothing may happen
	for i, n := range others {
		if at := n.timeouts(t, frozen); len(at) > 0 {
			t.Errorf("follower %d began an election %v after its clock was frozen", i, time.Duration(at[0]-frozen))
		}
	}
	healed := mono()
	for _, n := range others {
		n.bend(t, protocol.ClockBend{})
	}
	leader(t, others, healed)
	if at := others[0].timeouts(t, healed); len(at) > 0 {
		t.Logf("healed, a timeout ran out after %v", time.Duration(at[0]-healed))
	}
	lead.start(t)
	leader(t, nodes, healed)
}

// TestSlowClocksElectLater: with clocks at a tenth of their rate, an election
// takes ten times the timeout. Where this computer stood still the leader may have
// been quiet for a while before its end, so that several are tried; with clocks at
// their true rate none would take half as long.
func TestSlowClocksElectLater(t *testing.T) {
	const rate, electionMin, electionMax, tries = 0.1, 150 * time.Millisecond, 200 * time.Millisecond, 10
	nodes := startKV(t, 3, 20*time.Millisecond, electionMin, electionMax)
	startAll(t, nodes)
	since := int64(0)
	for range tries {
		killed, first := electSlowly(t, nodes, rate, since)
		took := time.Duration(first - killed)
		t.Logf("the first election began %v after the leader's end; by the slow clocks %v", took, time.Duration(rate*float64(took)))
		if took >= 10*electionMin/2 {
			return
		}
		since = killed
	}
	t.Errorf("of %d elections none began %v to %v after the leader's end", tries, 10*electionMin, 10*electionMax)
}

// electSlowly kills the leader while the clocks of the others are slow. It returns
// when, and when the first of them began an election; then all serve again.
func electSlowly(t *testing.T, nodes []*kvNode, rate float64, since int64) (killed, first int64) {
	t.Helper()
	lead, others := leader(t, nodes, since)
	for _, n := range others {
		n.bend(t, protocol.ClockBend{Rate: rate})
	}
	lead, others = leader(t, nodes, since)
	killed = mono()
	if _, err := lead.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an election", func() bool {
		return len(others[0].timeouts(t, killed))+len(others[1].timeouts(t, killed)) > 0
	})
	first = int64(math.MaxInt64)
	for _, n := range others {
		for _, at := range n.timeouts(t, killed) {
			first = min(first, at)
		}
	}
	for _, n := range others {
		n.bend(t, protocol.ClockBend{})
	}
	leader(t, others, killed)
	lead.start(t)
	return killed, first
}

func TestBendOutlivesTheServer(t *testing.T) {
	n := startKV(t, 1, 50*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond)[0]
	ctx := t.Context()
	n.bend(t, protocol.ClockBend{Offset: time.Hour}) // before the first server
	if _, err := n.ReadClock(ctx); !errors.Is(err, protocol.ErrNotRunning) {
		t.Errorf("reading the clock of nothing: %v, want ErrNotRunning", err)
	}
	n.start(t)
	n.offset(t, time.Hour)
	n.bend(t, protocol.ClockBend{Frozen: true, Offset: -time.Hour})
	frozen := n.read(t).Server
	for _, bend := range []*protocol.ClockBend{nil, {Offset: -time.Minute}, {}} {
		if _, err := n.Kill(ctx); err != nil {
			t.Fatal(err)
		}
		if bend != nil {
			n.bend(t, *bend)
		}
		n.start(t)
		switch {
		case bend != nil:
			n.offset(t, bend.Offset)
		case n.read(t).Server != frozen:
			t.Errorf("frozen at %d before, the next server's clock shows %d", frozen, n.read(t).Server)
		}
	}
	// The server goes by the bend before its first timer: with a clock that
	// stands still it never gets to lead itself.
	n.Kill(ctx)
	n.bend(t, protocol.ClockBend{Frozen: true})
	begun := mono()
	n.start(t)
	time.Sleep(700 * time.Millisecond) // in which nothing may happen
	if at := n.timeouts(t, begun); len(at) > 0 {
		t.Errorf("with a frozen clock from the start, a timeout ran out: %v", at)
	}
	n.bend(t, protocol.ClockBend{})
	leader(t, []*kvNode{n}, begun)
}

func TestBendingAPausedServer(t *testing.T) {
	n := startKV(t, 1, 50*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond)[0]
	ctx := t.Context()
	n.start(t)
	n.offset(t, 0)
	if _, err := n.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for i := range 20 {
		n.bend(t, protocol.ClockBend{Offset: time.Duration(i) * time.Minute})
	}
	if took := time.Since(begun); took > 20*lineTimeout/2 {
		t.Errorf("20 bends of a paused server took %v", took)
	}
	if _, err := n.ReadClock(ctx); !errors.Is(err, protocol.ErrClockSilent) || !strings.Contains(err.Error(), "paused") {
		t.Errorf("reading the clock of a paused server: %v, want ErrClockSilent", err)
	}
	if _, err := n.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	n.offset(t, 19*time.Minute)
	if _, err := n.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	n.bend(t, protocol.ClockBend{Offset: time.Second})
	n.Kill(ctx)
	n.start(t)
	n.offset(t, time.Second)
}

func TestServersWithoutAClock(t *testing.T) {
	h := newHarness(t, new(recorder))
	ctx := t.Context()
	h.run(t, "hang")
	if err := h.BendClock(ctx, protocol.ClockBend{Rate: 2}); !errors.Is(err, protocol.ErrNoClock) {
		t.Errorf("bend: %v, want ErrNoClock", err)
	}
	if _, err := h.ReadClock(ctx); !errors.Is(err, protocol.ErrNoClock) {
		t.Errorf("read: %v, want ErrNoClock", err)
	}
	for name, c := range map[string]struct {
		do   string
		want error
		text string
	}{
		"says nothing":     {"say=", protocol.ErrClockSilent, "said nothing for"},
		"closes the line":  {"clock-close", nil, "closed the line"},
		"speaks otherwise": {"clock-say=good morning", nil, "good morning"},
		"refuses":          {"clock-say=error 2 it is stuck", nil, "it is stuck"},
	} {
		h.Kill(ctx)
		if _, err := h.Start(ctx, protocol.StartSpec{Argv: []string{"/proc/self/exe", "server", c.do, "hang"}, Clock: true}); err != nil {
			t.Fatal(err)
		}
		_, err := h.ReadClock(ctx)
		if err == nil || !strings.Contains(err.Error(), c.text) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("a server that %s: %v, want %q", name, err, c.text)
		}
	}
}

// TestBendsWhileTheServerComesAndGoes: the last bend is what counts.
func TestBendsWhileTheServerComesAndGoes(t *testing.T) {
	n := startKV(t, 1, 50*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond)[0]
	ctx := t.Context()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 15 {
			if _, err := n.Start(ctx, n.spec); err != nil {
				t.Error(err)
			}
			if _, err := n.Kill(ctx); err != nil {
				t.Error(err)
			}
		}
	}()
	last, running := time.Duration(0), true
	for i := 0; running; i++ {
		select {
		case <-done:
			running = false
		default:
		}
		last = time.Duration(i%1000) * time.Minute
		if err := n.BendClock(ctx, protocol.ClockBend{Offset: last}); err != nil {
			t.Fatal(fmt.Errorf("bend %d: %w", i, err))
		}
		if _, err := n.ReadClock(ctx); err != nil && !errors.Is(err, protocol.ErrNotRunning) {
			t.Fatal(fmt.Errorf("read %d: %w", i, err))
		}
	}
	n.start(t)
	n.offset(t, last)
}

// A server's closed line is told as that, whether the request or the reading finds
// it first: here nobody reads.
func TestAskingOverAClosedLine(t *testing.T) {
	link, theirs, err := new(machineClock).linkClock()
	if err != nil {
		t.Fatal(err)
	}
	defer link.close()
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := link.ask("read", ""); !errors.Is(err, clockKind.closed) {
			t.Errorf("%v, want that the server closed the line", err)
		}
	}
}
