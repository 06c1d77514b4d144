package kv

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"squall/nodeimage/raft"
)

// masks are the changes that every byte suffers in turn: one bit, another one,
// what makes a version 1 of a version 2, and all bits.
var masks = []byte{0x01, 0x80, 0x03, 0xff}

// conversation is what is said over one connection. It ends with an error once
// anything in it went wrong, and fails the test itself if it was told something
// that is not so.
type conversation func(t *testing.T, addr string) error

// flipEach holds the conversation once for each byte of it and each mask, with
// that byte changed on its way to addr or back. Each time it has to fail. damaged
// counts what the receiver of the way up noticed. Tests that use it do not run
// in parallel with others: of so many connections one would soon have the port
// of a node that another test has stopped, and will start again.
func flipEach(t *testing.T, addr string, run conversation, damaged func() uint64) {
	t.Helper()
	var now atomic.Pointer[oneByte]
	network := startChanger(t, addr, func(up bool, at int, chunk []byte) { now.Load().change(up, at, chunk) })
	once := func(up bool, at int, mask byte) (seen map[bool]int, err error) {
		flip := &oneByte{up: up, at: at, mask: mask, seen: make(map[bool]int)}
		now.Store(flip)
		err = run(t, network.addr())
		eventually(t, "the connection is gone", network.idle)
		return flip.seen, err
	}
	length, err := once(true, 0, 0)
	if err != nil {
		t.Fatalf("with nothing changed: %v", err)
	}
	t.Logf("%d bytes up, %d down", length[true], length[false])
	for _, up := range []bool{true, false} {
		for at := range length[up] {
			for _, mask := range masks {
				before := damaged()
				if _, err := once(up, at, mask); err == nil {
					t.Errorf("byte %d changed by %#x (up: %v) was not noticed", at, mask, up)
				}
				// What has another magic or version may come from a stranger.
				if up && at >= 6 {
					eventually(t, "the damage is counted", func() bool { return damaged() > before })
				}
			}
		}
	}
}

// witness is a consensus that must be told what was asked for, and nothing else.
func witness(t *testing.T, self NodeID, asked ...[]byte) (*fakeNode, *Machine) {
	node, state := answering(self)
	propose := node.propose
	node.propose = func(command []byte, done func(any, error)) {
		for _, a := range asked {
			if bytes.Equal(a, command) {
				propose(command, done)
				return
			}
		}
		t.Errorf("%q was proposed, which nobody asked for", command)
		propose(command, done)
	}
	return node, state
}

// brokenAtOnce checks that an operation ended because its connection did, not
// because somebody waited in vain.
func brokenAtOnce(t *testing.T, err error) error {
	t.Helper()
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.Code != CodeConnLost && e.Code != CodeNotSent) {
		t.Errorf("an operation ended with %v, want a lost connection", err)
	}
	return err
}

func TestEveryByteOfAClientMatters(t *testing.T) {
	node, state := witness(t, 1, appendCommand(nil, OpPut, "k", Value{}, "old"), appendCommand(nil, OpCAS, "k", Some("old"), "new"))
	server := startFakes(t, []consensus{node}, []*Machine{state}, nil)[0]
	run := func(t *testing.T, addr string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		c, err := Dial(ctx, addr)
		if err != nil {
			return errors.Join(err, ctx.Err())
		}
		defer c.Close()
		if err := c.Put(ctx, "k", "old"); err != nil {
			return brokenAtOnce(t, err)
		}
		if v, found, err := c.Get(ctx, "k"); err != nil {
			return brokenAtOnce(t, err)
		} else if !found || v != "old" {
			t.Errorf("read %q, %v", v, found)
		}
		if swapped, found, err := c.CAS(ctx, "k", Some("old"), "new"); err != nil {
			return brokenAtOnce(t, err)
		} else if !swapped {
			t.Errorf("not swapped, but found %q", found.Data)
		}
		return nil
	}
	flipEach(t, server.ClientAddr(), run, server.metrics.damaged.Load)
}

func TestEveryByteOfAForwardedRequestMatters(t *testing.T) {
	put := appendCommand(nil, OpPut, "k", Value{}, "value")
	follower, state1 := answering(2)
	leader, state2 := witness(t, 2, put)
	servers := startFakes(t, []consensus{follower, leader}, []*Machine{state1, state2}, nil)
	log := slog.New(slog.DiscardHandler)
	peers := map[NodeID]string{1: "", 2: ""}
	run := func(t *testing.T, addr string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		conn, err := greetLeader(ctx, addr, clusterID(servers[1].cfg.Cluster))
		if err != nil {
			return err
		}
		f := newForwards(1, peers, newPlainClock(), &metrics{}, log)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.use(ctx, 2, conn)
		}()
		defer func() { cancel(); <-ended }()
		eventually(t, "the connection is used", func() bool { return f.links[2].Load() != nil || isClosed(ended) })
		first, again := response{status: statusOK}, response{status: statusOK, value: Some("value")}
		if r, err := forwardOne(f, OpPut, put); err != nil || r != first && r != again {
			return lostForward(t, err, r, statusUnknown)
		}
		want := response{status: statusOK, value: Some("value")}
		if r, err := forwardOne(f, OpGet, appendCommand(nil, OpGet, "k", Value{}, "")); err != nil || r != want {
			return lostForward(t, err, r, statusFailed)
		}
		return nil
	}
	flipEach(t, servers[1].listeners.peer.Addr().String(), run, servers[1].metrics.damaged.Load)
}

// greetLeader connects to n2 as n1 does that has a request to forward, but with
// more patience: on a busy computer a peerDialer gives up now and then.
func greetLeader(ctx context.Context, addr string, cluster uint64) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	hello := peerHello{version: ProtocolVersion, kind: kindRequests, cluster: cluster, from: 1, to: 2}
	if err := greet(ctx, conn, hello.encode(), peerMagic); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// forwardOne forwards a request to n2 and waits for its answer.
func forwardOne(f *forwards, op Op, raw []byte) (response, error) {
	answer := make(chan response, 1)
	if !f.forward(2, op, raw, f.clock.Now(), 20*time.Second, func(r response) { answer <- r }) {
		return response{}, errors.New("not sent")
	}
	return <-answer, nil
}

// lostForward checks how a forwarded request ended that had no proper answer.
func lostForward(t *testing.T, err error, r response, sent status) error {
	t.Helper()
	notSent := err != nil || r.status == statusFailed && r.code == CodeNotSent
	if !notSent && (r.code != CodeForwardLost || r.status != sent) {
		t.Errorf("a forwarded request was answered %+v, want a lost connection", r)
	}
	return errors.Join(err, fmt.Errorf("answered %v", r.status))
}

// raftMessages are of every shape that goes over the wire.
func raftMessages() []*raft.Message {
	return []*raft.Message{
		heartbeat(2, 1),
		{Type: raft.MsgVote, From: 2, To: 1, Term: 3, Index: 7, LogTerm: 2},
		{Type: raft.MsgAppend, From: 2, To: 1, Term: 3, Index: 7, LogTerm: 2, Commit: 6, Entries: []raft.Entry{
			{Index: 8, Term: 3, Command: appendCommand(nil, OpPut, "k", Value{}, "value")}}},
		{Type: raft.MsgSnapshot, From: 2, To: 1, Term: 3, Offset: 4, Last: true, Data: []byte("chunk"),
			Snapshot: &raft.SnapshotMeta{Index: 7, Term: 2, Hash: 5, Size: 9, CRC: 6, Members: []NodeID{1, 2}}},
	}
}

// TestEveryByteOfRaftMatters sends a node's hello and its messages, each time
// with another byte changed: those before it arrive, nothing else does.
func TestEveryByteOfRaftMatters(t *testing.T) {
	ln := localListener(t)
	peers := map[NodeID]string{1: ln.Addr().String(), 2: "127.0.0.1:1"}
	e := startPeerEnd(t, 1, peers, ln)
	hello := peerHello{version: ProtocolVersion, kind: kindRaft, cluster: clusterID("test"), from: 2, to: 1}
	stream := hello.encode()
	sent := raftMessages()
	for _, m := range sent {
		stream = endPeerFrame(beginPeerFrame(stream), len(stream)) // a ping
		start := len(stream)
		stream = endPeerFrame(raft.AppendMessage(beginPeerFrame(stream), m), start)
	}
	if got := deliver(t, e, stream, true); !sameMessages(got, sent) {
		t.Fatalf("with nothing changed, %d of %d messages came, or others", len(got), len(sent))
	}
	for at := range stream {
		for _, mask := range masks {
			before := e.transport.metrics.damaged.Load()
			changed := bytes.Clone(stream)
			changed[at] ^= mask
			got := deliver(t, e, changed, false)
			if len(got) >= len(sent) || !sameMessages(got, sent[:len(got)]) {
				t.Errorf("byte %d changed by %#x: %d messages came, or others", at, mask, len(got))
			}
			if n := e.transport.metrics.damaged.Load() - before; n != 1 && at >= len(hello.encode()) {
				t.Errorf("byte %d changed by %#x: counted %d times", at, mask, n)
			}
		}
	}
}

func sameMessages(a, b []*raft.Message) bool {
	return slices.EqualFunc(a, b, func(a, b *raft.Message) bool { return reflect.DeepEqual(a, b) })
}

// deliver writes the stream to the node and returns what it was given of it.
// Unless all of it is good the node has to end the connection.
func deliver(t *testing.T, e *peerEnd, stream []byte, good bool) (got []*raft.Message) {
	t.Helper()
	conn, err := net.Dial("tcp", e.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(stream); err != nil {
		t.Fatal(err)
	}
	if good {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection lives on: %v", err)
	}
	for len(e.received) > 0 {
		got = append(got, <-e.received)
	}
	return got
}

// TestDamageWithinABigAnswer covers answers that do not fit the buffer they are
// read through.
func TestDamageWithinABigAnswer(t *testing.T) {
	big := response{status: statusOK, value: Some(strings.Repeat("v", 4000))}
	stream := endFrame(appendResponse(beginFrame(nil, 77), &big), 0)
	for at := range stream {
		changed := bytes.Clone(stream)
		changed[at] ^= 0x10
		var damage *damageError
		if _, r, err := readResponse(bufio.NewReaderSize(bytes.NewReader(changed), 256)); !errors.As(err, &damage) || r != (response{}) {
			t.Fatalf("byte %d changed: read with %v", at, err)
		}
	}
}

// TestDamageIsTold looks at what a server says of it.
func TestDamageIsTold(t *testing.T) {
	node, state := answering(1)
	server := startFakes(t, []consensus{node}, []*Machine{state}, nil)[0]
	frame := endFrame(appendCommand(beginFrame(nil, 1), OpPut, "k", Value{}, "value"), 0)
	frame[len(frame)-1] ^= 1
	var wg sync.WaitGroup
	for range 3 {
		conn := rawConn(t, server.ClientAddr())
		wg.Go(func() {
			if _, err := conn.Write(frame); err != nil {
				t.Error(err)
			}
			wantClosed(t, conn)
		})
	}
	wg.Wait()
	eventually(t, "a log of how many so far", func() bool {
		return server.log.contains("the checksum of its body is") && server.log.contains("so_far=3")
	})
	var page strings.Builder
	if err := writeMetrics(&page, server.metrics, raft.Status{}, Stats{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), "\nsquall_damaged_connections_total 3\n") {
		t.Errorf("not among the metrics:\n%s", page.String())
	}
}
