package linearizable

import (
	"math"
	"slices"

	"squall/history"
)

// liveKey is what is remembered of a key whose history grows.
type liveKey struct {
	values map[history.Data]*cluster // that may still be found
	flying map[call]bool             // operations under way
	blocks []*block                  // of values that are certain
	gone   zone                      // of blocks that are over: latest first, and latest last
	looked int64                     // when it was last seen what is over
	off    bool                      // it is judged by the whole check alone
}

// mostBlocks is how many blocks of a key are followed. There are as many as were written
// while one operation was under way.
const mostBlocks = 1 << 12

// cluster is a value: who writes it, and who has found it.
type cluster struct {
	value   history.Data
	op      call         // that writes it
	call    int64        // when that was called
	from    history.Data // what it must find, where it is a compare-and-set; "": anything
	certain bool         // it took effect
	first   int64        // earliest return of who found the value, or a value made of it
	last    int64        // latest call of who found the value
	after   int64        // earliest return of who replaced the value, or found what came of that
	prev    *cluster     // whose value it replaced, where that is known
	taken   bool         // its value was replaced by a compare-and-set
	block   *block
}

// call names an operation.
type call struct{ process, at int64 }

// block is clusters of which each replaced the one before: see zone.
type block struct {
	zone
	members []*cluster
}

// giveUp leaves the key to the whole check.
func (k *liveKey) giveUp() { *k = liveKey{off: true} }

// found takes that an operation was answered with a value.
func (k *liveKey) found(v history.Data, op *history.Op) bool {
	c := k.values[v]
	if c == nil { // nobody has written it, or it is over
		return false
	}
	c.last = max(c.last, op.Call)
	if c.last > c.after || !k.effect(c, op.Return, true) {
		return false
	}
	c.block.last = max(c.block.last, op.Call)
	return k.fits(c.block)
}

// effect takes that a cluster's writer took effect before ret, at which it returned itself
// or somebody had seen its value. false: that cannot be.
func (k *liveKey) effect(c *cluster, ret int64, seen bool) bool {
	if seen {
		if ret < c.call {
			return false
		}
		c.first = min(c.first, ret)
	}
	if c.certain && c.block == nil {
		return false // it replaced what was made of it: compare-and-sets in a ring
	}
	c.certain = true
	if c.from != "" && c.prev == nil && !k.replaces(c, ret) {
		return false
	}
	if c.block == nil {
		c.block = &block{zone: zone{ret, c.call}, members: []*cluster{c}}
		k.blocks = append(k.blocks, c.block)
	}
	b := c.block
	b.first, b.last = min(b.first, ret), max(b.last, c.call)
	p := c.prev
	if p == nil {
		return true
	}
	if p.after = min(p.after, ret, c.first); p.last > p.after {
		return false
	}
	return p.first <= p.after || k.effect(p, p.after, true)
}

// replaces joins a cluster to the one whose value it replaced.
func (k *liveKey) replaces(c *cluster, ret int64) bool {
	p := k.values[c.from]
	if p == nil || p.taken {
		return false
	}
	p.taken, c.prev = true, p
	if !k.effect(p, min(ret, c.first), true) {
		return false
	}
	b, into := c.block, p.block
	switch {
	case b == nil:
		c.block, into.members = into, append(into.members, c)
	case b == into:
		return false
	default: // it was seen before it told what it replaced
		for _, m := range b.members {
			m.block = into
		}
		into.members = append(into.members, b.members...)
		into.first, into.last = min(into.first, b.first), max(into.last, b.last)
		k.blocks = slices.DeleteFunc(k.blocks, func(x *block) bool { return x == b })
	}
	return true
}

// fits says whether a block can stand beside all others: of no two does each have an
// operation that had returned before one of the other was called.
func (k *liveKey) fits(b *block) bool {
	against := func(z *zone) bool { return z.first < b.last && b.first < z.last }
	if against(&k.gone) {
		return false
	}
	for _, other := range k.blocks {
		if other != b && against(&other.zone) {
			return false
		}
	}
	return true
}

// forget drops what is over. now is a time that no later operation is called before, and
// neither is any that ends later called before the first of those under way.
//
// A block is over when whoever still finds one of its values contradicts another block: one
// that had an operation called after an operation of this one had returned, and one that has
// returned already. A value within a block is over when what replaced it has returned. Of
// one that is over, nothing but this need be known: it is found no more. Should it be
// written again, that is a new value, which nobody can take for the old one.
func (k *liveKey) forget(now int64) {
	for op := range k.flying {
		now = min(now, op.at)
	}
	latest, second := k.gone, zone{math.MinInt64, math.MinInt64}
	var of *block // whose zone latest is
	for _, b := range k.blocks {
		switch {
		case b.first >= now:
		case b.last > latest.last:
			latest, second, of = b.zone, latest, b
		case b.last > second.last:
			second = b.zone
		}
	}
	k.blocks = slices.DeleteFunc(k.blocks, func(b *block) bool {
		other := latest
		if b == of {
			other = second
		}
		over := other.last > b.first
		if over {
			k.gone = zone{max(k.gone.first, b.first), max(k.gone.last, b.last)}
		}
		b.members = slices.DeleteFunc(b.members, func(c *cluster) bool {
			if !over && c.after >= now {
				return false
			}
			if k.values[c.value] == c {
				delete(k.values, c.value)
			}
			return true
		})
		for _, c := range b.members {
			if c.prev != nil && c.prev.after < now {
				c.prev, c.from = nil, "" // nothing is to be learnt of it any more
			}
		}
		return over
	})
	if len(k.blocks) > mostBlocks {
		k.giveUp()
	}
}
