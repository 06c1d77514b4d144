package cycles

// Reaches reports whether a way along edges of those kinds leads from any of some transactions to one of others, or
// one of them is among those. by, where time counts, is when the last of those must have
// been carried out: what was called later leads to none of them.
func (g *Graph) Reaches(from, to []int32, kinds Kind, by int64) bool {
	g.sort()
	kinds = with(kinds)
	seen, ends := make(map[int32]bool, 64), make(map[int32]bool, len(to))
	for _, node := range to {
		ends[node] = true
	}
	var queue []int32
	visit := func(node int32) bool {
		if ends[node] {
			return true
		}
		if seen[node] || g.after(node, by) {
			return false
		}
		seen[node] = true
		queue = append(queue, node)
		return false
	}
	for _, node := range from {
		if visit(node) {
			return true
		}
	}
	for len(queue) > 0 {
		at := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, e := range g.out(at) {
			if e.Kind&kinds != 0 && visit(e.To) {
				return true
			}
		}
	}
	return false
}

// after reports whether a node stands after a time.
func (g *Graph) after(node int32, by int64) bool {
	switch {
	case g.spans == nil:
		return false
	case node >= g.nodes:
		return g.ends[node-g.nodes] >= by
	}
	return g.spans[node].Call > by
}
