package shape

import (
	"encoding/binary"
	"math"

	"squall/nodeimage/agent/protocol"
)

// The words of netem (linux/pkt_sched.h).
const (
	netemDist      = 2
	netemReorder   = 3
	netemCorrupt   = 4
	netemLoss      = 5
	netemRate      = 6
	netemRate64    = 8
	netemLatency64 = 10
	netemJitter64  = 11
	netemSeed      = 14

	netemLossGE = 2

	distScale = 8192 // of a table of a distribution: one jitter
	distSize  = 4096

	etherHead = 14 // netem counts it with each packet, a Shape does not
)

// netemOptions is what TCA_OPTIONS of a netem holds: struct tc_netem_qopt, then
// attributes.
func netemOptions(s protocol.Shape) []byte {
	le := binary.NativeEndian
	gap := uint32(0)
	if s.Reorder > 0 {
		gap = 1
	}
	var b []byte
	b = le.AppendUint32(b, 0) // latency and, below, jitter: in other attributes, which take any length
	b = le.AppendUint32(b, netemLimit(s))
	b = le.AppendUint32(b, probability(s.Loss))
	b = le.AppendUint32(b, gap)
	b = le.AppendUint32(b, probability(s.Duplicate))
	b = le.AppendUint32(b, 0)
	b = netemAttr(b, netemLatency64, le.AppendUint64(nil, uint64(s.Delay)))
	b = netemAttr(b, netemJitter64, le.AppendUint64(nil, uint64(s.Jitter)))
	if s.Jitter > 0 && s.Distribution != protocol.DistUniform && s.Distribution != "" {
		b = netemAttr(b, netemDist, distTable(s.Distribution))
	}
	if s.Reorder > 0 {
		b = netemAttr(b, netemReorder, pair(probability(s.Reorder), 0))
	}
	if s.Corrupt > 0 {
		b = netemAttr(b, netemCorrupt, pair(probability(s.Corrupt), 0))
	}
	if g := s.Burst; g != nil {
		// Of the bad state it wants to know what passes, of the good one what is lost.
		model := append(pair(probability(g.P), probability(g.R)), pair(probability(1-g.LossBad), probability(g.LossGood))...)
		b = netemAttr(b, netemLoss|nested, netemAttr(nil, netemLossGE, model))
	}
	if s.Rate > 0 {
		overhead := -etherHead
		b = netemAttr(b, netemRate, append(pair(uint32(min(s.Rate, math.MaxUint32)), uint32(int32(overhead))), pair(0, 0)...))
		if s.Rate > math.MaxUint32 {
			b = netemAttr(b, netemRate64, le.AppendUint64(nil, uint64(s.Rate)))
		}
	}
	return netemAttr(b, netemSeed, le.AppendUint64(nil, s.Seed))
}

const nested = 1 << 15

func netemAttr(b []byte, kind uint16, data []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(data)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func pair(a, b uint32) []byte {
	return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, a), b)
}

// netemLimit is how many packets a netem holds. With a rate they wait for their
// turn in the same place as those that are delayed, for which there is room too.
func netemLimit(s protocol.Shape) uint32 {
	if s.Rate == 0 {
		return protocol.HeldPackets
	}
	const smallish = 500 // bytes of a packet
	delayed := (s.Delay + 4*s.Jitter).Seconds() * float64(s.Rate) / smallish
	return uint32(min(protocol.RateQueue+delayed, protocol.HeldPackets))
}

func probability(share float64) uint32 { return uint32(math.Round(share * math.MaxUint32)) }

// distTable is netem's table of a distribution: at random one of its values is
// taken, times the jitter.
func distTable(distribution string) []byte {
	var b []byte
	for i := range distSize {
		d := deviation(distribution, (float64(i)+0.5)/distSize) * distScale
		d = max(math.MinInt16, min(math.MaxInt16, math.Round(d)))
		b = binary.NativeEndian.AppendUint16(b, uint16(int16(d)))
	}
	return b
}
