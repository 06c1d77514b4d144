package agent

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"net/netip"
	"slices"
	"time"

	"squall/nodeimage/agent/protocol"
)

// A datagram of a flow: magic, nonce u64, number u32, when it was sent (ns of
// CLOCK_MONOTONIC) i64, padding, CRC-32C of all before u32; big endian. Its echo
// has no padding: the two are told apart by their length, which no corruption
// changes.
const (
	flowMagic  = "squall-flow\x00"
	flowNonce  = len(flowMagic)
	flowNumber = flowNonce + 8
	flowStamp  = flowNumber + 4
	flowHead   = flowStamp + 8
	flowSum    = 4
	echoSize   = flowHead + flowSum
)

// The shortest datagram is longer than an echo, and an echo longer than a probe.
var (
	_ [protocol.MinFlowSize - echoSize - 1]struct{}
	_ [echoSize - len(probeMagic) - 8 - 1]struct{}
)

const (
	flowWait = time.Second // for the last echoes, unless the spec says
	maxFlows = 8           // sent at a time
	maxHeard = 64          // flows of one source each that are remembered
)

var flowTable = crc32.MakeTable(crc32.Castagnoli)

// sealFlow writes a datagram of a flow, or an echo, over the whole of b.
func sealFlow(b []byte, nonce uint64, number uint32, stamp int64) {
	copy(b, flowMagic)
	binary.BigEndian.PutUint64(b[flowNonce:], nonce)
	binary.BigEndian.PutUint32(b[flowNumber:], number)
	binary.BigEndian.PutUint64(b[flowStamp:], uint64(stamp))
	end := len(b) - flowSum
	binary.BigEndian.PutUint32(b[end:], crc32.Checksum(b[:end], flowTable))
}

func wholeFlow(b []byte) bool {
	end := len(b) - flowSum
	return bytes.HasPrefix(b, []byte(flowMagic)) && binary.BigEndian.Uint32(b[end:]) == crc32.Checksum(b[:end], flowTable)
}

// flowOut is a flow that is being sent.
type flowOut struct {
	left    int           // echoes still awaited
	done    chan struct{} // closed when left is 0 and all was sent
	sending bool
	targets map[netip.Addr]*flowTarget
}

type flowTarget struct {
	sent     int
	refused  string
	answered []uint64 // a bit for each number
	rtts     []time.Duration
}

// flowIn is what came of one flow from one source.
type flowIn struct {
	nonce   uint64
	from    netip.Addr
	seen    []uint64 // a bit for each number
	highest uint32
	delays  []time.Duration
	heard   protocol.FlowHeard
	bytes   int       // but for the first
	first   time.Time // arrival
	last    time.Time
}

// mark sets a bit and reports whether it was set before.
func mark(bits *[]uint64, n uint32) bool {
	for int(n/64) >= len(*bits) {
		*bits = append(*bits, 0)
	}
	word, bit := &(*bits)[n/64], uint64(1)<<(n%64)
	was := *word&bit != 0
	*word |= bit
	return was
}

// flowSend sends a flow and waits for its echoes.
func (p *prober) flowSend(ctx context.Context, spec protocol.FlowSpec) ([]protocol.FlowSent, error) {
	if err := checkFlow(&spec); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	f, err := p.openFlow(spec)
	if err != nil {
		return nil, err
	}
	defer p.closeFlow(spec.Nonce)
	if err := p.pour(ctx, spec, f); err != nil {
		return nil, err
	}
	timer := time.NewTimer(spec.Wait)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.flowResult(spec, f), nil
}

// checkFlow says what is wrong with a spec, and fills in what it leaves out.
func checkFlow(s *protocol.FlowSpec) error {
	if s.Size == 0 {
		s.Size = protocol.MinFlowSize
	}
	if s.Wait == 0 {
		s.Wait = flowWait
	}
	if len(s.To) == 0 || len(s.To) > protocol.MaxFlowTargets {
		return fmt.Errorf("to: %d addresses are not from 1 to %d", len(s.To), protocol.MaxFlowTargets)
	}
	if s.Port == 0 {
		return errors.New("port: none was given")
	}
	if s.Count < 1 || s.Count > protocol.MaxFlowCount || s.Count*len(s.To) > protocol.MaxFlowTotal {
		return fmt.Errorf("count: %d to each of %d addresses; at most %d to one and %d in all",
			s.Count, len(s.To), protocol.MaxFlowCount, protocol.MaxFlowTotal)
	}
	if s.Size < protocol.MinFlowSize || s.Size > protocol.MaxFlowSize {
		return fmt.Errorf("size: %d is not from %d to %d bytes", s.Size, protocol.MinFlowSize, protocol.MaxFlowSize)
	}
	if s.Interval < 0 || s.Interval > protocol.MaxFlowTime/time.Duration(s.Count) {
		return fmt.Errorf("interval: %v for %d datagrams; at most %v in all", s.Interval, s.Count, protocol.MaxFlowTime)
	}
	if s.Wait < 0 || s.Wait > protocol.MaxFlowTime {
		return fmt.Errorf("wait: %v is not from 0 to %v", s.Wait, protocol.MaxFlowTime)
	}
	seen := map[netip.Addr]bool{}
	for i, a := range s.To {
		if a = a.Unmap(); !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || seen[a] {
			return fmt.Errorf("to[%d]: %q is not the address of one machine, or twice there", i, a)
		}
		seen[a], s.To[i] = true, a
	}
	return nil
}

func (p *prober) openFlow(spec protocol.FlowSpec) (*flowOut, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sending[spec.Nonce] != nil {
		return nil, fmt.Errorf("%w: nonce: a flow with the nonce %d is being sent already", errBadRequest, spec.Nonce)
	}
	if len(p.sending) == maxFlows {
		return nil, fmt.Errorf("%d flows are being sent already, at most as many at a time", maxFlows)
	}
	f := &flowOut{done: make(chan struct{}), sending: true, targets: map[netip.Addr]*flowTarget{}}
	for _, to := range spec.To {
		f.targets[to] = &flowTarget{}
	}
	p.sending[spec.Nonce] = f
	return f, nil
}

func (p *prober) closeFlow(nonce uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sending, nonce)
}

// pour sends the datagrams, each round at its time.
func (p *prober) pour(ctx context.Context, spec protocol.FlowSpec, f *flowOut) error {
	datagram := make([]byte, spec.Size)
	for i := flowHead; i < len(datagram); i++ {
		datagram[i] = byte(i)
	}
	begin := time.Now()
	for n := range spec.Count {
		if wait := time.Until(begin.Add(time.Duration(n) * spec.Interval)); wait > 0 {
			time.Sleep(wait)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, to := range spec.To {
			p.count(f, to) // before its echo can be here
			sealFlow(datagram, spec.Nonce, uint32(n), mono())
			_, err := p.udp.WriteToUDPAddrPort(datagram, netip.AddrPortFrom(to, spec.Port))
			if err != nil {
				p.refused(f, to, err)
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f.sending = false
	f.finish()
	return nil
}

func (p *prober) count(f *flowOut, to netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.left++
	f.targets[to].sent++
}

func (p *prober) refused(f *flowOut, to netip.Addr, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.left--
	f.targets[to].sent--
	f.targets[to].refused = err.Error()
}

// finish says that nothing more is awaited, if so. The caller holds mu.
func (f *flowOut) finish() {
	if f.left == 0 && !f.sending {
		select {
		case <-f.done:
		default:
			close(f.done)
		}
	}
}

func (p *prober) flowResult(spec protocol.FlowSpec, f *flowOut) []protocol.FlowSent {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []protocol.FlowSent
	for _, to := range spec.To {
		t := f.targets[to]
		all = append(all, protocol.FlowSent{
			To: to, Sent: t.sent, Answered: len(t.rtts), RTT: protocol.QuantilesOf(t.rtts), Error: t.refused,
		})
	}
	return all
}

// echoed takes an echo of a flow that this machine sent.
func (p *prober) echoed(b []byte, from netip.Addr, now int64) {
	if !wholeFlow(b) {
		return // as good as lost
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.sending[binary.BigEndian.Uint64(b[flowNonce:])]
	if f == nil || f.targets[from] == nil {
		return
	}
	number := binary.BigEndian.Uint32(b[flowNumber:])
	if t := f.targets[from]; number < protocol.MaxFlowCount && !mark(&t.answered, number) {
		t.rtts = append(t.rtts, time.Duration(now-int64(binary.BigEndian.Uint64(b[flowStamp:]))))
		f.left--
		f.finish()
	}
}

// flowed takes a datagram of a flow and answers it; not before it is counted, so
// that who has all echoes can ask for all counts.
func (p *prober) flowed(b []byte, peer netip.AddrPort, now int64) {
	whole := wholeFlow(b)
	nonce := binary.BigEndian.Uint64(b[flowNonce:])
	number := binary.BigEndian.Uint32(b[flowNumber:])
	stamp := int64(binary.BigEndian.Uint64(b[flowStamp:]))
	if whole && number >= protocol.MaxFlowCount {
		return
	}
	p.mu.Lock()
	f := p.flowFrom(nonce, peer.Addr().Unmap(), whole)
	if whole {
		f.take(number, len(b), time.Duration(now-stamp))
	} else {
		f.heard.Corrupted++
	}
	p.mu.Unlock()
	if whole {
		echo := make([]byte, echoSize)
		sealFlow(echo, nonce, number, stamp)
		_, _ = p.udp.WriteToUDPAddrPort(echo, peer) // an echo may get lost
	}
}

// flowFrom is the flow that a datagram belongs to, which whole ones begin. In a
// corrupted one the nonce may be wrong; it counts for the source's latest flow
// then. The caller holds mu.
func (p *prober) flowFrom(nonce uint64, from netip.Addr, whole bool) *flowIn {
	var latest *flowIn
	for _, f := range p.flows {
		if f.from != from {
			continue
		}
		if f.nonce == nonce {
			return f
		}
		if latest == nil || f.last.After(latest.last) {
			latest = f
		}
	}
	if !whole && latest != nil {
		return latest
	}
	if len(p.flows) == maxHeard {
		oldest := 0
		for i, f := range p.flows {
			if f.last.Before(p.flows[oldest].last) {
				oldest = i
			}
		}
		p.flows[oldest] = p.flows[len(p.flows)-1]
		p.flows = p.flows[:len(p.flows)-1]
	}
	f := &flowIn{nonce: nonce, from: from, first: time.Now(), last: time.Now()}
	p.flows = append(p.flows, f)
	return f
}

func (f *flowIn) take(number uint32, size int, delay time.Duration) {
	f.last = time.Now()
	if f.heard.Received+f.heard.Duplicates == 0 {
		f.first = f.last
	} else {
		f.bytes += size
	}
	if mark(&f.seen, number) {
		f.heard.Duplicates++
		return
	}
	f.heard.Received++
	f.delays = append(f.delays, delay)
	if number < f.highest {
		f.heard.Reordered++
	}
	f.highest = max(f.highest, number)
}

// flowsHeard is what came of the flows with a nonce, by source.
func (p *prober) flowsHeard(nonce uint64) []protocol.FlowHeard {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := []protocol.FlowHeard{}
	for _, f := range p.flows {
		if f.nonce != nonce {
			continue
		}
		h := f.heard
		h.From = f.from
		h.Delay = protocol.QuantilesOf(f.delays)
		if span := f.last.Sub(f.first).Seconds(); span > 0 {
			h.BytesPerSecond = math.Round(float64(f.bytes) / span)
		}
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b protocol.FlowHeard) int { return a.From.Compare(b.From) })
	return all
}
