package cycles

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// known are all edges of a graph between transactions, those of time one by one.
type known struct {
	n     int
	edges []Edge
}

// random is a graph of a few transactions, with the same edges in both forms.
func random(rng *rand.Rand) (*Graph, known) {
	n := 2 + rng.IntN(5)
	g, k := New(n), known{n: n}
	for range rng.IntN(2 * n) {
		e := Edge{From: int32(rng.IntN(n)), To: int32(rng.IntN(n)), Kind: 1 << rng.IntN(4)}
		g.Add(e)
		if e.From != e.To {
			k.edges = append(k.edges, e)
		}
	}
	spans := make([]Span, n)
	for i := range spans {
		spans[i].Call = rng.Int64N(10)
		spans[i].Return = spans[i].Call + rng.Int64N(8)
		if rng.IntN(5) == 0 {
			spans[i].Return = math.MaxInt64
		}
	}
	g.Time(spans)
	for a := range spans {
		for b := range spans {
			if spans[a].Return < spans[b].Call {
				k.edges = append(k.edges, Edge{From: int32(a), To: int32(b), Kind: Real})
			}
		}
	}
	return g, k
}

// shortest is the length of the shortest cycle that a search wants, by trying all walks
// that pass no edge's beginning twice; 0: there is none.
func (k known) shortest(s Search) int {
	best := 0
	var cycle []Edge
	var go1 func(at int32)
	go1 = func(at int32) {
		for _, e := range k.edges {
			if e.From != at || e.Kind&s.Kinds == 0 || !slices.Contains(s.Within, e.To) {
				continue
			}
			cycle = append(cycle, e)
			if e.To == cycle[0].From {
				if k.wanted(cycle, s) && (best == 0 || len(cycle) < best) {
					best = len(cycle)
				}
			} else if !slices.ContainsFunc(cycle[:len(cycle)-1], func(b Edge) bool { return b.To == e.To }) {
				go1(e.To)
			}
			cycle = cycle[:len(cycle)-1]
		}
	}
	for _, start := range s.Within {
		go1(start)
	}
	return best
}

func (k known) wanted(cycle []Edge, s Search) bool {
	once := 0
	for i, e := range cycle {
		if e.Kind&s.Once != 0 {
			once++
		}
		if e.Kind&s.Apart != 0 && cycle[(i+1)%len(cycle)].Kind&s.Apart != 0 {
			return false
		}
	}
	return s.Once == 0 || once == 1
}

// together reports whether two nodes reach each other.
func (k known) together(a, b int32, kinds Kind) bool {
	reaches := func(from, to int32) bool {
		seen := map[int32]bool{from: true}
		for again := true; again; {
			again = false
			for _, e := range k.edges {
				if e.Kind&kinds != 0 && seen[e.From] && !seen[e.To] {
					seen[e.To], again = true, true
				}
			}
		}
		return seen[to]
	}
	return a == b || reaches(a, b) && reaches(b, a)
}

// Components and shortest cycles are those of the definition, time included.
func TestAgainstTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	cyclic := 0
	for range 20_000 {
		g, k := random(rng)
		kinds := Kind(rng.IntN(32))
		sets := g.Components(kinds)
		of := map[int32]int{}
		for i, set := range sets {
			for _, node := range set {
				of[node] = i + 1
			}
		}
		for a := range int32(k.n) {
			for b := range a {
				if got, want := of[a] != 0 && of[a] == of[b], k.together(a, b, kinds); got != want {
					t.Fatalf("%d and %d in one component: %t, want %t; kinds %b of %v", a, b, got, want, kinds, k.edges)
				}
			}
		}
		for _, set := range sets {
			cyclic++
			s := Search{Kinds: kinds, Within: set}
			switch rng.IntN(3) {
			case 0:
				s.Once = kinds & RW
			case 1:
				s.Apart = kinds & RW
			}
			cycle, want := g.Shortest(s), k.shortest(s)
			// A walk that may pass a node twice finds cycles that the definition's does not.
			if len(cycle) != want && (s.Once|s.Apart == 0 || want != 0 && len(cycle) > want || want == 0 && len(cycle) > 0 && s.Apart == 0 && simple(cycle)) {
				t.Fatalf("the shortest cycle is %v, and should have %d edges; %+v of %v", cycle, want, s, k.edges)
			}
			if err := k.isCycle(cycle, s); err != nil {
				t.Fatalf("%v: %v; %+v of %v", cycle, err, s, k.edges)
			}
		}
	}
	if cyclic < 1000 {
		t.Errorf("%d components: too few to mean anything", cyclic)
	}
}

func simple(cycle []Edge) bool {
	seen := map[int32]bool{}
	for _, e := range cycle {
		seen[e.From] = true
	}
	return len(seen) == len(cycle)
}

func (k known) isCycle(cycle []Edge, s Search) error {
	for i, e := range cycle {
		if !slices.Contains(k.edges, e) {
			return fmt.Errorf("%+v is no edge", e)
		}
		if cycle[(i+1)%len(cycle)].From != e.To {
			return fmt.Errorf("%+v is not followed from where it leads", e)
		}
	}
	if len(cycle) > 0 && !k.wanted(cycle, s) {
		return fmt.Errorf("this is none of those wanted")
	}
	return nil
}
