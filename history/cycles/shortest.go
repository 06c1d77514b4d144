package cycles

// Search says which cycles are wanted.
type Search struct {
	Kinds Kind // of the edges
	// Once are kinds of which exactly one edge is in the cycle; 0: it does not matter.
	Once Kind
	// Apart are kinds of which no two edges follow each other.
	Apart Kind
	// Within is a set of transactions; the cycle has no others.
	Within []int32
}

// most is how many edges a search looks at before it takes the best that it has found: in
// a history that is wrong all over, any short cycle will do.
const most = 10_000_000

// Shortest is the shortest cycle that was found, as its edges; nil: none is. An edge of
// kind Real leads from one transaction to another, whatever moments lie between.
func (g *Graph) Shortest(s Search) []Edge {
	g.sort()
	w := &walk{Graph: g, Search: s, inside: make([]bool, g.nodes), round: make([]int32, 2*g.all), came: make([]came, 2*g.all)}
	w.Kinds = with(s.Kinds)
	for _, node := range s.Within {
		w.inside[node] = true
	}
	w.limit = len(s.Within) + 1
	begin := s.Kinds
	if s.Once != 0 { // every cycle that is wanted has one of these
		begin &= s.Once
	}
	for _, start := range s.Within {
		for i := g.first[start]; i < g.first[start+1]; i++ {
			if g.edges[i].Kind&begin != 0 && w.enters(&g.edges[i]) {
				w.around(start, i)
			}
			if w.looked > most || len(w.best) == 2 {
				return w.best
			}
		}
	}
	return w.best
}

// walk goes breadth first from the end of an edge back to its beginning. A place is a
// node, doubled, and one more where the edge that led there must be kept apart from the
// next of its kinds.
type walk struct {
	*Graph
	Search
	inside []bool
	limit  int // cycles of so many edges are of no use any more
	looked int
	best   []Edge
	now    int32
	round  []int32 // in which a place was last come to
	came   []came  // how it was come to
	queue  []int32
	next   []int32
}

// came is how a walk came to a place: from which, by which edge.
type came struct{ from, edge int32 }

// around looks for the shortest way that closes a cycle whose first edge is given.
func (w *walk) around(start, first int32) {
	w.now++
	begin := w.place(&w.edges[first])
	w.round[begin], w.came[begin] = w.now, came{-1, first}
	w.queue = append(w.queue[:0], begin)
	for long := 1; len(w.queue) > 0 && long < w.limit && w.looked <= most; long++ {
		w.next = w.next[:0]
		for len(w.queue) > 0 {
			at := w.queue[len(w.queue)-1]
			w.queue = w.queue[:len(w.queue)-1]
			w.from(at, start, first, long)
		}
		w.queue, w.next = w.next, w.queue
	}
}

// place is where an edge leads.
func (w *walk) place(e *Edge) int32 {
	if e.Kind&w.Apart != 0 {
		return 2*e.To + 1
	}
	return 2 * e.To
}

// from goes along all edges of a place, to which so many led that count.
func (w *walk) from(at, start, first int32, long int) {
	node := at / 2
	for i := w.first[node]; i < w.first[node+1]; i++ {
		w.looked++
		e := &w.edges[i]
		if e.Kind&w.Once != 0 || e.Kind&w.Apart != 0 && at%2 == 1 || !w.enters(e) {
			continue
		}
		if e.Kind != inTime && long+1 >= w.limit {
			continue // no shorter than what is known
		}
		to := w.place(e)
		if e.To == start {
			if w.edges[first].Kind&w.Apart == 0 || to%2 == 0 {
				w.close(at, i)
			}
			continue
		}
		if w.round[to] == w.now {
			continue
		}
		w.round[to], w.came[to] = w.now, came{at, i}
		if e.Kind == inTime { // a part of the edge that led to the moment
			w.queue = append(w.queue, to)
		} else {
			w.next = append(w.next, to)
		}
	}
}

// enters reports whether an edge is one of those wanted, and leads where the cycle may go.
func (w *walk) enters(e *Edge) bool {
	return e.Kind&w.Kinds != 0 && (e.To >= w.nodes || w.inside[e.To])
}

// close keeps a cycle that an edge from a place closes.
func (w *walk) close(at, last int32) {
	back := []Edge{w.edges[last]}
	for ; at >= 0; at = w.came[at].from {
		back = append(back, w.edges[w.came[at].edge])
	}
	var cycle []Edge
	for i := len(back) - 1; i >= 0; i-- {
		if e := back[i]; e.Kind == inTime {
			cycle[len(cycle)-1].To = e.To
		} else {
			cycle = append(cycle, e)
		}
	}
	if len(cycle) < w.limit {
		w.best, w.limit = cycle, len(cycle)
	}
}
