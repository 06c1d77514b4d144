package agent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/agent/shape"
)

func uint64At(b [8]byte) uint64   { return binary.BigEndian.Uint64(b[:]) }
func uint64Bytes(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// within reports whether got is from low to high.
func within[N int | uint64 | float64 | time.Duration](t judge, what string, got, low, high N) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s is %v, want it from %v to %v", what, got, low, high)
	}
}

// slack is what a busy computer may add to a delay, as a median.
const slack = 3 * time.Millisecond

func TestShapesInNamespace(t *testing.T) {
	inWorld(t, func() {
		w := newWorld(t, 3)
		for name, test := range map[string]func(t *testing.T, a, b, c *host){
			"delay":     testDelay,
			"jitter":    testJitter,
			"loss":      testLoss,
			"duplicate": testDuplicate,
			"reorder":   testReorder,
			"rate":      testRate,
			"corrupt":   testCorruptFlow,
			"two":       testTwoShapes,
		} {
			t.Run(name, func(t *testing.T) {
				test(t, w[0], w[1], w[2])
				w[0].net(t, nil)
			})
		}
	})
}

func testDelay(t *testing.T, a, b, c *host) {
	const delay = 30 * time.Millisecond
	for name, to := range map[string]netip.Addr{"IPv4": b.addr, "IPv6": b.addr6} {
		a.net(t, nil, protocol.Shape{To: to, Delay: delay})
		patiently(t, func(j judge) {
			flows++
			spec := protocol.FlowSpec{Nonce: flows, Port: protocol.ProbePort, Count: 100, Interval: 2 * time.Millisecond, Size: 1000,
				To: []netip.Addr{to, c.addr}}
			sent, err := a.FlowSend(t.Context(), spec)
			must(t, err)
			within(j, name+": answered", sent[0].Answered, 100, 100)
			within(j, name+": the quickest there and back", sent[0].RTT.Min, delay, delay+slack)
			within(j, name+": there and back", sent[0].RTT.Median, delay, delay+slack)
			within(j, name+": there and back of the one beside", sent[1].RTT.Median, 0, slack)
			heard, err := b.FlowHeard(t.Context(), flows)
			must(t, err)
			within(j, name+": sources", len(heard), 1, 1)
			within(j, name+": reordered", heard[0].Reordered, 0, 0)
			within(j, name+": one way", heard[0].Delay.Median, delay, delay+slack)
		})
	}
}

func testJitter(t *testing.T, a, b, c *host) {
	const delay, jitter = 40 * time.Millisecond, 10 * time.Millisecond
	for dist, want := range map[string][3]float64{ // least, median and p99, in ms
		protocol.DistUniform: {30, 40, 49.8},
		protocol.DistNormal:  {3, 40, 63.3},
		protocol.DistPareto:  {33.3, 36.8, 80},
	} {
		a.net(t, nil, protocol.Shape{To: b.addr, Delay: delay, Jitter: jitter, Distribution: dist, Seed: 7})
		patiently(t, func(j judge) {
			_, heard := a.flow(t, 500, 2*time.Millisecond, 0, b, c)
			h := heard[0]
			ms := func(d time.Duration) float64 { return d.Seconds() * 1000 }
			// What is late without any shape is the computer's doing.
			busy := ms(heard[1].Delay.P99)
			within(j, dist+": received", h.Received, 500, 500)
			within(j, dist+": the least", ms(h.Delay.Min), want[0]-0.1, want[0]+16)
			within(j, dist+": the median", ms(h.Delay.Median), want[1]-1.5, want[1]+3+busy)
			within(j, dist+": p99", ms(h.Delay.P99), want[2]-5, want[2]+8+2*busy)
			within(j, dist+": reordered", h.Reordered, 50, 500)
		})
	}
}

// predict runs the model beside: how many of the first n packets get lost, and so on.
func predict(s protocol.Shape, n uint64) (lost, doubled, hurried, corrupted uint64) {
	m := shape.NewModel(protocol.NetState{Shape: []protocol.Shape{s}}.Canonical().Shape[0])
	for range n {
		switch d := m.Next(); {
		case d.Lost:
			lost++
		default:
			if d.Duplicate {
				doubled++
			}
			if d.Reordered {
				hurried++
			}
			if d.Corrupt {
				corrupted++
			}
		}
	}
	return lost, doubled, hurried, corrupted
}

func testLoss(t *testing.T, a, b, _ *host) {
	for name, s := range map[string]protocol.Shape{
		"each":      {Loss: 0.2, Seed: 1},
		"in bursts": {Burst: &protocol.Burst{P: 0.02, R: 0.1, LossBad: 1}, Seed: 2},
		"all":       {Loss: 1},
	} {
		s.To = b.addr
		a.net(t, nil, s)
		_, heard := a.flow(t, 2000, 0, 0, b)
		c := a.counts(t).Shape[0]
		want, _, _, _ := predict(s, 2000)
		if c.Lost != want || uint64(heard[0].Received) != 2000-want || c.Packets != 2000 {
			t.Errorf("%s: heard %+v, counted %+v, want %d lost", name, heard, c, want)
		}
	}
}

func testDuplicate(t *testing.T, a, b, _ *host) {
	for _, delay := range []time.Duration{0, 5 * time.Millisecond} {
		s := protocol.Shape{To: b.addr, Duplicate: 0.3, Seed: 3, Delay: delay}
		a.net(t, nil, s)
		a.flow(t, 1000, 20*time.Microsecond, 0, b)
		_, want, _, _ := predict(s, 1000)
		eventually(t, fmt.Sprintf("1000 datagrams with a delay of %v, %d of them twice", delay, want), func() bool {
			h, err := b.FlowHeard(t.Context(), flows)
			must(t, err)
			return h[0].Received == 1000 && uint64(h[0].Duplicates) == want
		})
		if got := a.counts(t).Shape[0].Duplicated; got != want {
			t.Errorf("delay %v: counted %d twice, want %d", delay, got, want)
		}
	}
}

func testReorder(t *testing.T, a, b, _ *host) {
	s := protocol.Shape{To: b.addr, Delay: 20 * time.Millisecond, Reorder: 0.25, Seed: 4}
	a.net(t, nil, s)
	packets := uint64(0)
	patiently(t, func(j judge) {
		_, heard := a.flow(t, 1000, 200*time.Microsecond, 0, b)
		packets += 1000
		_, _, want, _ := predict(s, packets)
		within(j, "counted as hurried", a.counts(t).Shape[0].Reordered, want, want)
		within(j, "received", heard[0].Received, 1000, 1000)
		within(j, "reordered (the slow ones come after the hurried)", heard[0].Reordered, 600, 1000)
		within(j, "the quickest", heard[0].Delay.Min, 0, slack)
		within(j, "the median", heard[0].Delay.Median, 20*time.Millisecond, 20*time.Millisecond+slack)
	})
}

func testRate(t *testing.T, a, b, _ *host) {
	const rate = 1_000_000
	a.net(t, nil, protocol.Shape{To: b.addr, Rate: rate})
	patiently(t, func(j judge) {
		_, heard := a.flow(t, 300, 0, 1000, b)
		within(j, "bytes per second", heard[0].BytesPerSecond, 0.9*rate, 1.02*rate)
		within(j, "received", heard[0].Received, 300, 300)
	})
	// A burst is more than the queue holds, if the machine is not too busy to send it fast.
	a.net(t, nil, protocol.Shape{To: b.addr, Rate: 3 * rate / 2})
	patiently(t, func(j judge) {
		before := a.counts(t)
		_, heard := a.flow(t, 5000, 0, 1000, b)
		c := a.counts(t)
		n, over := uint64(heard[0].Received), c.Shape[0].Overflow-before.Shape[0].Overflow
		if n > 4500 || over == 0 || n+over+c.QueueOverrun-before.QueueOverrun != 5000 {
			j.Errorf("of a burst of 5000: heard %+v, counted %+v, before it %+v", heard[0], c, before)
		}
	})
}

// testCorruptFlow: UDP lets no damaged packet through, but those whose checksum
// is right again.
func testCorruptFlow(t *testing.T, a, b, _ *host) {
	s := protocol.Shape{To: b.addr, Corrupt: 0.2, Seed: 5}
	a.net(t, nil, s)
	before := counter(t, b, "Udp", "InCsumErrors")
	_, heard := a.flow(t, 1000, 10*time.Microsecond, 200, b)
	_, _, _, want := predict(s, 1000)
	if h := heard[0]; h.Corrupted != 0 || uint64(h.Received) != 1000-want {
		t.Errorf("checksum: heard %+v, want %d missing", h, want)
	}
	if got := counter(t, b, "Udp", "InCsumErrors") - before; got != want {
		t.Errorf("the receiver counted %d wrong checksums, want %d", got, want)
	}
	s.CorruptKind = protocol.CorruptPayload
	a.net(t, nil, s)
	_, heard = a.flow(t, 1000, 10*time.Microsecond, 200, b)
	if h := heard[0]; uint64(h.Corrupted) != want || uint64(h.Received) != 1000-want {
		t.Errorf("payload: heard %+v, want %d corrupted", h, want)
	}
	if got := a.counts(t).Shape[0].Corrupted; got != want {
		t.Errorf("counted %d corrupted, want %d", got, want)
	}
}

// testTwoShapes: two links have their own sequences, and one does not begin anew
// when the other changes.
func testTwoShapes(t *testing.T, a, b, c *host) {
	first := protocol.Shape{To: b.addr, Loss: 0.5, Seed: 11}
	second := protocol.Shape{To: c.addr, Loss: 0.3, Seed: 12}
	a.net(t, nil, first, second)
	_, heard := a.flow(t, 500, 0, 0, b, c)
	lost1, _, _, _ := predict(first, 500)
	lost2, _, _, _ := predict(second, 500)
	if uint64(heard[0].Received) != 500-lost1 || uint64(heard[1].Received) != 500-lost2 {
		t.Errorf("heard %+v, want %d and %d lost", heard, lost1, lost2)
	}
	second.Seed = 13
	a.net(t, []protocol.Cut{{From: netip.MustParseAddr("192.0.2.9")}}, second, first)
	a.flow(t, 500, 0, 0, b, c)
	lost1, _, _, _ = predict(first, 1000)
	lost2, _, _, _ = predict(second, 500)
	got := a.counts(t).Shape
	if got[0].Lost != lost1 || got[0].Packets != 1000 || got[1].Lost != lost2 || got[1].Packets != 500 {
		t.Errorf("counted %+v, want %d of 1000 and %d of 500 lost", got, lost1, lost2)
	}
}

// counter is one of the kernel's counters in a machine's /proc/net/snmp.
func counter(t *testing.T, h *host, proto, name string) uint64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/snmp", h.pid))
	must(t, err)
	var names []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if f[0] != proto+":" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i := range names {
			if names[i] == name {
				var n uint64
				_, err := fmt.Sscan(f[i], &n)
				must(t, err)
				return n
			}
		}
	}
	t.Fatalf("no counter %s %s", proto, name)
	return 0
}

// TestStreamsOnBadLinksInNamespace sends much over TCP: it arrives whole, but
// when the payload is corrupted behind the checksum's back.
func TestStreamsOnBadLinksInNamespace(t *testing.T) {
	inWorld(t, func() {
		w := newWorld(t, 2)
		a, b := w[0], w[1]
		for name, s := range map[string]protocol.Shape{
			"checksum": {Corrupt: 0.05},
			"payload":  {Corrupt: 0.05, CorruptKind: protocol.CorruptPayload},
			"delayed":  {Corrupt: 0.05, CorruptKind: protocol.CorruptPayload, Delay: time.Millisecond},
			"all": {Delay: time.Millisecond, Jitter: time.Millisecond, Loss: 0.01, Duplicate: 0.05, Reorder: 0.05,
				Corrupt: 0.01, Rate: 50_000_000},
		} {
			t.Run(name, func(t *testing.T) { testStream(t, a, b, s) })
		}
	})
}

func testStream(t *testing.T, a, b *host, s protocol.Shape) {
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	got := make(chan []byte, 1)
	server := b.serve(t, b.addr, func(c net.Conn) {
		all, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		got <- all
	})
	before := counter(t, b, "Tcp", "InCsumErrors")
	s.To = b.addr
	a.net(t, nil, s)
	defer a.net(t, nil)
	c := a.dial(t, server)
	_, err := c.Write(data)
	must(t, err)
	must(t, c.(*net.TCPConn).CloseWrite())
	arrived := <-got
	count := a.counts(t).Shape[0]
	if len(arrived) != len(data) || count.Corrupted == 0 {
		t.Fatalf("%d bytes of %d arrived; %+v", len(arrived), len(data), count)
	}
	if s.CorruptKind == protocol.CorruptPayload {
		if bytes.Equal(arrived, data) {
			t.Errorf("the application noticed nothing: %+v", count)
		}
		return
	}
	if !bytes.Equal(arrived, data) {
		t.Errorf("wrong bytes got past the checksum: %+v", count)
	}
	if errs := counter(t, b, "Tcp", "InCsumErrors") - before; errs == 0 || errs > count.Corrupted+count.Duplicated {
		t.Errorf("the receiver counted %d wrong checksums of %d", errs, count.Corrupted)
	}
}
