package shape

import "net/netip"

// held is a packet that is to go out later.
type held struct {
	due  int64  // ns
	seq  uint64 // among those due at the same time, the order in which they came
	link *link
	to   netip.Addr
	// data is the copy to send. When the kernel holds the packet it is what the
	// packet is changed to, or nil.
	data   []byte
	id     uint32 // of the packet, if the kernel holds it
	kernel bool
}

// heap is a binary heap of held packets: the first is due first.
type heap []held

func (a *held) before(b *held) bool {
	return a.due < b.due || a.due == b.due && a.seq < b.seq
}

func (h *heap) push(p held) {
	*h = append(*h, p)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s[i].before(&s[up]) {
			return
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *heap) pop() held {
	s := *h
	first := s[0]
	last := len(s) - 1
	s[0] = s[last]
	s[last] = held{} // let go of what it refers to
	*h = s[:last]
	h.down(0)
	return first
}

func (h heap) down(i int) {
	for {
		least := i
		for kid := 2*i + 1; kid <= 2*i+2 && kid < len(h); kid++ {
			if h[kid].before(&h[least]) {
				least = kid
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// hasten makes the packets of links that are no more due at once. Their order
// stays.
func (h heap) hasten(gone func(*link) bool) {
	for i := range h {
		if h[i].due != 0 && gone(h[i].link) {
			h[i].seq = uint64(h[i].due)
			h[i].due = 0
		}
	}
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

// pool keeps buffers for copies of packets: small ones and full ones.
type pool struct{ small, full [][]byte }

const (
	smallPacket = 256
	fullPacket  = 2048
	poolSize    = 1024 // of each, beyond which they are left to the garbage collector
)

func (p *pool) copy(data []byte) []byte {
	var b []byte
	switch {
	case len(data) <= smallPacket:
		b = grab(&p.small, smallPacket)
	case len(data) <= fullPacket:
		b = grab(&p.full, fullPacket)
	default:
		b = make([]byte, len(data))
	}
	return b[:copy(b, data)]
}

func grab(from *[][]byte, size int) []byte {
	last := len(*from) - 1
	if last < 0 {
		return make([]byte, size)
	}
	b := (*from)[last]
	*from = (*from)[:last]
	return b
}

func (p *pool) put(b []byte) {
	b = b[:cap(b)]
	switch {
	case len(b) == smallPacket && len(p.small) < poolSize:
		p.small = append(p.small, b)
	case len(b) == fullPacket && len(p.full) < poolSize:
		p.full = append(p.full, b)
	}
}
