package linearizable

import (
	"cmp"
	"math"
	"slices"
)

// zone is a block of steps that must stand together in any order, since each
// but the first needs the one before it: the writer of a value, its readers,
// the CAS that took it away, that CAS's readers, and so on.
//
// first is the earliest return in it, last the latest call. Other blocks can
// not come between the two when first < last (a forward zone); else all of its
// steps were under way together between last and first (a backward zone).
type zone struct {
	first, last int64
}

// zones decides in O(n log n) whether steps are linearizable, when every value
// was written once (Gibbons & Korach, "Testing shared memories", 1997; the
// names are those of Golab, Li and Shah, 2011). It says undecided when some
// value was written twice, a key was deleted, or a CAS of unknown outcome may
// or may not have taken effect; then only a search can tell. The steps must
// have been through reduce. It also says undecided when g was stopped.
func zones(steps []step, values int, g *guard) answer {
	if steps == nil || g.stopped() {
		return undecided
	}
	if !g.room(values * bytesPerStep) {
		return undecided
	}
	b, ans := newBlocks(steps, values, g)
	if ans != undecided {
		return ans
	}
	if b == nil || g.stopped() {
		return undecided
	}
	var forward, backward []zone
	chained := 0
	for v := range values {
		if v%guardEvery == 0 && g.stopped() {
			return undecided
		}
		root := v == absent || (b.writer[v] >= 0 && steps[b.writer[v]].kind == store)
		if !root {
			continue
		}
		z, n, ok := b.zone(int32(v))
		if !ok {
			return illegal
		}
		chained += n
		if z.first < z.last {
			forward = append(forward, z)
		} else {
			backward = append(backward, z)
		}
	}
	if chained != len(steps) {
		return illegal // CASes that feed each other in a ring
	}
	slices.SortFunc(forward, func(x, y zone) int { return cmp.Compare(x.first, y.first) })
	for i := 1; i < len(forward); i++ {
		if forward[i].first < forward[i-1].last {
			return illegal
		}
	}
	for _, z := range backward {
		// The last forward zone that begins before z: the only one that
		// could hold z inside, now that they do not overlap.
		i, _ := slices.BinarySearchFunc(forward, z.last, func(f zone, at int64) int { return cmp.Compare(f.first, at) })
		if i > 0 && z.first < forward[i-1].last {
			return illegal
		}
	}
	return legal
}

// blocks is the steps by value.
type blocks struct {
	steps   []step
	writer  []int   // step that wrote the value; nobody for the initial one
	taker   []int   // CAS that took it away, or nobody
	readers [][]int // steps that observed it
}

// newBlocks sorts the steps by value. It returns an answer when that alone
// decides, and neither blocks nor an answer when the method does not apply.
func newBlocks(steps []step, values int, g *guard) (*blocks, answer) {
	b := &blocks{steps: steps, writer: make([]int, values), taker: make([]int, values), readers: make([][]int, values)}
	for v := range values {
		b.writer[v], b.taker[v] = nobody, nobody
	}
	pending := false
	for i := range steps {
		if i%guardEvery == 0 && g.stopped() {
			return nil, undecided
		}
		s := &steps[i]
		if s.kind == broken {
			return nil, illegal
		}
		if s.mutates() {
			if s.arg == absent || b.writer[s.arg] != nobody || (s.kind != store && s.arg == s.expect) {
				return nil, undecided
			}
			b.writer[s.arg] = i
		}
		pending = pending || s.kind == maybe
	}
	// No observer may have returned before its value's writer was called.
	tooEarly := func(v int32, ret int64) bool {
		return v != absent && (b.writer[v] == nobody || ret < steps[b.writer[v]].call)
	}
	for i := range steps {
		if i%guardEvery == 0 && g.stopped() {
			return nil, undecided
		}
		switch s := &steps[i]; s.kind {
		case observe:
			if tooEarly(s.seen, s.ret) {
				return nil, illegal
			}
			b.readers[s.seen] = append(b.readers[s.seen], i)
		case swap:
			if tooEarly(s.expect, s.ret) || b.taker[s.expect] != nobody {
				return nil, illegal
			}
			b.taker[s.expect] = i
		}
	}
	if pending {
		return nil, undecided
	}
	return b, undecided
}

// zone follows the chain of CASes that begins with value v. It returns how
// many steps the block has, and ok=false when they contradict each other.
func (b *blocks) zone(v int32) (z zone, n int, ok bool) {
	z = zone{first: math.MaxInt64, last: math.MinInt64}
	if v == absent {
		// The initial value was written before everything.
		z.first = math.MinInt64
	}
	before := int64(math.MinInt64) // latest call over earlier phases
	phase := func(steps ...int) bool {
		latest := before
		for _, i := range steps {
			s := &b.steps[i]
			if s.ret < before {
				return false
			}
			latest = max(latest, s.call)
			z.first, z.last = min(z.first, s.ret), max(z.last, s.call)
		}
		before = latest
		n += len(steps)
		return true
	}
	if b.writer[v] != nobody && !phase(b.writer[v]) {
		return z, n, false
	}
	for {
		if !phase(b.readers[v]...) {
			return z, n, false
		}
		i := b.taker[v]
		if i == nobody {
			return z, n, true
		}
		if !phase(i) {
			return z, n, false
		}
		v = b.steps[i].arg
	}
}
