package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var (
	errShort = errors.New("the frame ends early")
	errLarge = errors.New("a number of more than 64 bits")
)

// taker takes values off the bytes of a frame. The first failure sticks, and what is
// taken after it is zero.
type taker struct {
	b   []byte
	err error
}

func (p *taker) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.b = nil
}

// close returns the first failure, or an error if bytes are left.
func (p *taker) close() error {
	if p.err == nil && len(p.b) > 0 {
		return fmt.Errorf("%d bytes too many", len(p.b))
	}
	return p.err
}

func (p *taker) byte() byte {
	if len(p.b) == 0 {
		p.fail(errShort)
		return 0
	}
	v := p.b[0]
	p.b = p.b[1:]
	return v
}

// upTo takes a byte of at most most.
func (p *taker) upTo(most byte, otherwise string) byte {
	v := p.byte()
	if v > most {
		p.fail(fmt.Errorf("%s: %d", otherwise, v))
		return 0
	}
	return v
}

func (p *taker) uvarint() uint64 {
	if len(p.b) > 0 && p.b[0] < 0x80 { // most are
		v := p.b[0]
		p.b = p.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.fail(numberError(n))
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *taker) varint() int64 {
	v, n := binary.Varint(p.b)
	if n <= 0 {
		p.fail(numberError(n))
		return 0
	}
	p.b = p.b[n:]
	return v
}

// numberError says what a varint's length n, which is none, means.
func numberError(n int) error {
	if n < 0 {
		return errLarge
	}
	return errShort
}

func (p *taker) uint64() uint64 {
	if len(p.b) < 8 {
		p.fail(errShort)
		return 0
	}
	v := binary.LittleEndian.Uint64(p.b)
	p.b = p.b[8:]
	return v
}

// count takes the length of a list whose items take at least a number of bytes each.
func (p *taker) count(most, each int) int {
	n := p.uvarint()
	if n > uint64(most) {
		p.fail(fmt.Errorf("a list of %d, more than %d", n, most))
		return 0
	}
	if n > uint64(len(p.b)/each) {
		p.fail(errShort)
		return 0
	}
	return int(n)
}

func (p *taker) text() []byte {
	n := p.count(MaxReason, 1)
	s := p.b[:n]
	p.b = p.b[n:]
	return s
}

func (p *taker) runs(into []Run) []Run {
	next := uint64(0)
	for range p.count(MaxRuns, 3) {
		first := next + uint64(p.varint())
		r := Run{First: first, Count: p.uvarint(), Term: p.uvarint()}
		if p.err == nil && !r.valid() {
			p.fail(fmt.Errorf("a run of %d entries from %d on", r.Count, r.First))
			return into
		}
		next = r.First + r.Count
		into = append(into, r)
	}
	return into
}

func (p *taker) nodes(into []NodeID) []NodeID {
	for range p.count(MaxMembers, 1) {
		into = append(into, NodeID(p.uvarint()))
	}
	return into
}
