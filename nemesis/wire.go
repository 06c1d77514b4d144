package nemesis

import (
	"time"

	"squall/history"
)

// NetState is everything that a machine does to packets.
type NetState struct {
	Cut   []Cut   // what comes in, by sender, sorted
	Shape []Shape // what goes out, by receiver, sorted
}

// Cut drops the packets that come from a machine.
type Cut struct {
	From string // a node, or Clients
	// Reject answers TCP segments with a reset instead of silence.
	Reject bool
}

// Shape is what happens to the packets that go to a machine.
type Shape struct {
	To string
	Shaping
}

// Shaping is what a link under fault does to its packets. The zero value does
// nothing.
type Shaping struct {
	// Seed decides, with the number of the packet on the link, what happens to
	// it: the same seed does the same.
	Seed         uint64
	Delay        time.Duration
	Jitter       time.Duration
	Distribution string // of the jitter: "uniform", "normal" or "pareto"
	Loss         float64
	Burst        *Burst
	Duplicate    float64
	Reorder      float64 // this share is sent without the delay
	Corrupt      float64
	CorruptKind  string // CorruptChecksum or CorruptPayload
	Rate         int64  // bytes per second; 0: no limit
}

// Kinds of corruption.
const (
	CorruptChecksum = "checksum" // a byte is flipped, and the checksum tells
	CorruptPayload  = "payload"  // a byte is flipped and the checksum made right again
)

// Burst loses packets by a Gilbert–Elliott chain of two states. All are
// probabilities per packet.
type Burst struct {
	Begin    float64 // to go from the good state to the bad one
	End      float64 // to go back
	LossBad  float64
	LossGood float64
}

// Loss is the share of packets that the chain loses in the long run.
func (b Burst) Loss() float64 {
	bad := b.Begin / (b.Begin + b.End)
	return bad*b.LossBad + (1-bad)*b.LossGood
}

// NetCounts is what was counted of a NetState, by node.
type NetCounts struct {
	Cut   map[string]uint64 // packets dropped, by sender
	Shape map[string]ShapeCount
}

// ShapeCount is what the shaper did on one link.
type ShapeCount struct {
	Engine  string // "netem" or "nfqueue"
	Packets uint64
	// What became of them. The kernel's netem counts only packets and losses.
	Lost, Duplicated, Reordered, Corrupted uint64
}

// FlowSpec is what to send over links, to measure them.
type FlowSpec struct {
	Links    []history.Link
	Count    int           // datagrams on each link
	Interval time.Duration // between two of them
	Size     int           // bytes of each datagram's payload
	Wait     time.Duration // for the last to arrive
}

// Flow is what became of the datagrams of one link.
type Flow struct {
	Sent       int
	Received   int // distinct
	Duplicates int
	Reordered  int
	Corrupted  int           // received with another content than was sent
	OneWay     time.Duration // median; all machines of a host share a clock
	RoundTrip  time.Duration // median of those that came back; 0: none did
	Rate       float64       // bytes per second at the receiver
}
