package linearizable

import "math/bits"

// configs is a set of configurations without those that another one stands for.
// It is flat, so that going from one event to the next allocates nothing.
type configs struct {
	words int
	state []int32
	bits  []uint64 // words for each: which steps under way have taken effect
	used  [][]use  // steps of unknown outcome used up; never changed once made
	gone  []bool
	left  int // without those gone
	// most is how many are kept that differ in what they used up alone, 0: all; lossy
	// says that some were left out for that.
	most  int
	lossy bool
	// index finds configurations by hash, chained by link; only in large sets.
	index map[uint64]int32
	link  []int32
}

// use is how many steps of a class of unknown outcome were used up.
type use struct{ class, n int32 }

// masks tell how configurations compare.
type masks struct {
	must []uint64 // these must be equal
	more []uint64 // having more of these is as good or better
	less []uint64 // having fewer of these is
}

// indexFrom is the size from which on configurations are found by hash.
const indexFrom = 12

func (c *configs) reset() {
	c.state, c.bits, c.used, c.gone, c.link = c.state[:0], c.bits[:0], c.used[:0], c.gone[:0], c.link[:0]
	c.left = 0
	if len(c.index) > 0 {
		clear(c.index)
	}
}

func (c *configs) len() int { return c.left }

func (c *configs) at(i int) []uint64 { return c.bits[i*c.words : (i+1)*c.words] }

func (c *configs) append(state int32, bits []uint64, used []use) {
	c.state = append(c.state, state)
	c.bits = append(c.bits, bits...)
	c.used = append(c.used, used)
	c.gone = append(c.gone, false)
	c.left++
}

// add puts a configuration in, unless one of the set stands for it, and takes out
// those for which it stands.
func (c *configs) add(state int32, bits []uint64, used []use, m *masks) {
	n := len(c.state)
	var k crowd
	alike := func(i int) (settled bool) {
		if c.gone[i] || c.state[i] != state || !equalUnder(c.at(i), bits, m.must) {
			return false
		}
		if c.settle(i, bits, used, m) {
			return true
		}
		if c.most > 0 && !c.gone[i] {
			k.see(i, c.used[i])
		}
		return false
	}
	if n < indexFrom {
		for i := range n {
			if alike(i) {
				return
			}
		}
		if c.admits(&k, used) {
			c.append(state, bits, used)
		}
		return
	}
	if len(c.link) < n {
		c.build(m)
	}
	h := hash(state, bits, m.must)
	head, ok := c.index[h]
	if !ok {
		head = -1
	}
	for i := head; i >= 0; i = c.link[i] {
		if alike(int(i)) {
			return
		}
	}
	if !c.admits(&k, used) {
		return
	}
	c.append(state, bits, used)
	c.link = append(c.link, head)
	c.index[h] = int32(n)
}

// settle compares a configuration with the i-th, which is alike where it must be.
// It returns true when the i-th stands for it.
func (c *configs) settle(i int, bits []uint64, used []use, m *masks) bool {
	old := c.at(i)
	switch {
	case covers(old, bits, m) && fewer(c.used[i], used):
		return true
	case covers(bits, old, m) && fewer(used, c.used[i]):
		c.gone[i] = true
		c.left--
	}
	return false
}

// crowdOf is how many configurations that differ in what they used up alone are kept by a
// sweep or walk that keeps so many in all.
func crowdOf(limit int) int {
	switch {
	case limit == 0:
		return 0
	case limit <= 64:
		return 1
	}
	return 4
}

// crowd is those of a set that differ in what they used up alone.
type crowd struct {
	count, worst int // how many, and which has used up most
	total        int // of the worst
}

func (k *crowd) see(i int, used []use) {
	if n := total(used); k.count == 0 || n > k.total {
		k.worst, k.total = i, n
	}
	k.count++
}

// admits says whether another one is let in, of a set that keeps few of a crowd: those that
// have used up least, with which most can still be explained.
func (c *configs) admits(k *crowd, used []use) bool {
	if c.most == 0 || k.count < c.most {
		return true
	}
	c.lossy = true
	if total(used) >= k.total {
		return false
	}
	c.gone[k.worst] = true
	c.left--
	return true
}

func total(used []use) (n int) {
	for _, u := range used {
		n += int(u.n)
	}
	return n
}

// build makes the index of what is there.
func (c *configs) build(m *masks) {
	if c.index == nil {
		c.index = make(map[uint64]int32)
	}
	for i := len(c.link); i < len(c.state); i++ {
		h := hash(c.state[i], c.at(i), m.must)
		head, ok := c.index[h]
		if !ok {
			head = -1
		}
		c.link = append(c.link, head)
		c.index[h] = int32(i)
	}
}

func hash(state int32, words, mask []uint64) uint64 {
	const odd = 0x9E3779B97F4A7C15
	h := (uint64(uint32(state)) + 1) * odd
	for i, w := range words {
		h = (bits.RotateLeft64(h, 23) ^ (w & mask[i])) * odd
	}
	return h ^ h>>29
}

func equalUnder(a, b, mask []uint64) bool {
	for i := range a {
		if (a[i]^b[i])&mask[i] != 0 {
			return false
		}
	}
	return true
}

// covers says whether a is as good as b or better, by the bits alone.
func covers(a, b []uint64, m *masks) bool {
	for i := range a {
		if b[i]&^a[i]&m.more[i] != 0 || a[i]&^b[i]&m.less[i] != 0 {
			return false
		}
	}
	return true
}

// fewer says whether a used up no more than b of any class. Both are by class.
func fewer(a, b []use) bool {
	j := 0
	for _, u := range a {
		for j < len(b) && b[j].class < u.class {
			j++
		}
		if j == len(b) || b[j].class != u.class || b[j].n < u.n {
			return false
		}
	}
	return true
}

// usedOf is how many of a class were used up.
func usedOf(used []use, class int32) int32 {
	for _, u := range used {
		if u.class == class {
			return u.n
		}
	}
	return 0
}

// withUse is used with n more of a class.
func withUse(used []use, class, n int32) []use {
	out := make([]use, 0, len(used)+1)
	added := false
	for _, u := range used {
		if u.class == class {
			u.n += n
			added = true
		} else if u.class > class && !added {
			out = append(out, use{class, n})
			added = true
		}
		out = append(out, u)
	}
	if !added {
		out = append(out, use{class, n})
	}
	return out
}
