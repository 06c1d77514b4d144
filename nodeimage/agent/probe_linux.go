package agent

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"squall/nodeimage/agent/protocol"
)

const (
	probeCopies = 3           // datagrams for each address: one may get lost
	probeMemory = time.Minute // how long a probe is remembered
	maxProbes   = 4096        // how many are remembered
	maxTargets  = 1024        // how many addresses one request may name
	probeRoom   = 4 << 20     // bytes of datagrams that wait to be read
)

// probeMagic begins every probe.
const probeMagic = "squall-probe"

// prober answers probes and sends them. Whether the answers are genuine does
// not matter: nobody else is in the cluster's network.
type prober struct {
	udp *net.UDPConn
	tcp net.Listener

	workers sync.WaitGroup
	mu      sync.Mutex
	heard   []probe // oldest first
	flows   []*flowIn
	sending map[uint64]*flowOut // by nonce
}

type probe struct {
	nonce uint64
	from  netip.Addr
	at    time.Time
}

// listenProbes listens on a port on all addresses: those of IPv6 and of IPv4, or
// of IPv4 alone where the kernel has no other.
func listenProbes(port uint16) (*prober, error) {
	// Without an address Go would decide by whether it can bind those of the
	// loopback, which may be about to come up.
	all := net.IPv6unspecified
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: all, Port: int(port)})
	if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
		all = net.IPv4zero
		udp, err = net.ListenUDP("udp", &net.UDPAddr{IP: all, Port: int(port)})
	}
	if err != nil {
		return nil, fmt.Errorf("listening for probes: %w", err)
	}
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: all, Port: int(port)})
	if err != nil {
		udp.Close()
		return nil, fmt.Errorf("listening for probes: %w", err)
	}
	_ = udp.SetReadBuffer(probeRoom) // as much as the system allows
	p := &prober{udp: udp, tcp: tcp, sending: map[uint64]*flowOut{}}
	p.workers.Go(p.receive)
	p.workers.Go(p.accept)
	return p, nil
}

func (p *prober) close() {
	p.udp.Close()
	p.tcp.Close()
	p.workers.Wait()
}

func (p *prober) receive() {
	buf := make([]byte, protocol.MaxFlowSize+1)
	for {
		n, from, err := p.udp.ReadFromUDPAddrPort(buf)
		now := mono()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil { // else an ICMP error of a probe sent before
			p.take(buf[:n], from, now)
		}
	}
}

// take is given a datagram, which may be anybody's: a server can send some too.
func (p *prober) take(datagram []byte, from netip.AddrPort, now int64) {
	switch n := len(datagram); {
	case n > protocol.MaxFlowSize: // a stranger's
	case n >= protocol.MinFlowSize:
		p.flowed(datagram, from, now)
	case n == echoSize:
		p.echoed(datagram, from.Addr().Unmap(), now)
	default:
		if nonce, ok := bytes.CutPrefix(datagram, []byte(probeMagic)); ok && len(nonce) == 8 {
			p.remember(binary.BigEndian.Uint64(nonce), from.Addr().Unmap())
		}
	}
}

// accept takes TCP connections, which is all that Connect wants.
func (p *prober) accept() {
	for {
		conn, err := p.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of file descriptors, for now
			continue
		}
		conn.Close()
	}
}

func (p *prober) remember(nonce uint64, from netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	for _, h := range p.heard {
		if h.nonce == nonce && h.from == from {
			return
		}
	}
	if len(p.heard) == maxProbes {
		p.heard = slices.Delete(p.heard, 0, maxProbes/8)
	}
	p.heard = append(p.heard, probe{nonce: nonce, from: from, at: time.Now()})
}

// forget drops what is too old. The caller holds mu.
func (p *prober) forget() {
	old := 0
	for old < len(p.heard) && time.Since(p.heard[old].at) > probeMemory {
		old++
	}
	p.heard = slices.Delete(p.heard, 0, old)
}

func (p *prober) heardFrom(nonce uint64) []netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	from := []netip.Addr{}
	for _, h := range p.heard {
		if h.nonce == nonce {
			from = append(from, h.from)
		}
	}
	slices.SortFunc(from, netip.Addr.Compare)
	return from
}

// send sends probes. An address to which there is no route is no error: what
// counts is what the other end hears.
func (p *prober) send(nonce uint64, to []netip.Addr, port uint16) error {
	if port == 0 {
		return errors.New("no port to probe was given")
	}
	if len(to) > maxTargets {
		return fmt.Errorf("%d addresses to probe are too many, at most %d", len(to), maxTargets)
	}
	datagram := binary.BigEndian.AppendUint64([]byte(probeMagic), nonce)
	for range probeCopies {
		for _, addr := range to {
			_, err := p.udp.WriteToUDPAddrPort(datagram, netip.AddrPortFrom(addr, port))
			if errors.Is(err, net.ErrClosed) {
				return err
			}
		}
	}
	return nil
}

// connect tries to connect to each address, all at once; "" is success.
func connect(ctx context.Context, to []netip.AddrPort, timeout time.Duration) ([]string, error) {
	if len(to) > maxTargets {
		return nil, fmt.Errorf("%d addresses to connect to are too many, at most %d", len(to), maxTargets)
	}
	if timeout <= 0 {
		return nil, errors.New("no timeout for connecting was given")
	}
	errs := make([]string, len(to))
	dialer := net.Dialer{Timeout: timeout}
	var all sync.WaitGroup
	for i, addr := range to {
		all.Go(func() {
			conn, err := dialer.DialContext(ctx, "tcp", addr.String())
			if err != nil {
				errs[i] = err.Error()
				return
			}
			conn.Close()
		})
	}
	all.Wait()
	return errs, nil
}
