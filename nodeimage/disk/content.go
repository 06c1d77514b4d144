package disk

import "slices"

// content is the bytes of a file, as far as a model must know them.
type content struct {
	size  int64
	bytes spans
}

// change is something that was done to the content of a file.
type change struct {
	seq  uint64
	kind Kind
	at   int64 // Truncate: 0
	long int64 // Truncate: the new length
	data []byte
}

func (c *change) isWrite() bool { return c.kind == Write }

// touches are the bytes that may differ by the change, in a file of such a length.
func (c *change) touches(size int64) Range {
	switch c.kind {
	case Write:
		return Range{c.at, c.at + int64(len(c.data))}
	case Zero:
		return Range{c.at, c.at + c.long}
	case Truncate:
		return Range{min(size, c.long), max(size, c.long)}
	default: // Allocate: new bytes only
		return Range{size, max(size, c.at+c.long)}
	}
}

// Part is what a choice keeps of a pending change.
type Part struct {
	Change int   // its place among the pending changes of its file
	Lo, Hi int64 // of a write: which of its bytes; of another change: 0, 0
}

// apply does a change to the content, of a write only the bytes from lo to before hi.
func (c *content) apply(ch *change, lo, hi int64) {
	switch ch.kind {
	case Write:
		if lo < hi {
			c.bytes.put(ch.at+lo, ch.data[lo:hi])
			c.size = max(c.size, ch.at+hi)
		}
	case Zero:
		c.bytes.cut(ch.at, ch.at+ch.long)
	case Truncate:
		if ch.long < c.size {
			c.bytes.cut(ch.long, c.size)
		}
		c.size = ch.long
	case Allocate:
		c.size = max(c.size, ch.at+ch.long)
	}
}

func (c *content) applyAll(ch *change) { c.apply(ch, 0, int64(len(ch.data))) }

// file is the two states of a file's content.
type file struct {
	durable content
	size    int64 // as written, bytes
	pending []change
	// covered are the bytes whose durable state is in durable, where a model holds
	// only what is pending.
	covered ranges
	held    int64 // bytes in pending
}

// do adds a change. Its data belongs to the file from now on.
func (f *file) do(ch change, whole bool) {
	if !whole {
		f.covered.add(ch.touches(f.size))
	}
	now := content{size: f.size}
	now.applyAll(&ch)
	f.size = now.size
	f.pending = append(f.pending, ch)
	f.held += int64(len(ch.data))
}

// uncovered are the bytes whose durable state a change would make impossible
// to know: to be covered before it is done.
func (f *file) uncovered(ch *change) (missing []Range) {
	for _, r := range f.covered.without(ch.touches(f.size)) {
		if r.To = min(r.To, f.durable.size); !r.empty() {
			missing = append(missing, r)
		}
	}
	return missing
}

// cover tells the durable state of bytes.
func (f *file) cover(at int64, data []byte) {
	f.durable.bytes.put(at, data)
	f.covered.add(Range{at, at + int64(len(data))})
}

// sync makes durable what was done up to an operation.
func (f *file) sync(upto uint64, whole bool) {
	n := 0
	for n < len(f.pending) && f.pending[n].seq <= upto {
		f.durable.applyAll(&f.pending[n])
		f.held -= int64(len(f.pending[n].data))
		n++
	}
	f.pending = slices.Delete(f.pending, 0, n)
	if len(f.pending) > 0 {
		return
	}
	f.pending = nil
	if !whole {
		f.durable, f.covered = content{size: f.size}, nil
	}
}

// after is the content that is left when of the pending changes these parts survived.
func (f *file) after(parts []Part) content {
	c := content{size: f.durable.size, bytes: f.durable.bytes.clone()}
	for _, p := range parts {
		c.apply(&f.pending[p.Change], p.Lo, p.Hi)
	}
	return c
}

// whole is a part that keeps all of a pending change.
func (f *file) whole(i int) Part { return Part{Change: i, Hi: int64(len(f.pending[i].data))} }

// memory is how many bytes are held for what is pending.
func (f *file) memory() int64 { return f.held + f.durable.bytes.bytes() }
