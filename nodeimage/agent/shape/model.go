package shape

import (
	"math"
	"time"

	"squall/nodeimage/agent/protocol"
)

// Decision is what shall happen to one packet, apart from a rate.
type Decision struct {
	Lost      bool
	Duplicate bool
	Corrupt   bool
	Reordered bool          // sent at once although the link delays
	Delay     time.Duration // of the packet
	DupDelay  time.Duration // of its duplicate
	// Dice are random bits for whoever corrupts the packet.
	Dice uint64
}

// Model decides about the packets of one link, one after the other. The n-th
// decision is a function of the shape and its seed.
type Model struct {
	shape protocol.Shape
	n     uint64 // packets decided about
	bad   bool   // the state of the burst
}

// NewModel begins a link's sequence of decisions.
func NewModel(shape protocol.Shape) *Model { return &Model{shape: shape} }

// What a packet's random numbers are for: each has its own, so that one kind of
// trouble does not shift the others.
const (
	diceLoss = iota
	diceBurstLoss
	diceBurstState
	diceDuplicate
	diceCorrupt
	diceBytes
	diceReorder
	diceJitter
	diceDupJitter
	dicePerPacket
)

// Next decides about the next packet.
func (m *Model) Next() Decision {
	s := &m.shape
	d := Decision{
		Lost:      m.chance(diceLoss, s.Loss),
		Duplicate: m.chance(diceDuplicate, s.Duplicate),
		Corrupt:   m.chance(diceCorrupt, s.Corrupt),
		Reordered: m.chance(diceReorder, s.Reorder),
		Dice:      m.bits(diceBytes),
	}
	if m.burstLoses() {
		d.Lost = true
	}
	if !d.Reordered {
		d.Delay = m.delay(diceJitter)
	}
	if d.Duplicate {
		d.DupDelay = m.delay(diceDupJitter)
	}
	m.n++
	return d
}

// burstLoses goes one step in the chain of good and bad.
func (m *Model) burstLoses() bool {
	b := m.shape.Burst
	if b == nil {
		return false
	}
	loss, leave := b.LossGood, b.P
	if m.bad {
		loss, leave = b.LossBad, b.R
	}
	lost := m.chance(diceBurstLoss, loss)
	if m.chance(diceBurstState, leave) {
		m.bad = !m.bad
	}
	return lost
}

func (m *Model) delay(dice uint64) time.Duration {
	s := &m.shape
	if s.Jitter == 0 {
		return s.Delay
	}
	u := m.uniform(dice)
	return max(0, s.Delay+time.Duration(deviation(s.Distribution, u)*float64(s.Jitter)))
}

// deviation turns a uniform random number, from 0 and below 1, into one of the
// distribution, in units of its jitter.
func deviation(distribution string, u float64) float64 {
	switch distribution {
	case protocol.DistNormal:
		const most = 6 // for u of 0 it would be without end
		return max(-most, math.Sqrt2*math.Erfinv(2*u-1))
	case protocol.DistPareto:
		// The table that comes with netem: a=3, moved to a mean of 0, and cut off.
		const most = 4
		return min(most, (math.Pow(1-u, -1.0/3)-1.5)*4/3)
	default:
		return 2*u - 1
	}
}

func (m *Model) chance(dice uint64, share float64) bool {
	return share > 0 && m.uniform(dice) < share
}

// uniform is a random number from 0 and below 1.
func (m *Model) uniform(dice uint64) float64 { return float64(m.bits(dice)>>11) / (1 << 53) }

// bits is the random number of this packet for one purpose: splitmix64, whose
// n-th number needs none of those before.
func (m *Model) bits(dice uint64) uint64 {
	x := mix(m.shape.Seed) + (m.n*dicePerPacket+dice+1)*0x9e3779b97f4a7c15
	return mix(x)
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// line serialises packets: one after the other at so many bytes per second.
type line struct {
	rate   int64 // 0: no limit
	free   int64 // when it is idle, ns
	queued []int64
}

// take puts a packet on the line and returns when it has left it. ok is false
// when too many wait already.
func (l *line) take(now int64, size int) (left int64, ok bool) {
	if l.rate == 0 {
		return now, true
	}
	begun := 0
	for begun < len(l.queued) && l.queued[begun] <= now {
		begun++
	}
	l.queued = l.queued[begun:]
	if len(l.queued) >= protocol.RateQueue {
		return 0, false
	}
	begin := max(now, l.free)
	if begin > now {
		l.queued = append(l.queued, begin)
	}
	l.free = begin + int64(size)*int64(time.Second)/l.rate
	return l.free, true
}
