package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"squall/nodeimage/agent/protocol"
)

// BenchmarkDelay measures by how much 10,000 packets are late, beyond their delay.
func BenchmarkDelay(b *testing.B) {
	inWorld(b, func() {
		w := newWorld(b, 2)
		for _, delay := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond} {
			b.Run(delay.String(), func(b *testing.B) {
				if delay > 0 { // else the way itself
					w[0].net(b, nil, protocol.Shape{To: w[1].addr, Delay: delay})
				}
				cpu := w[0].cpu(b)
				packets := 0
				for b.Loop() {
					_, heard := w[0].flow(b, 10_000, 500*time.Microsecond, 0, w[1])
					b.ReportMetric(float64((heard[0].Delay.Median-delay).Nanoseconds())/1000, "µs-late-median")
					b.ReportMetric(float64((heard[0].Delay.P99-delay).Nanoseconds())/1000, "µs-late-p99")
					packets += heard[0].Received
				}
				b.ReportMetric(float64((w[0].cpu(b)-cpu).Microseconds())/float64(packets), "µs-cpu/packet")
			})
		}
	})
}

// BenchmarkLoss measures how far the share of lost packets is off.
func BenchmarkLoss(b *testing.B) {
	inWorld(b, func() {
		w := newWorld(b, 2)
		const share = 0.1
		w[0].net(b, nil, protocol.Shape{To: w[1].addr, Loss: share, Seed: 1})
		for b.Loop() {
			_, heard := w[0].flow(b, 20_000, 20*time.Microsecond, 0, w[1])
			b.ReportMetric(100*(1-float64(heard[0].Received)/20_000-share), "%-off")
		}
	})
}

// shaped are the ways to compare: nothing, and shapes that do not change anything.
var shaped = map[string]func(b *testing.B, w []*host){
	"direct": func(b *testing.B, w []*host) { w[0].net(b, nil); w[1].net(b, nil) },
	"one way": func(b *testing.B, w []*host) {
		w[0].net(b, nil, protocol.Shape{To: w[1].addr})
		w[1].net(b, nil)
	},
	"both ways": func(b *testing.B, w []*host) {
		w[0].net(b, nil, protocol.Shape{To: w[1].addr})
		w[1].net(b, nil, protocol.Shape{To: w[0].addr})
	},
}

// BenchmarkRoundTrip asks and answers 100 bytes over TCP, with a server in
// another process, as those of a cluster are.
func BenchmarkRoundTrip(b *testing.B) {
	inWorld(b, func() {
		w := newWorld(b, 2)
		const port = 7001
		_, err := w[1].Start(context.Background(), protocol.StartSpec{Argv: []string{"/proc/self/exe", "server", fmt.Sprintf("serve=%d", port)}})
		must(b, err)
		to := netip.AddrPortFrom(w[1].addr, port)
		for { // until it listens
			errs, err := w[0].Connect(context.Background(), []netip.AddrPort{to}, time.Second)
			if must(b, err); errs[0] == "" {
				break
			}
		}
		c := w[0].dial(b, to)
		for name, shape := range shaped {
			b.Run(name, func(b *testing.B) {
				shape(b, w)
				cpu := w[0].cpu(b)
				buf := make([]byte, 100)
				for b.Loop() {
					_, err := c.Write(buf)
					must(b, err)
					_, err = io.ReadFull(c, buf)
					must(b, err)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "round-trips/s")
				b.ReportMetric(float64((w[0].cpu(b)-cpu).Microseconds())/float64(b.N), "µs-cpu/op")
			})
		}
	})
}

// BenchmarkPackets sends small datagrams as fast as they go.
func BenchmarkPackets(b *testing.B) {
	inWorld(b, func() {
		w := newWorld(b, 2)
		var in, out *net.UDPConn
		w[1].inside(b, func() (err error) {
			in, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(w[1].addr, 7000)))
			return err
		})
		defer in.Close()
		_ = in.SetReadBuffer(4 << 20)
		w[0].inside(b, func() (err error) {
			out, err = net.DialUDP("udp", nil, in.LocalAddr().(*net.UDPAddr))
			return err
		})
		defer out.Close()
		shapes := map[string]func(b *testing.B, w []*host){
			"direct": shaped["direct"], "one way": shaped["one way"],
			"delayed": func(b *testing.B, w []*host) {
				w[0].net(b, nil, protocol.Shape{To: w[1].addr, Delay: 5 * time.Millisecond})
			},
		}
		for name, shape := range shapes {
			b.Run(name, func(b *testing.B) {
				shape(b, w)
				cpu := w[0].cpu(b)
				got := make(chan int, 1)
				go func() { got <- countDatagrams(in) }()
				buf := make([]byte, 100)
				for b.Loop() {
					_, err := out.Write(buf)
					must(b, err)
				}
				n := <-got
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "arrived/s")
				b.ReportMetric(100*float64(n)/float64(b.N), "%-arrived")
				b.ReportMetric(float64((w[0].cpu(b)-cpu).Microseconds())/float64(b.N), "µs-cpu/packet")
			})
		}
	})
}

// countDatagrams counts until none comes for a while.
func countDatagrams(in *net.UDPConn) int {
	buf := make([]byte, 200)
	for n := 0; ; n++ {
		_ = in.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err := in.Read(buf); errors.Is(err, os.ErrDeadlineExceeded) {
			return n
		}
	}
}

// BenchmarkStream sends much over one TCP connection.
func BenchmarkStream(b *testing.B) {
	inWorld(b, func() {
		w := newWorld(b, 2)
		server := w[1].serve(b, w[1].addr, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		c := w[0].dial(b, server)
		shapes := map[string]func(b *testing.B, w []*host){
			"direct": shaped["direct"], "one way": shaped["one way"],
			"delayed": func(b *testing.B, w []*host) {
				w[0].net(b, nil, protocol.Shape{To: w[1].addr, Delay: 5 * time.Millisecond})
			},
		}
		for name, shape := range shapes {
			b.Run(name, func(b *testing.B) {
				shape(b, w)
				buf := make([]byte, 64<<10)
				b.SetBytes(int64(len(buf)))
				for b.Loop() {
					_, err := c.Write(buf)
					must(b, err)
				}
			})
		}
	})
}

// BenchmarkCut cuts and mends again.
func BenchmarkCut(b *testing.B) {
	inWorld(b, func() {
		w := newWorld(b, 2)
		for b.Loop() {
			w[0].net(b, []protocol.Cut{{From: w[1].addr}})
			w[0].net(b, nil)
		}
	})
}

// BenchmarkShape makes a link bad and mends it again.
func BenchmarkShape(b *testing.B) {
	inWorld(b, func() {
		w := newWorld(b, 2)
		for b.Loop() {
			must(b, w[0].Net(context.Background(), protocol.NetState{Shape: []protocol.Shape{{To: w[1].addr, Delay: time.Millisecond}}}))
			w[0].net(b, nil)
		}
	})
}

// cpu is how much processor time the machine's agent has used.
func (h *host) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.pid))
	must(b, err)
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var user, system time.Duration
	_, err = fmt.Sscan(f[11]+" "+f[12], &user, &system)
	must(b, err)
	return (user + system) * 10 * time.Millisecond // of 100 in a second
}
