package shape

import (
	"encoding/binary"
	"net/netip"

	"squall/nodeimage/agent/protocol"
)

// IP protocol numbers.
const (
	protoHopByHop = 0
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoOptions  = 60
)

// destination is where an IP packet is going to.
func destination(p []byte) (netip.Addr, bool) {
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		return netip.AddrFrom4([4]byte(p[16:20])), true
	case len(p) >= 40 && p[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(p[24:40])), true
	default:
		return netip.Addr{}, false
	}
}

// segment is where the parts of a TCP or UDP packet are.
type segment struct {
	checksum int // offset of the checksum
	payload  int // offset of the payload; the packet's length if there is none
	udp      bool
}

// findSegment takes a packet apart. Anything but a whole TCP segment or UDP
// datagram is refused: a later fragment has no header.
func findSegment(p []byte) (segment, bool) {
	start, proto, ok := transport(p)
	if !ok {
		return segment{}, false
	}
	var s segment
	switch {
	case proto == protoTCP && len(p) >= start+20:
		s = segment{checksum: start + 16, payload: start + int(p[start+12]>>4)*4}
	case proto == protoUDP && len(p) >= start+8:
		s = segment{checksum: start + 6, payload: start + 8, udp: true}
	default:
		return s, false
	}
	return s, s.payload >= start+8 && s.payload <= len(p)
}

// transport is where the transport header begins, and which it is.
func transport(p []byte) (start int, proto byte, ok bool) {
	if len(p) >= 20 && p[0]>>4 == 4 {
		fragment := binary.BigEndian.Uint16(p[6:])&0x3fff != 0 // offset, or more to come
		return int(p[0]&15) * 4, p[9], !fragment
	}
	if len(p) < 40 || p[0]>>4 != 6 {
		return 0, 0, false
	}
	start, proto = 40, p[6]
	for len(p) >= start+8 {
		switch proto {
		case protoHopByHop, protoRouting, protoOptions:
			proto, start = p[start], start+8+int(p[start+1])*8
		default:
			return start, proto, proto != protoFragment
		}
	}
	return 0, 0, false
}

// corrupt damages a packet in place, by the dice. It reports whether it did:
// packets that are neither TCP nor UDP are left alone.
func corrupt(p []byte, kind string, dice uint64) bool {
	s, ok := findSegment(p)
	if !ok {
		return false
	}
	if kind == protocol.CorruptPayload {
		return corruptPayload(p, s, dice)
	}
	if s.payload < len(p) && !(s.udp && binary.BigEndian.Uint16(p[s.checksum:]) == 0) {
		p[s.payload+int(dice>>8%uint64(len(p)-s.payload))] ^= flip(dice)
		return true
	}
	// Nothing to flip but the checksum itself; nor does it protect a UDP
	// datagram that came without. It must not become 0: that is to say none.
	sum := binary.BigEndian.Uint16(p[s.checksum:])
	damaged := sum ^ uint16(flip(dice))
	if damaged == 0 || sum == 0 {
		damaged = sum ^ 0x5a00 ^ uint16(flip(dice))
	}
	binary.BigEndian.PutUint16(p[s.checksum:], damaged)
	return true
}

// flip is which bits of a byte to flip: at least one.
func flip(dice uint64) byte { return 1 << (dice & 7) }

// corruptPayload flips bits in one to four bytes of the payload, and mends the
// checksum.
func corruptPayload(p []byte, s segment, dice uint64) bool {
	if s.payload == len(p) {
		return false
	}
	n := uint64(len(p) - s.payload)
	sum := binary.BigEndian.Uint16(p[s.checksum:])
	first := dice >> 8 % n
	for i := range min(1+dice>>3&3, n) {
		at := s.payload + int((first+i)%n)
		even := (at - s.checksum) &^ 1 // the checksum's words are aligned as itself is
		word := p[s.checksum+even:]
		old := wordAt(word)
		p[at] ^= flip(dice >> (32 + 3*i))
		sum = updateSum(sum, old, wordAt(word))
	}
	if s.udp {
		if binary.BigEndian.Uint16(p[s.checksum:]) == 0 {
			return true // it has no checksum
		}
		if sum == 0 {
			sum = 0xffff // 0 would say that it has none
		}
	}
	binary.BigEndian.PutUint16(p[s.checksum:], sum)
	return true
}

// wordAt is the 16 bits at the beginning of b, padded with 0 at a packet's end.
func wordAt(b []byte) uint16 {
	if len(b) == 1 {
		return uint16(b[0]) << 8
	}
	return binary.BigEndian.Uint16(b)
}

// updateSum is the checksum after a word of what it covers has changed (RFC 1624).
func updateSum(sum, before, after uint16) uint16 {
	s := uint32(^sum) + uint32(^before) + uint32(after)
	s = s&0xffff + s>>16
	s = s&0xffff + s>>16
	return ^uint16(s)
}
