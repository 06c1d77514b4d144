// Package cycles finds cycles in graphs of transactions, the shortest ones first. An
// edge from one transaction to another says that the first must come before the second,
// and why; where edges go in a circle, there is no order.
//
// That transactions came one after the other in time would be an edge for nearly every
// pair of them. So time has nodes of its own, in a row, between which a transaction
// stands: see Graph.Time.
package cycles

import "slices"

// Kind says why a transaction comes before another. Kinds can be joined to a set.
type Kind uint16

// The kinds of edges, by Adya's names.
const (
	WW      Kind = 1 << iota // the second replaced what the first wrote
	WR                       // the second read what the first wrote
	RW                       // the second replaced what the first read
	Process                  // one process ran the first before the second
	Real                     // the first had been answered before the second was called
	// InferredWW and InferredRW are WW and RW where the order of the two writes was not seen
	// by the second of them, but follows from others, and from time.
	InferredWW
	InferredRW
	// Next is WW where that holds only if a transaction that replaces what it has read replaces
	// nothing else: from snapshot isolation on.
	Next
	inTime // from one moment to the next
)

// Edge goes from one node to another.
type Edge struct {
	From, To int32
	Kind     Kind
	// On is what it is about, in the caller's numbers.
	On int32
}

// Graph is a graph whose nodes are numbers from 0 on: first the transactions, then
// moments.
type Graph struct {
	nodes int32 // transactions
	all   int32 // with moments
	given []Edge
	edges []Edge  // those given, by the node from which they lead
	first []int32 // of each node, where its edges begin; nil: not sorted yet
	spans []Span
	ends  []int64 // of each moment, the last return before it
}

// New is a graph of that many transactions.
func New(transactions int) *Graph {
	return &Graph{nodes: int32(transactions), all: int32(transactions)}
}

// Add adds an edge. One from a transaction to itself is left out: it says nothing.
func (g *Graph) Add(e Edge) {
	if e.From != e.To {
		g.given = append(g.given, e)
		g.first = nil
	}
}

// Len is how many edges there are.
func (g *Graph) Len() int { return len(g.given) }

// Cut takes away all edges but the first so many.
func (g *Graph) Cut(n int) { g.given, g.first = g.given[:n], nil }

// Span is when a transaction was called and answered, on one clock.
type Span struct{ Call, Return int64 }

// Time adds that those transactions come first that were answered before others were
// called. The Return of one that was never answered is math.MaxInt64.
func (g *Graph) Time(spans []Span) {
	g.first, g.spans = nil, spans
	calls, returns := make([]int32, len(spans)), make([]int32, len(spans))
	for i := range spans {
		calls[i], returns[i] = int32(i), int32(i)
	}
	slices.SortFunc(calls, func(a, b int32) int { return compare(spans[a].Call, spans[b].Call) })
	slices.SortFunc(returns, func(a, b int32) int { return compare(spans[a].Return, spans[b].Return) })
	// A moment is needed between returns and the calls after them, and only there.
	open := []int32(nil) // those that were answered since the last moment
	next := 0
	for _, c := range calls {
		for ; next < len(returns) && spans[returns[next]].Return < spans[c].Call; next++ {
			open = append(open, returns[next])
		}
		if len(open) > 0 {
			moment := g.all
			if g.all++; moment > g.nodes {
				g.given = append(g.given, Edge{From: moment - 1, To: moment, Kind: inTime})
			}
			for _, o := range open {
				g.given = append(g.given, Edge{From: o, To: moment, Kind: Real})
			}
			g.ends = append(g.ends, spans[open[len(open)-1]].Return)
			open = open[:0]
		}
		if g.all > g.nodes {
			g.given = append(g.given, Edge{From: g.all - 1, To: c, Kind: inTime})
		}
	}
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// sort puts the edges of each node together.
func (g *Graph) sort() {
	if g.first != nil {
		return
	}
	first := make([]int32, g.all+1)
	for i := range g.given {
		first[g.given[i].From+1]++
	}
	for i := range g.all {
		first[i+1] += first[i]
	}
	at := slices.Clone(first[:g.all])
	if cap(g.edges) < len(g.given) {
		g.edges = make([]Edge, len(g.given))
	}
	g.edges = g.edges[:len(g.given)]
	for i := range g.given {
		from := g.given[i].From
		g.edges[at[from]] = g.given[i]
		at[from]++
	}
	g.first = first
}

// out are the edges from a node.
func (g *Graph) out(node int32) []Edge { return g.edges[g.first[node]:g.first[node+1]] }

// with are the kinds that a search goes along: where time counts, moments do.
func with(kinds Kind) Kind {
	if kinds&Real != 0 {
		kinds |= inTime
	}
	return kinds
}
