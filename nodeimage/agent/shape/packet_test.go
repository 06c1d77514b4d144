package shape

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"squall/nodeimage/agent/protocol"
)

// packetOf makes a whole packet with a right checksum.
func packetOf(from, to netip.Addr, proto byte, payload []byte) []byte {
	head := make([]byte, 8)
	if proto == protoTCP {
		head = make([]byte, 32) // with options
		head[12] = 8 << 4
	} else {
		binary.BigEndian.PutUint16(head[4:], uint16(8+len(payload)))
	}
	segment := append(head, payload...)
	var p []byte
	if to.Is4() {
		p = make([]byte, 20)
		p[0], p[9] = 0x45, proto
		binary.BigEndian.PutUint16(p[2:], uint16(20+len(segment)))
		copy(p[12:], from.AsSlice())
		copy(p[16:], to.AsSlice())
	} else {
		p = make([]byte, 40)
		p[0], p[6] = 0x60, proto
		binary.BigEndian.PutUint16(p[4:], uint16(len(segment)))
		copy(p[8:], from.AsSlice())
		copy(p[24:], to.AsSlice())
	}
	at := len(p) + 6
	if proto == protoTCP {
		at = len(p) + 16
	}
	p = append(p, segment...)
	sum := sumOf(p)
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(p[at:], sum)
	return p
}

// sumOf is the checksum of a packet's segment and pseudo header: 0 when the one
// in it is right.
func sumOf(p []byte) uint16 {
	start, addrs, proto := 20, p[12:20], p[9]
	if p[0]>>4 == 6 {
		start, addrs, proto = 40, p[8:40], p[6]
	}
	data := append(bytes.Clone(addrs), 0, proto, byte((len(p)-start)>>8), byte(len(p)-start))
	data = append(data, p[start:]...)
	if len(data)%2 == 1 {
		data = append(data, 0)
	}
	sum := uint32(0)
	for i := 0; i < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func TestCorrupt(t *testing.T) {
	pairs := [][2]netip.Addr{
		{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")},
		{netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")},
	}
	m := NewModel(protocol.Shape{Seed: 77})
	for _, pair := range pairs {
		for _, proto := range []byte{protoTCP, protoUDP} {
			for size := range 40 {
				for range 50 {
					d := m.Next()
					payload := bytes.Repeat([]byte{byte(d.Dice)}, size)
					name := fmt.Sprintf("protocol %d, %d bytes to %v, dice %x", proto, size, pair[1], d.Dice)
					tryCorrupt(t, name, packetOf(pair[0], pair[1], proto, payload), size, d.Dice)
				}
			}
		}
	}
}

func tryCorrupt(t *testing.T, name string, p []byte, size int, dice uint64) {
	t.Helper()
	if sumOf(p) != 0 {
		t.Fatalf("%s: the test's own checksum is wrong", name)
	}
	bad := bytes.Clone(p)
	if !corrupt(bad, protocol.CorruptChecksum, dice) || sumOf(bad) == 0 {
		t.Fatalf("%s: nobody will notice", name)
	}
	odd := bytes.Clone(p)
	done := corrupt(odd, protocol.CorruptPayload, dice)
	head := len(p) - size
	switch {
	case done != (size > 0):
		t.Fatalf("%s: corrupted the payload: %v", name, done)
	case done && (sumOf(odd) != 0 || bytes.Equal(p[head:], odd[head:])):
		t.Fatalf("%s: checksum %x left over, payload %x", name, sumOf(odd), odd[head:])
	case !done && !bytes.Equal(p, odd):
		t.Fatalf("%s: touched", name)
	}
}

func TestLeftAlone(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	udp := packetOf(a, b, protoUDP, []byte("payload"))
	later := bytes.Clone(udp)
	later[7] = 3 // a later fragment
	icmp := bytes.Clone(udp)
	icmp[9] = 1
	short := udp[:24]
	badHeader := packetOf(a, b, protoTCP, []byte("payload"))
	badHeader[20+12] = 0xf0 // header longer than the packet
	for name, p := range map[string][]byte{"fragment": later, "ICMP": icmp, "short": short, "bad header": badHeader, "nothing": nil} {
		was := bytes.Clone(p)
		for _, kind := range []string{protocol.CorruptChecksum, protocol.CorruptPayload} {
			if corrupt(p, kind, 0x1234) || !bytes.Equal(was, p) {
				t.Errorf("%s: touched", name)
			}
		}
	}
	// Without a checksum the payload is changed, and there is still none.
	none := bytes.Clone(udp)
	none[26], none[27] = 0, 0
	if !corrupt(none, protocol.CorruptPayload, 5) || none[26] != 0 || none[27] != 0 || bytes.Equal(none[28:], udp[28:]) {
		t.Errorf("UDP without a checksum: %x", none)
	}
	six := packetOf(netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2"), protoUDP, []byte("payload"))
	options := append(bytes.Clone(six[:40]), protoUDP, 0, 0, 0, 0, 0, 0, 0)
	options[6] = protoHopByHop
	options = append(options, six[40:]...)
	if s, ok := findSegment(options); !ok || s.payload != 56 {
		t.Errorf("behind options of IPv6: %+v, %v", s, ok)
	}
}
