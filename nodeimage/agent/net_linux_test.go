package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"squall/nodeimage/agent/protocol"
)

func TestFeaturesInNamespace(t *testing.T) {
	inWorld(t, func() {
		h := newWorld(t, 1)[0]
		f, err := h.Features(context.Background())
		must(t, err)
		for _, name := range []string{protocol.FeatureCut, protocol.FeatureReject, protocol.FeatureQueue, protocol.FeatureRaw} {
			if why, ok := f[name]; !ok || why != "" {
				t.Errorf("%s: %q", name, why)
			}
		}
		if why, ok := f[protocol.FeatureNetem]; !ok || why != "" && !strings.Contains(why, "netem") {
			t.Errorf("%s: %q, want it to be there, or why it is not", protocol.FeatureNetem, why)
		}
		for _, file := range []string{"dev", "netfilter/nfnetlink_queue"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", h.pid, file))
			if strings.Contains(string(text), "squall") || strings.Contains(string(text), "420") {
				t.Errorf("trying left something behind in %s (%v):\n%s", file, err, text)
			}
		}
	})
}

func TestCutInNamespace(t *testing.T) {
	inWorld(t, func() {
		w := newWorld(t, 3)
		a, b, c := w[0], w[1], w[2]
		heard := func() string {
			_, ab := b.flow(t, 5, 0, 0, a)
			_, ac := c.flow(t, 5, 0, 0, a)
			return fmt.Sprint(ab[0].Received, ac[0].Received)
		}
		if got := heard(); got != "5 5" {
			t.Fatalf("before: %s", got)
		}
		a.net(t, []protocol.Cut{{From: b.addr}, {From: b.addr6}})
		if got := heard(); got != "0 5" {
			t.Errorf("with one cut: %s", got)
		}
		start := time.Now()
		errs, err := b.Connect(context.Background(), []netip.AddrPort{
			netip.AddrPortFrom(a.addr, protocol.ProbePort), netip.AddrPortFrom(a.addr6, protocol.ProbePort),
		}, 300*time.Millisecond)
		must(t, err)
		for _, e := range errs {
			if !strings.Contains(e, "timeout") || time.Since(start) < 300*time.Millisecond {
				t.Errorf("connecting to who drops us: %q after %v, want a timeout", e, time.Since(start))
			}
		}
		was := a.counts(t).Cut
		if len(was) != 2 || was[0].From != b.addr || was[0].Packets < 5 || was[0].Bytes < 5*(48+28) || was[1].Packets == 0 {
			t.Errorf("counted %+v", was)
		}
		// Another cut beside it leaves the first one's counter alone.
		a.net(t, []protocol.Cut{{From: c.addr, Reject: true}, {From: b.addr}})
		if got := heard(); got != "0 0" {
			t.Errorf("with two cuts: %s", got)
		}
		now := a.counts(t).Cut
		if len(now) != 2 || now[0].Packets != was[0].Packets+5 || now[1] != (protocol.CutCount{From: c.addr, Reject: true, Packets: 5, Bytes: 5 * 76}) {
			t.Errorf("counted %+v, after %+v and 5 more", now, was)
		}
		a.net(t, nil)
		if got := heard(); got != "5 5" {
			t.Errorf("healed: %s", got)
		}
		if n := a.counts(t); len(n.Cut)+len(n.Shape) != 0 {
			t.Errorf("healed: %+v", n)
		}
	})
}

// TestManyInNamespace goes to the limits: from one full set to another, with
// nothing in common.
func TestManyInNamespace(t *testing.T) {
	inWorld(t, func() {
		a := newWorld(t, 1)[0]
		for round := range 3 {
			var s protocol.NetState
			for i := range protocol.MaxCuts {
				s.Cut = append(s.Cut, protocol.Cut{From: netip.AddrFrom4([4]byte{10, 9, byte(round + 1), byte(i + 1)}), Reject: true})
			}
			for i := range protocol.MaxShapes {
				s.Shape = append(s.Shape, protocol.Shape{To: netip.AddrFrom4([4]byte{10, 9, byte(round + 1), byte(i + 1)}), Loss: 1})
			}
			must(t, a.Net(context.Background(), s))
			if c := a.counts(t); len(c.Cut) != len(s.Cut) || len(c.Shape) != len(s.Shape) || c.Cut[0].From != s.Cut[0].From {
				t.Errorf("%d cuts and %d shapes hold, want %d and %d", len(c.Cut), len(c.Shape), len(s.Cut), len(s.Shape))
			}
			s.Cut = append(s.Cut, protocol.Cut{From: a.addr})
			if err := a.Net(context.Background(), s); err == nil || !strings.Contains(err.Error(), "cut") {
				t.Errorf("one too many: %v", err)
			}
		}
	})
}

func TestRejectInNamespace(t *testing.T) {
	inWorld(t, func() {
		w := newWorld(t, 2)
		a, b := w[0], w[1]
		for name, addr := range map[string]netip.Addr{"IPv4": a.addr, "IPv6": a.addr6} {
			t.Run(name, func(t *testing.T) { testReject(t, a, b, addr) })
		}
	})
}

func testReject(t *testing.T, a, b *host, addr netip.Addr) {
	from := b.addr
	if addr.Is6() {
		from = b.addr6
	}
	accepted := make(chan net.Conn, 1)
	hold := make(chan struct{})
	server := a.serve(t, addr, func(c net.Conn) { accepted <- c; <-hold })
	defer close(hold)
	client := b.dial(t, server)
	served := <-accepted
	a.net(t, []protocol.Cut{{From: from, Reject: true}})
	b.net(t, []protocol.Cut{{From: addr, Reject: true}})
	errs, err := b.Connect(context.Background(), []netip.AddrPort{server}, 20*time.Second)
	must(t, err)
	if !strings.Contains(errs[0], "connection refused") { // and not a timeout
		t.Errorf("a new connection: %q, want refused", errs[0])
	}
	for who, c := range map[string]net.Conn{"client": client, "server": served} {
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		_, err := c.Write([]byte("x"))
		if err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("the %s of an open connection: %v, want a reset", who, err)
		}
	}
	if c := a.counts(t).Cut; len(c) != 1 || !c[0].Reject || c[0].Packets < 2 {
		t.Errorf("counted %+v", c)
	}
	a.net(t, nil)
	b.net(t, nil)
	if errs, err := b.Connect(context.Background(), []netip.AddrPort{server}, 20*time.Second); err != nil || errs[0] != "" {
		t.Errorf("healed: %v, %v", errs, err)
	}
	<-accepted
}

func TestBadStatesAreRefused(t *testing.T) {
	h := newHarness(t, new(recorder))
	peer := netip.MustParseAddr("198.18.0.2")
	for want, s := range map[string]protocol.NetState{
		"cut[0].from":    {Cut: []protocol.Cut{{}}},
		"cut[1].from":    {Cut: []protocol.Cut{{From: peer}, {From: netip.AddrFrom16(peer.As16())}}},
		"shape[0].to":    {Shape: []protocol.Shape{{To: netip.IPv6Unspecified()}}},
		"delay":          {Shape: []protocol.Shape{{To: peer, Delay: -1}}},
		"jitter":         {Shape: []protocol.Shape{{To: peer, Jitter: time.Hour}}},
		"loss":           {Shape: []protocol.Shape{{To: peer, Loss: 1.01}}},
		"duplicate":      {Shape: []protocol.Shape{{To: peer, Duplicate: -0.1}}},
		"corrupt":        {Shape: []protocol.Shape{{To: peer, Corrupt: math.NaN()}}},
		"corruptKind":    {Shape: []protocol.Shape{{To: peer, Corrupt: 1, CorruptKind: "bits"}}},
		"distribution":   {Shape: []protocol.Shape{{To: peer, Distribution: "flat"}}},
		"reorder":        {Shape: []protocol.Shape{{To: peer, Reorder: 0.5}}},
		"rate":           {Shape: []protocol.Shape{{To: peer, Rate: 1}}},
		"burst.p":        {Shape: []protocol.Shape{{To: peer, Burst: &protocol.Burst{P: 2}}}},
		"burst.lossGood": {Shape: []protocol.Shape{{To: peer, Burst: &protocol.Burst{LossGood: -1}}}},
	} {
		err := s.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error with %q", s, err, want)
		}
		if want == "corrupt" {
			continue // JSON has no NaN
		}
		var remote *protocol.Error
		if err := h.Net(t.Context(), s); !errors.As(err, &remote) || remote.Code != protocol.CodeBadRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: the agent says %v, want an error with %q", s, err, want)
		}
	}
}

// TestStreamInNamespace: the packets of a link that delays are out of their
// sender's hands, so that a TCP connection goes on sending.
func TestStreamInNamespace(t *testing.T) {
	inWorld(t, func() {
		w := newWorld(t, 2)
		a, b := w[0], w[1]
		a.net(t, nil, protocol.Shape{To: b.addr, Delay: 50 * time.Millisecond})
		patiently(t, func(j judge) { stream(t, j, a, b, 50*time.Millisecond) })
	})
}

// stream sends small messages, more often than one in a delay.
func stream(t *testing.T, j judge, a, b *host, delay time.Duration) {
	const every, count = 5 * time.Millisecond, 40
	var late []time.Duration
	done := make(chan error, 1)
	server := b.serve(t, b.addr, func(c net.Conn) {
		for range count {
			var stamp [8]byte
			if _, err := io.ReadFull(c, stamp[:]); err != nil {
				done <- err
				return
			}
			late = append(late, time.Duration(mono()-int64(uint64At(stamp))))
		}
		done <- nil
	})
	c := a.dial(t, server)
	for range count {
		_, err := c.Write(uint64Bytes(uint64(mono())))
		must(t, err)
		time.Sleep(every)
	}
	must(t, <-done)
	q := protocol.QuantilesOf(late)
	within(j, "the quickest message", q.Min, delay, delay+slack)
	within(j, "a message", q.Median, delay, delay+slack)
}

// TestHeldGoesOutInNamespace: what is held goes out when the link is mended, and
// when the agent ends.
func TestHeldGoesOutInNamespace(t *testing.T) {
	inWorld(t, func() {
		w := newWorld(t, 2)
		a, b := w[0], w[1]
		a.net(t, nil, protocol.Shape{To: b.addr, Delay: 30 * time.Second})
		heldGoesOut(t, a, b, func() { a.net(t, nil) })
		a.net(t, nil, protocol.Shape{To: b.addr, Delay: 30 * time.Second})
		heldGoesOut(t, a, b, func() { must(t, a.Shutdown(context.Background())) })
	})
}

func heldGoesOut(t *testing.T, a, b *host, end func()) {
	t.Helper()
	flows++
	_, err := a.FlowSend(context.Background(), protocol.FlowSpec{
		Nonce: flows, Port: protocol.ProbePort, To: []netip.Addr{b.addr}, Count: 20, Wait: time.Millisecond,
	})
	must(t, err)
	// One that no raw socket can send: it is held in the kernel.
	long := make([]byte, 8000)
	var in *net.UDPConn
	b.inside(t, func() (err error) {
		in, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(b.addr, 7000)))
		return err
	})
	defer in.Close()
	a.inside(t, func() error {
		out, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(b.addr, 7000)))
		if err == nil {
			_, err = out.Write(long)
			out.Close()
		}
		return err
	})
	if c := a.counts(t).Shape[0]; c.Held != 21 || c.Packets != 21 {
		t.Errorf("counted %+v, want 21 held", c)
	}
	if h, err := b.FlowHeard(context.Background(), flows); err != nil || len(h) != 0 {
		t.Errorf("heard too early: %+v, %v", h, err)
	}
	end()
	_ = in.SetReadDeadline(time.Now().Add(20 * time.Second)) // it would be held for 30 s
	if n, err := in.Read(make([]byte, 9000)); n != len(long) {
		t.Errorf("read %d bytes, %v, want %d", n, err, len(long))
	}
	var h []protocol.FlowHeard
	eventually(t, "all datagrams", func() bool {
		h, err = b.FlowHeard(context.Background(), flows)
		return err != nil || len(h) == 1 && h[0].Received >= 20
	})
	if err != nil || len(h) != 1 || h[0].Received != 20 || h[0].Reordered != 0 {
		t.Errorf("heard %+v, %v, want all 20 in order", h, err)
	}
}
