package protocol

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// Bounds of a NetState.
const (
	// MaxCuts and MaxShapes bound how many addresses one machine cuts and
	// shapes. The kernel answers for each of its rules, and all answers of one
	// transaction must fit a buffer.
	MaxCuts   = 64
	MaxShapes = 64
	// MaxDelay bounds a Shape's Delay and its Jitter.
	MaxDelay = time.Minute
	// MinRate and MaxRate bound a Shape's Rate, in bytes per second.
	MinRate = 1000
	MaxRate = 100_000_000_000
	// RateQueue is how many packets may wait for their turn when a Rate is
	// given, besides those that are delayed already: about 1.4 MiB of full ones.
	RateQueue = 1000
	// HeldPackets is how many packets one machine holds back at most, on all
	// its links together.
	HeldPackets = 1 << 15
)

// The distributions of a Shape's Jitter.
const (
	DistUniform = "uniform" // from Delay-Jitter to Delay+Jitter
	DistNormal  = "normal"  // Jitter is the standard deviation
	DistPareto  = "pareto"  // netem's: mostly 2/3 Jitter below Delay, rarely up to 4 Jitter above it
)

// The kinds of a Shape's corruption.
const (
	// CorruptChecksum flips a byte so that the receiver's TCP or UDP notices
	// and throws the packet away.
	CorruptChecksum = "checksum"
	// CorruptPayload flips bytes of a TCP or UDP payload and makes the checksum
	// right again, so that the application is given them. Packets without
	// payload are left alone.
	CorruptPayload = "payload"
)

// The engines that shape packets.
const (
	EngineNetem = "netem"   // the kernel's own queueing discipline
	EngineQueue = "nfqueue" // the agent, to which the kernel hands the packets
)

// NetState is everything that a machine does to packets. It replaces what was
// before, in one step; what did not change keeps its counters, its queue and
// its place in its random sequence.
//
// What IPv6 needs to find the link address of a neighbour (ICMPv6 133 to 137)
// always passes, as ARP does, which is no IP packet.
//
// A packet that is to go out later and fits the interface's MTU leaves its sender
// at once; a longer one (a UDP datagram that will be cut into fragments) counts
// against its socket's buffer until it is due, and is not duplicated.
type NetState struct {
	Cut   []Cut   `json:"cut,omitempty"`   // incoming packets
	Shape []Shape `json:"shape,omitempty"` // outgoing packets
}

// Cut lets no packet in that comes from one address.
type Cut struct {
	From netip.Addr `json:"from"`
	// Reject answers TCP segments with a reset. A reset itself still gets in,
	// so that both ends of a pair that is cut both ways learn of it. All but TCP
	// is dropped.
	Reject bool `json:"reject,omitempty"`
}

// Shape is a bad link to one address. What it does to a packet depends on Seed,
// on the Shape and on the packet's number on this link, counted from the moment
// when the Shape was set; and, with a Rate, on the clock. A segment that TCP
// sends again is another packet.
//
// Jitter alone makes packets overtake each other, as netem's does.
type Shape struct {
	To           netip.Addr    `json:"to"`
	Seed         uint64        `json:"seed,omitempty"`
	Delay        time.Duration `json:"delay,omitempty"`  // ns
	Jitter       time.Duration `json:"jitter,omitempty"` // ns; no packet is sent before it was there
	Distribution string        `json:"dist,omitempty"`   // of Jitter; "" is DistUniform
	Loss         float64       `json:"loss,omitempty"`   // 0 to 1, of each packet by itself
	Burst        *Burst        `json:"burst,omitempty"`
	Duplicate    float64       `json:"duplicate,omitempty"` // 0 to 1; the second one has a delay of its own
	// Reorder is the share, 0 to 1, that is sent at once and so overtakes what
	// is delayed. It needs a Delay.
	Reorder     float64 `json:"reorder,omitempty"`
	Corrupt     float64 `json:"corrupt,omitempty"`     // 0 to 1
	CorruptKind string  `json:"corruptKind,omitempty"` // "" is CorruptChecksum
	// Rate is how many bytes of IP packets go out in a second; 0 is no limit.
	// At most RateQueue packets wait for their turn, further ones are thrown
	// away and counted in ShapeCount.Overflow.
	Rate int64 `json:"rate,omitempty"`
}

// Burst is the loss of packets in a row, by Gilbert and Elliott: the link is
// good or bad; a packet is lost with the probability that belongs to the state,
// and then the state may change. It begins good. All are 0 to 1.
type Burst struct {
	P        float64 `json:"p"` // good becomes bad, per packet
	R        float64 `json:"r"` // bad becomes good, per packet
	LossBad  float64 `json:"lossBad"`
	LossGood float64 `json:"lossGood,omitempty"`
}

// NetCounters is what became of the packets under a NetState, since the Cut or
// Shape they fell under was set. Both lists are sorted by address.
type NetCounters struct {
	Cut   []CutCount   `json:"cut,omitempty"`
	Shape []ShapeCount `json:"shape,omitempty"`
	// QueueOverrun is how many packets under any Shape of EngineQueue were lost
	// because the agent did not read them fast enough, since the first of these
	// Shapes was set. It stays 0 where the kernel does not tell the agent.
	QueueOverrun uint64 `json:"queueOverrun,omitempty"`
}

// CutCount is the kernel's count of what a Cut kept out.
type CutCount struct {
	From    netip.Addr `json:"from"`
	Reject  bool       `json:"reject,omitempty"`
	Packets uint64     `json:"packets"`
	Bytes   uint64     `json:"bytes"`
}

// ShapeCount is what a Shape did; Packets and Bytes (of IP packets) are what was
// to go that way. Of EngineNetem all is the kernel's count: it counts a train of
// segments (GSO) once, and tells Lost (Overflow included), Reordered and Held alone.
type ShapeCount struct {
	To         netip.Addr `json:"to"`
	Engine     string     `json:"engine"` // EngineNetem or EngineQueue
	Packets    uint64     `json:"packets"`
	Bytes      uint64     `json:"bytes"`
	Lost       uint64     `json:"lost"`
	Duplicated uint64     `json:"duplicated"`
	Reordered  uint64     `json:"reordered"` // sent at once by Reorder
	Corrupted  uint64     `json:"corrupted"`
	Delayed    uint64     `json:"delayed"`  // held back, then sent
	Held       uint64     `json:"held"`     // being held back now
	Overflow   uint64     `json:"overflow"` // thrown away for want of room
	Failed     uint64     `json:"failed"`   // to be sent after a while, and refused by the kernel then
}

// The names of what Features tells of.
const (
	FeatureCut    = "net-cut"    // packets of an address can be dropped
	FeatureReject = "net-reject" // and TCP answered with a reset
	FeatureQueue  = "net-queue"  // NFQUEUE: the agent can shape packets
	FeatureNetem  = "net-netem"  // the kernel can shape packets by itself
	FeatureRaw    = "net-raw"    // raw sockets: for Duplicate, and for delays that do not hold up the sender
)

// Validate says what is wrong with a state, naming the field; nil is a good one.
func (s NetState) Validate() error {
	if len(s.Cut) > MaxCuts {
		return fmt.Errorf("cut: %d addresses, at most %d", len(s.Cut), MaxCuts)
	}
	if len(s.Shape) > MaxShapes {
		return fmt.Errorf("shape: %d addresses, at most %d", len(s.Shape), MaxShapes)
	}
	seen := map[netip.Addr]bool{}
	for i, c := range s.Cut {
		if err := oneMachine(c.From, seen); err != nil {
			return fmt.Errorf("cut[%d].from: %w", i, err)
		}
	}
	clear(seen)
	for i, sh := range s.Shape {
		if err := oneMachine(sh.To, seen); err != nil {
			return fmt.Errorf("shape[%d].to: %w", i, err)
		}
		if err := sh.validate(); err != nil {
			return fmt.Errorf("shape[%d] to %v: %w", i, sh.To, err)
		}
	}
	return nil
}

// Canonical is the same state with the addresses of IPv4 in their own form and
// every default filled in.
func (s NetState) Canonical() NetState {
	c := NetState{Cut: make([]Cut, len(s.Cut)), Shape: make([]Shape, len(s.Shape))}
	for i, cut := range s.Cut {
		cut.From = cut.From.Unmap()
		c.Cut[i] = cut
	}
	for i, sh := range s.Shape {
		sh.To = sh.To.Unmap()
		if sh.Distribution == "" {
			sh.Distribution = DistUniform
		}
		if sh.CorruptKind == "" {
			sh.CorruptKind = CorruptChecksum
		}
		c.Shape[i] = sh
	}
	return c
}

func oneMachine(a netip.Addr, seen map[netip.Addr]bool) error {
	a = a.Unmap()
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return fmt.Errorf("%q is not the address of one machine", a)
	}
	if seen[a] {
		return fmt.Errorf("%v is named twice", a)
	}
	seen[a] = true
	return nil
}

func (s Shape) validate() error {
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"delay", s.Delay}, {"jitter", s.Jitter}} {
		if d.d < 0 || d.d > MaxDelay {
			return fmt.Errorf("%s: %v is not from 0 to %v", d.name, d.d, MaxDelay)
		}
	}
	shares := []share{{"loss", s.Loss}, {"duplicate", s.Duplicate}, {"reorder", s.Reorder}, {"corrupt", s.Corrupt}}
	if b := s.Burst; b != nil {
		shares = append(shares, share{"burst.p", b.P}, share{"burst.r", b.R},
			share{"burst.lossBad", b.LossBad}, share{"burst.lossGood", b.LossGood})
	}
	for _, sh := range shares {
		if math.IsNaN(sh.value) || sh.value < 0 || sh.value > 1 {
			return fmt.Errorf("%s: %v is not from 0 to 1", sh.name, sh.value)
		}
	}
	switch s.Distribution {
	case "", DistUniform, DistNormal, DistPareto:
	default:
		return fmt.Errorf("distribution: no %q; there are %q, %q and %q", s.Distribution, DistUniform, DistNormal, DistPareto)
	}
	switch s.CorruptKind {
	case "", CorruptChecksum, CorruptPayload:
	default:
		return fmt.Errorf("corruptKind: no %q; there are %q and %q", s.CorruptKind, CorruptChecksum, CorruptPayload)
	}
	if s.Reorder > 0 && s.Delay == 0 {
		return errors.New("reorder: needs a delay, so that later packets can overtake")
	}
	if s.Rate != 0 && (s.Rate < MinRate || s.Rate > MaxRate) {
		return fmt.Errorf("rate: %d bytes per second are not from %d to %d, nor 0 for no limit", s.Rate, MinRate, int64(MaxRate))
	}
	return nil
}

type share struct {
	name  string
	value float64
}
