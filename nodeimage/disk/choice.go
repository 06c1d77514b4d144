package disk

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// How says what kind of state a power cut leaves.
type How string

// The kinds of states, from the one that loses most.
const (
	SyncedOnly How = "synced"    // nothing that is pending
	Prefix     How = "prefix"    // of each file a prefix of what is pending, and of the names a prefix too
	Reordered  How = "reordered" // likewise, but in one file a write is lost and a later one is not
	Torn512    How = "torn-512"  // likewise, but of the last write to one file only some sectors of 512 bytes are there
	Torn4096   How = "torn-4096" // likewise, of 4096 bytes
	NamesLost  How = "names"     // all data is there, and no name that is pending
	Everything How = "all"       // nothing is lost
)

// Hows are all of them.
func Hows() []How {
	return []How{SyncedOnly, Prefix, Reordered, Torn512, Torn4096, NamesLost, Everything}
}

// Text says it, as what is left of what was not synced.
func (h How) Text() string {
	switch h {
	case SyncedOnly:
		return "only what was synced"
	case Prefix:
		return "what was synced, and the oldest of the rest"
	case Reordered:
		return "likewise, without a write that came before one that is there"
	case Torn512:
		return "likewise, with a part of a write, in sectors of 512 bytes"
	case Torn4096:
		return "likewise, in sectors of 4096 bytes"
	case NamesLost:
		return "all data, and no name that was not synced"
	case Everything:
		return "everything"
	}
	return string(h)
}

// Choice says what survives of what is pending in a model. It is of the model as it was
// when it was made, and means nothing once something more was done.
type Choice struct {
	How   How
	Names int            // so many of the pending changes of names, from the oldest
	Files map[Ino][]Part // by file, in order; of a file that is not in it, nothing pending survives
}

// Choose makes a choice. The same model and the same numbers make the same choice. Where
// nothing pending can be reordered or torn, ok is false, and the choice is a prefix.
func (m *Model) Choose(how How, rng *rand.Rand) (c Choice, ok bool) {
	c = Choice{How: how, Files: map[Ino][]Part{}}
	switch how {
	case SyncedOnly:
		return c, true
	case NamesLost, Everything:
		for _, ino := range m.Dirty() {
			f := &m.nodes[ino].file
			c.Files[ino] = f.prefix(len(f.pending))
		}
		if how == Everything {
			c.Names = len(m.names)
		}
		return c, true
	}
	dirty := m.Dirty()
	for _, ino := range dirty {
		f := &m.nodes[ino].file
		c.Files[ino] = f.prefix(rng.IntN(len(f.pending) + 1))
	}
	c.Names = rng.IntN(len(m.names) + 1)
	ok = m.spoil(&c, how, dirty, rng)
	return c, ok
}

// spoil makes of a prefix what else a choice is to be, in one file.
func (m *Model) spoil(c *Choice, how How, dirty []Ino, rng *rand.Rand) bool {
	var spoilt func(f *file) []Part
	switch how {
	default:
		return true
	case Reordered:
		spoilt = func(f *file) []Part { return f.reordered(rng) }
	case Torn512:
		spoilt = func(f *file) []Part { return f.torn(SmallSector, rng) }
	case Torn4096:
		spoilt = func(f *file) []Part { return f.torn(LargeSector, rng) }
	}
	for _, i := range rng.Perm(len(dirty)) {
		if parts := spoilt(&m.nodes[dirty[i]].file); parts != nil {
			c.Files[dirty[i]] = parts
			c.keepName(m, dirty[i])
			return true
		}
	}
	return false
}

// keepName lets as many names survive as it takes for a file to have one, so
// that what was done to it can be seen.
func (c *Choice) keepName(m *Model, ino Ino) {
	for c.Names < len(m.names) && !m.reachable(*c, ino) {
		c.Names++
	}
}

// prefix are the first n pending changes.
func (f *file) prefix(n int) []Part {
	parts := make([]Part, n)
	for i := range parts {
		parts[i] = f.whole(i)
	}
	return parts
}

// reordered keeps a prefix without one write before its last change, which is a write too.
func (f *file) reordered(rng *rand.Rand) []Part {
	var writes []int
	for i := range f.pending {
		if f.pending[i].isWrite() {
			writes = append(writes, i)
		}
	}
	if len(writes) < 2 {
		return nil
	}
	last := 1 + rng.IntN(len(writes)-1)
	lost := writes[rng.IntN(last)]
	return slices.DeleteFunc(f.prefix(writes[last]+1), func(p Part) bool { return p.Change == lost })
}

// Sectors that a disk writes wholly or not at all, bytes.
const (
	SmallSector = 512
	LargeSector = 4096
)

// Crosses reports whether a Write has a boundary of sectors within it, at which a disk may tear it.
func Crosses(op *Op, sector int64) bool {
	return sector-op.Offset%sector < int64(len(op.Data))
}

// torn keeps a prefix that ends with a write, and of that the sectors before or
// after a boundary.
func (f *file) torn(sector int64, rng *rand.Rand) []Part {
	type tear struct {
		change int
		at     int64 // first boundary within the write, from its beginning
	}
	var tears []tear
	for i := range f.pending {
		ch := &f.pending[i]
		if first := sector - ch.at%sector; ch.isWrite() && first < int64(len(ch.data)) {
			tears = append(tears, tear{i, first})
		}
	}
	if len(tears) == 0 {
		return nil
	}
	t := tears[rng.IntN(len(tears))]
	parts := f.prefix(t.change + 1)
	last := &parts[t.change]
	boundaries := (last.Hi-t.at-1)/sector + 1
	at := t.at + sector*rng.Int64N(boundaries)
	if rng.IntN(4) == 0 { // a disk may as well write the later sectors first
		last.Lo = at
	} else {
		last.Hi = at
	}
	return parts
}

// checkChoice refuses a choice that is not of this model.
func (m *Model) checkChoice(c Choice) error {
	if c.Names < 0 || c.Names > len(m.names) {
		return fmt.Errorf("disk model: %d names of %d", c.Names, len(m.names))
	}
	for ino, parts := range c.Files {
		n, err := m.file(ino)
		if err != nil {
			return fmt.Errorf("disk model: %w", err)
		}
		next := 0
		for _, p := range parts {
			if p.Change < next || p.Change >= len(n.file.pending) {
				return fmt.Errorf("disk model: file %d: change %d of %d", ino, p.Change, len(n.file.pending))
			}
			if p.Lo < 0 || p.Lo > p.Hi || p.Hi > int64(len(n.file.pending[p.Change].data)) {
				return fmt.Errorf("disk model: file %d: bytes %d to %d of change %d", ino, p.Lo, p.Hi, p.Change)
			}
			next = p.Change + 1
		}
	}
	return nil
}
