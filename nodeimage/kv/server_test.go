package kv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"squall/nodeimage/raft"
)

// each runs every kind of operation once.
func each(c *Client, check func(op Op, err error)) {
	ctx := context.Background()
	_, _, err := c.Get(ctx, "k")
	check(OpGet, err)
	check(OpPut, c.Put(ctx, "k", "v"))
	_, _, err = c.CAS(ctx, "k", Some("v"), "w")
	check(OpCAS, err)
	check(OpDelete, c.Delete(ctx, "k"))
}

// useAll does every operation and checks the answers.
func useAll(t *testing.T, c *Client, key string) {
	t.Helper()
	ctx := context.Background()
	fail := func(what string, args ...any) {
		t.Helper()
		t.Fatalf("%s: %s", key, fmt.Sprintf(what, args...))
	}
	if v, found, err := c.Get(ctx, key); err != nil || found {
		fail("get of nothing: %q, %v, %v", v, found, err)
	}
	if swapped, found, err := c.CAS(ctx, key, Some("x"), "y"); err != nil || swapped || found != Absent() {
		fail("cas of nothing: %v, %+v, %v", swapped, found, err)
	}
	if swapped, _, err := c.CAS(ctx, key, Absent(), "1"); err != nil || !swapped {
		fail("cas of the expected absence: %v, %v", swapped, err)
	}
	if swapped, found, err := c.CAS(ctx, key, Absent(), "2"); err != nil || swapped || found != Some("1") {
		fail("cas that expects absence: %v, %+v, %v", swapped, found, err)
	}
	if swapped, _, err := c.CAS(ctx, key, Some("1"), ""); err != nil || !swapped {
		fail("cas of the expected value: %v, %v", swapped, err)
	}
	if v, found, err := c.Get(ctx, key); err != nil || !found || v != "" {
		fail("get of the empty value: %q, %v, %v", v, found, err)
	}
	big := strings.Repeat("v", MaxValue)
	if err := c.Put(ctx, key, big); err != nil {
		fail("put: %v", err)
	}
	if v, found, err := c.Get(ctx, key); err != nil || !found || v != big {
		fail("get of the big value: %d bytes, %v, %v", len(v), found, err)
	}
	if err := c.Delete(ctx, key); err != nil {
		fail("delete: %v", err)
	}
	if _, found, err := c.Get(ctx, key); err != nil || found {
		fail("get after delete: %v, %v", found, err)
	}
}

func TestLeaderAndForwarding(t *testing.T) {
	t.Parallel()
	leader, state := answering(1)
	follower, _ := answering(1)
	nodes := startFakes(t, []consensus{leader, follower}, []*Machine{state, nil}, func(c *Config) { c.LeaderWait = 5 * time.Second })
	var wg sync.WaitGroup
	for i, n := range nodes {
		c := dialServer(t, n.ClientAddr(), 10*time.Second)
		for j := range 4 {
			wg.Go(func() { useAll(t, c, fmt.Sprintf("key-%d-%d", i, j)) })
		}
	}
	wg.Wait()
	if nodes[1].metrics.forwarded.Load() == 0 {
		t.Error("nothing was forwarded")
	}
	// An answer may be there before the request is counted.
	eventually(t, "as many requests forwarded as answered for others", func() bool {
		return nodes[1].metrics.forwarded.Load() == nodes[0].metrics.fromNodes.Load()
	})
}

func TestConsensusErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err     error
		code    Code
		certain bool // of a write; a read is always certain
	}{
		{raft.ErrNotLeader, CodeNotLeader, true},
		{raft.ErrBusy, CodeBusy, true},
		{raft.ErrStopped, CodeStopped, true},
		{raft.ErrSuperseded, CodeSuperseded, true},
		{raft.ErrUnknown, CodeLeaderLost, false},
		{fmt.Errorf("shutting down: %w", raft.ErrUnknown), CodeLeaderLost, false},
		{errors.New("something new"), CodeInternal, false},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			follower, _ := answering(1)
			nodes := startFakes(t, []consensus{refusing(1, c.err), follower}, []*Machine{nil, nil}, func(c *Config) {
				c.LeaderWait = 100 * time.Millisecond
			})
			eventually(t, "connection to the leader", func() bool { return nodes[1].forwards.links[1].Load() != nil })
			for _, n := range nodes {
				each(dialServer(t, n.ClientAddr(), 10*time.Second), func(op Op, err error) {
					wantError(t, err, c.code, c.certain || op == OpGet)
				})
			}
		})
	}
}

func TestNoLeaderFailsForCertainAfterTheWait(t *testing.T) {
	node, state := answering(0)
	nodes := startFakes(t, []consensus{node}, []*Machine{state}, nil)
	c := dialServer(t, nodes[0].ClientAddr(), 10*time.Second)
	each(c, func(_ Op, err error) { wantError(t, err, CodeNotLeader, true) })
}

func TestRequestWaitsForALeader(t *testing.T) {
	node, state := answering(0)
	nodes := startFakes(t, []consensus{node}, []*Machine{state}, func(c *Config) { c.LeaderWait = 10 * time.Second })
	c := dialServer(t, nodes[0].ClientAddr(), 10*time.Second)
	done := make(chan error)
	go func() { done <- c.Put(context.Background(), "k", "v") }()
	eventually(t, "request parked", func() bool {
		nodes[0].frontend.router.mu.Lock()
		defer nodes[0].frontend.router.mu.Unlock()
		return len(nodes[0].frontend.router.waiting) > 0
	})
	node.setLeader(1)
	if err := await(t, done, "the answer"); err != nil {
		t.Fatal(err)
	}
}

// TestForwardedOnceOnly has two nodes that each take the other for the leader.
func TestForwardedOnceOnly(t *testing.T) {
	a, _ := answering(2)
	b, _ := answering(1)
	nodes := startFakes(t, []consensus{a, b}, []*Machine{nil, nil}, nil)
	eventually(t, "connections", func() bool {
		return nodes[0].forwards.links[2].Load() != nil && nodes[1].forwards.links[1].Load() != nil
	})
	c := dialServer(t, nodes[0].ClientAddr(), 10*time.Second)
	each(c, func(_ Op, err error) { wantError(t, err, CodeNotLeader, true) })
	eventually(t, "n1 forwarded 4 requests", func() bool { return nodes[0].metrics.forwarded.Load() == 4 })
	if n := nodes[1].metrics.forwarded.Load(); n != 0 {
		t.Errorf("n2 forwarded %d requests on", n)
	}
}

func TestUnreachableLeaderIsCertain(t *testing.T) {
	node, state := answering(2)
	nodes := startFakes(t, []consensus{node}, []*Machine{state}, func(c *Config) { c.Peers[2] = "127.0.0.1:1" })
	c := dialServer(t, nodes[0].ClientAddr(), 10*time.Second)
	each(c, func(_ Op, err error) { wantError(t, err, CodeNotLeader, true) })
}

// TestLeaderLostAfterForwarding cuts the connection to the leader when it has
// taken the request and not answered.
func TestLeaderLostAfterForwarding(t *testing.T) {
	leader, held := silent(1)
	follower, _ := answering(1)
	nodes := startFakes(t, []consensus{leader, follower}, []*Machine{nil, nil}, nil)
	link := nodes[1].forwards.links[1]
	eventually(t, "connection to the leader", func() bool { return link.Load() != nil })
	c := dialServer(t, nodes[1].ClientAddr(), 10*time.Second)
	results := make(chan error, 2)
	go func() { results <- c.Put(context.Background(), "k", "v") }()
	await(t, held, "the write at the leader")
	lost := link.Load()
	lost.conn.Close()
	wantError(t, await(t, results, "the write's answer"), CodeForwardLost, false)

	eventually(t, "a new connection", func() bool { now := link.Load(); return now != nil && now != lost })
	go func() {
		_, _, err := c.Get(context.Background(), "k")
		results <- err
	}()
	await(t, held, "the read at the leader")
	link.Load().conn.Close()
	wantError(t, await(t, results, "the read's answer"), CodeForwardLost, true)
}

// A leader that was cut off holds what was forwarded to it. When another node
// leads, a read is answered by that one, and a write is given up at once.
func TestForwardedRequestsDoNotOutlastTheirLeader(t *testing.T) {
	t.Parallel()
	old, held := silent(1)
	next, state := answering(2)
	follower, _ := answering(1)
	next.setLeader(1)
	nodes := startFakes(t, []consensus{old, next, follower}, []*Machine{nil, state, nil}, func(c *Config) { c.LeaderWait = 5 * time.Second })
	c := dialServer(t, nodes[2].ClientAddr(), 60*time.Second)
	read, write := make(chan error, 1), make(chan error, 1)
	go func() { _, _, err := c.Get(context.Background(), "k"); read <- err }()
	go func() { write <- c.Put(context.Background(), "k", "v") }()
	for range 2 {
		await(t, held, "a request at the old leader") // both have reached the old leader
	}
	next.setLeader(2)
	follower.setLeader(2)
	if err := await(t, read, "the read's answer"); err != nil {
		t.Errorf("the read was not answered by the next leader: %v", err)
	}
	wantError(t, await(t, write, "the write's answer"), CodeLeaderMoved, false)
}

func TestRequestTimeout(t *testing.T) {
	t.Parallel()
	leader, held := silent(1)
	follower, _ := answering(1)
	nodes := startFakes(t, []consensus{leader, follower}, []*Machine{nil, nil}, func(c *Config) { c.RequestTimeout = 100 * time.Millisecond })
	eventually(t, "connection to the leader", func() bool { return nodes[1].forwards.links[1].Load() != nil })
	for _, n := range nodes {
		each(dialServer(t, n.ClientAddr(), 10*time.Second), func(op Op, err error) {
			wantError(t, err, CodeTimeout, op == OpGet)
		})
	}
	close(held)
	for done := range held { // late answers are not sent a second time
		done(response{status: statusOK}, nil)
	}
}

func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	leader, held := silent(1)
	nodes := startFakes(t, []consensus{leader}, []*Machine{nil}, nil)
	c := dialServer(t, nodes[0].ClientAddr(), 10*time.Second)
	result := make(chan error)
	go func() { result <- c.Put(context.Background(), "k", "v") }()
	done := await(t, held, "the request at the leader")
	nodes[0].frontend.refuse()
	done(nil, raft.ErrUnknown) // as Node.Stop does
	nodes[0].frontend.close()
	wantError(t, <-result, CodeLeaderLost, false)
}

// TestAnswersInAnyOrder holds a first request back while others are answered.
func TestAnswersInAnyOrder(t *testing.T) {
	solo, state := answering(1)
	var first atomic.Pointer[func()]
	node := &fakeNode{leader: 1, read: solo.read, propose: func(command []byte, done func(any, error)) {
		f := func() { solo.propose(command, done) }
		if first.CompareAndSwap(nil, &f) {
			return
		}
		f()
	}}
	nodes := startFakes(t, []consensus{node}, []*Machine{state}, nil)
	c := dialServer(t, nodes[0].ClientAddr(), 10*time.Second)
	held := make(chan error)
	go func() { held <- c.Put(context.Background(), "held", "v") }()
	eventually(t, "first request", func() bool { return first.Load() != nil })
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for j := range 20 {
				key, value := "k"+strconv.Itoa(i), strconv.Itoa(j)
				if err := c.Put(context.Background(), key, value); err != nil {
					t.Error(err)
				}
				if got, _, err := c.Get(context.Background(), key); err != nil || got != value {
					t.Errorf("%s holds %q, %v; want %q", key, got, err, value)
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-held:
		t.Fatalf("the held request ended: %v", err)
	default:
	}
	(*first.Load())()
	if err := await(t, held, "the answer"); err != nil {
		t.Fatal(err)
	}
}

// rawConn is a connection to a client port on which the hellos were said.
func rawConn(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err := greet(context.Background(), conn, shortHello(clientMagic, 0), clientMagic); err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

func TestMalformedFramesEndTheConnection(t *testing.T) {
	node, state := answering(1)
	nodes := startFakes(t, []consensus{node}, []*Machine{state}, nil)
	good := func(body []byte) []byte { return endFrame(append(beginFrame(nil, 7), body...), 0) }
	for name, frame := range map[string][]byte{
		"oversized":         headerOf(maxBody + 1),
		"empty":             headerOf(0),
		"unknown operation": good([]byte{42, 1, 'k'}),
		"key too long":      good(appendCommand(nil, OpGet, strings.Repeat("k", MaxKey+1), Value{}, "")),
		"value too long":    good(appendCommand(nil, OpPut, "k", Value{}, strings.Repeat("v", MaxValue+1))),
	} {
		t.Run(name, func(t *testing.T) {
			conn := rawConn(t, nodes[0].ClientAddr())
			if _, err := conn.Write(frame); err != nil {
				t.Fatal(err)
			}
			wantClosed(t, conn)
		})
	}
	eventually(t, "log of it", func() bool { return nodes[0].log.contains("malformed frame") })
	useAll(t, dialServer(t, nodes[0].ClientAddr(), 10*time.Second), "after") // others are not hurt
}

// summed is a hello with its checksum.
func summed(hello string) string {
	return string(binary.BigEndian.AppendUint32([]byte(hello), checksum([]byte(hello))))
}

func TestHelloOfStrangers(t *testing.T) {
	node, state := answering(1)
	nodes := startFakes(t, []consensus{node}, []*Machine{state}, nil)
	for name, c := range map[string]struct{ addr, hello, want string }{
		"browser at the client port":    {nodes[0].ClientAddr(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""},
		"version 9":                     {nodes[0].ClientAddr(), summed("sqkv\x00\x09\x00\x00"), summed("sqkv\x00\x05\x00\x01")},
		"version 1, without a checksum": {nodes[0].ClientAddr(), "sqkv\x00\x01\x00\x00", summed("sqkv\x00\x05\x00\x01")},
		"version 2":                     {nodes[0].ClientAddr(), summed("sqkv\x00\x02\x00\x00"), summed("sqkv\x00\x05\x00\x01")},
		"node of version 1": {nodes[0].listeners.peer.Addr().String(),
			"sqpr\x00\x01\x01\x00" + strings.Repeat("x", 24), summed("sqpr\x00\x05\x00\x01")},
		"client at the peer port": {nodes[0].listeners.peer.Addr().String(),
			summed("sqkv\x00\x02\x00\x00") + strings.Repeat("x", 24), ""},
		"node of another cluster": {nodes[0].listeners.peer.Addr().String(),
			string((&peerHello{version: ProtocolVersion, kind: kindRaft, cluster: 1, from: 2, to: 1}).encode()),
			summed("sqpr\x00\x05\x00\x02")},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", c.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.WriteString(conn, c.hello); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			var netErr net.Error
			if errors.As(err, &netErr) && netErr.Timeout() {
				t.Fatal("the connection was left open")
			}
			if string(got) != c.want {
				t.Errorf("answered %q, want %q", got, c.want)
			}
		})
	}
}

// TestSlowReader sends requests for big values and takes no answers: the server
// has to stop reading before it holds them all, and to go on afterwards.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	node, state := answering(1)
	nodes := startFakes(t, []consensus{node}, []*Machine{state}, nil)
	state.Apply(1, appendCommand(nil, OpPut, "k", Value{}, strings.Repeat("v", MaxValue)))
	conn := rawConn(t, nodes[0].ClientAddr())
	const requests = 200
	sent := make(chan error, 1)
	go func() {
		for i := range requests {
			frame := endFrame(appendCommand(beginFrame(nil, uint64(i)), OpGet, "k", Value{}, ""), 0)
			if _, err := conn.Write(frame); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	gets := &nodes[0].metrics.requests[OpGet][statusOK]
	var seen uint64
	eventually(t, "the server pauses", func() bool {
		before := seen
		seen = gets.Load()
		time.Sleep(50 * time.Millisecond) // too early a pause lets the bound below hold all the more
		return seen > 0 && seen == before
	})
	if seen > 40 {
		t.Errorf("%d answers of 1 MiB pile up for a client that takes none", seen)
	}
	useAll(t, dialServer(t, nodes[0].ClientAddr(), 10*time.Second), "other") // others are not hurt
	want := requests * (clientHeader + 2 + MaxValue)
	if n, err := io.CopyN(io.Discard, conn, int64(want)); err != nil {
		t.Fatalf("after %d of %d bytes: %v", n, want, err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

// TestFloodWithoutReading leaves more answers lying than a server may keep.
func TestFloodWithoutReading(t *testing.T) {
	t.Parallel()
	leader, held := silent(1)
	state := NewMachine()
	state.Apply(1, appendCommand(nil, OpPut, "k", Value{}, strings.Repeat("v", MaxValue)))
	// On a busy computer it takes long to have all of them; none is to expire.
	patient := func(c *Config) { c.RequestTimeout = 5 * time.Minute }
	nodes := startFakes(t, []consensus{leader}, []*Machine{state}, patient)
	conn := rawConn(t, nodes[0].ClientAddr())
	const requests = sessionMaxBacklog/MaxValue + 50
	var frames []byte
	for i := range requests {
		start := len(frames)
		frames = endFrame(appendCommand(beginFrame(frames, uint64(i)), OpGet, "k", Value{}, ""), start)
	}
	if _, err := conn.Write(frames); err != nil {
		t.Fatal(err)
	}
	calls := make([]func(any, error), requests)
	for i := range calls {
		calls[i] = await(t, held, "a request at the leader")
	}
	for _, done := range calls { // all are under way; now all are answered at once
		done(nil, nil)
	}
	// What the kernel had taken still comes, and then the end.
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := io.Copy(io.Discard, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) || n >= requests*MaxValue {
		t.Errorf("the connection lives on: read %d bytes, %v", n, err)
	}
}
