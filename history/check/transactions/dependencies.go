package transactions

import (
	"fmt"
	"math"
	"slices"

	"squall/history/check"
	"squall/history/cycles"
)

// dependencies is which transactions must come before which, as a graph, with all that
// follows for the order of chains.
type dependencies struct {
	*past
	budget  *check.Budget
	graph   *cycles.Graph
	reasons []reason          // of inferred edges, which have their number
	first   map[int32][]int32 // by head, heads of chains that must be begun before it
}

// reason is why one chain comes before another: of a transaction on each, the first must come
// before the second.
type reason struct {
	before, after int32 // versions: the last of the first chain, and the first of the second
	early, late   int32 // transactions
	inTime        bool  // the first had been answered before the second was called
}

func newDependencies(p *past, b *check.Budget) *dependencies {
	d := &dependencies{past: p, budget: b, graph: cycles.New(len(p.txns)), first: map[int32][]int32{}}
	for v := range p.versions {
		d.version(int32(v))
	}
	d.processes()
	d.time()
	for i := range p.objects {
		d.object(int32(i))
	}
	return d
}

// version adds the edges of one version.
func (d *dependencies) version(v int32) {
	w := d.writer(v)
	if w == none {
		return
	}
	for a := d.versions[v].readers; a != none; a = d.accesses[a].next {
		d.graph.Add(cycles.Edge{From: w, To: d.accesses[a].txn, Kind: cycles.WR, On: v})
	}
	if before := d.versions[v].before; before != none {
		d.succession(before, v, cycles.WW, cycles.RW, v)
	}
}

// succession adds that whoever wrote or read a version comes before who wrote another.
func (d *dependencies) succession(before, after int32, write, read cycles.Kind, on int32) {
	w := d.writer(after)
	if b := d.writer(before); b != none {
		d.graph.Add(cycles.Edge{From: b, To: w, Kind: write, On: on})
	}
	for a := d.versions[before].readers; a != none; a = d.accesses[a].next {
		d.graph.Add(cycles.Edge{From: d.accesses[a].txn, To: w, Kind: read, On: on})
	}
}

// processes adds the order in which each process ran its transactions.
func (d *dependencies) processes() {
	last := map[int64]int32{}
	order := make([]int32, len(d.txns))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return int(sign(d.txns[a].op.Call - d.txns[b].op.Call)) })
	for _, t := range order {
		process := d.txns[t].op.Process
		if before, is := last[process]; is && d.txns[before].ret < d.txns[t].op.Call {
			d.graph.Add(cycles.Edge{From: before, To: t, Kind: cycles.Process})
		}
		last[process] = t
	}
}

func sign(n int64) int64 {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func (d *dependencies) time() {
	spans := make([]cycles.Span, len(d.txns))
	for i := range spans {
		spans[i] = cycles.Span{Call: d.txns[i].op.Call, Return: d.txns[i].ret}
	}
	d.graph.Time(spans)
}

// object adds the order of an object's chains as far as it is known without looking at
// others: what it had at first comes first, and what was seen before something was called
// comes before that.
func (d *dependencies) object(o int32) {
	chains := d.chains(o)
	if len(chains) == 0 {
		return
	}
	end, next := d.tail(d.objects[o].first), cycles.Next
	if d.words.ordered {
		next = cycles.WW
	}
	for i := range chains {
		d.succession(end, chains[i].head, next, cycles.RW, chains[i].head)
	}
	for i := range chains {
		for j := range chains {
			a, b := &chains[i], &chains[j]
			if i != j && a.first < b.last {
				d.force(a.head, b.head, reason{early: a.firstBy, late: b.lastBy, inTime: true})
			}
		}
	}
}

// force adds that one chain comes before another.
func (d *dependencies) force(a, b int32, why reason) {
	why.before, why.after = d.tail(a), b
	d.reasons = append(d.reasons, why)
	d.succession(why.before, b, cycles.InferredWW, cycles.InferredRW, int32(len(d.reasons)-1))
	d.first[b] = append(d.first[b], a)
}

// open is a pair of chains of which neither is known to come first.
type open struct{ a, b int32 } // heads

// undecided are all such pairs.
func (d *dependencies) undecided() (pairs []open) {
	for o := range d.objects {
		heads := d.objects[o].heads
		for i, a := range heads {
			for _, b := range heads[:i] {
				if !slices.Contains(d.first[a], b) && !slices.Contains(d.first[b], a) {
					pairs = append(pairs, open{a, b})
				}
			}
		}
	}
	return pairs
}

// ends are those that must be over before another chain begins.
func (d *dependencies) ends(head int32) []int32 {
	end := d.tail(head)
	return d.readersOf(end, []int32{d.writer(end)})
}

func (d *dependencies) readersOf(v int32, all []int32) []int32 {
	for a := d.versions[v].readers; a != none; a = d.accesses[a].next {
		all = append(all, d.accesses[a].txn)
	}
	return all
}

// by is when all of some transactions must have been carried out.
func (d *dependencies) by(txns []int32) int64 {
	last := int64(math.MinInt64)
	for _, t := range txns {
		last = max(last, d.known(t))
	}
	return last
}

// comesFirst reports whether something of one chain must come before the end of another, so
// that the other cannot come first.
func (d *dependencies) comesFirst(a, b int32) bool {
	ends := d.ends(b)
	return d.graph.Reaches([]int32{d.writer(a)}, ends, everything, d.by(ends))
}

// saturate adds all orders of chains that follow, until none does. It reports whether
// there is still no cycle. stop is the limit that was reached.
func (d *dependencies) saturate() (acyclic bool, stop string) {
	for {
		if len(d.graph.Components(everything)) > 0 {
			return false, ""
		}
		var found []open // of which a comes first
		for _, p := range d.undecided() {
			if stop = d.budget.Spent(); stop != "" {
				return true, stop
			}
			if d.comesFirst(p.a, p.b) {
				found = append(found, p)
			}
			if d.comesFirst(p.b, p.a) {
				found = append(found, open{p.b, p.a})
			}
		}
		if len(found) == 0 {
			return true, ""
		}
		for _, f := range found {
			d.force(f.a, f.b, reason{early: d.writer(f.a), late: d.writer(d.tail(f.b))})
		}
	}
}

// everything are all kinds of edges. That a process ran one before another is in the time.
const everything = dataKinds | cycles.InferredWW | cycles.InferredRW | cycles.Real

// decision is what came of a search for an order.
type decision struct {
	found bool   // there is one
	none  bool   // there is none
	stop  string // the limit that was reached
}

// tries bounds how often an order of two chains is assumed.
const tries = 2000

// decide finds out whether there is an order. It tries both orders of two chains where
// neither follows.
func (d *dependencies) decide(left *int) decision {
	acyclic, stop := d.saturate()
	switch {
	case !acyclic:
		return decision{none: true}
	case stop != "":
		return decision{stop: stop}
	}
	s := careful(d.past, d.budget, d.first)
	found, stop := s.run()
	if found || stop != "" {
		return decision{found: found, stop: stop}
	}
	pairs := d.stuck(s)
	if len(pairs) == 0 {
		return decision{stop: "no order was found, and none was ruled out"}
	}
	if *left--; *left < 0 {
		return decision{stop: fmt.Sprintf("no order was found in %d tries, and none was ruled out", tries)}
	}
	p := pairs[0]
	for _, way := range []open{p, {p.b, p.a}} {
		edges, reasons, first := d.graph.Len(), len(d.reasons), cloned(d.first)
		d.force(way.a, way.b, reason{early: d.writer(way.a), late: d.writer(way.b)})
		if r := d.decide(left); !r.none {
			return r
		}
		d.graph.Cut(edges)
		d.reasons, d.first = d.reasons[:reasons], first
	}
	return decision{none: true}
}

func cloned(m map[int32][]int32) map[int32][]int32 {
	c := make(map[int32][]int32, len(m))
	for k, v := range m {
		c[k] = slices.Clip(v)
	}
	return c
}

// stuck are the undecided pairs of chains of which one, at least, was not begun where a
// search for an order got stuck: first those whose objects were called first.
func (d *dependencies) stuck(s *serialize) (pairs []open) {
	for _, p := range d.undecided() {
		if !s.placed[d.writer(p.a)] || !s.placed[d.writer(p.b)] {
			pairs = append(pairs, p)
		}
	}
	slices.SortStableFunc(pairs, func(x, y open) int { return int(sign(d.called(x) - d.called(y))) })
	return pairs
}

func (d *dependencies) called(p open) int64 {
	return min(d.txns[d.writer(p.a)].op.Call, d.txns[d.writer(p.b)].op.Call)
}
