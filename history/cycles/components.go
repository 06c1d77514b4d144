package cycles

// Components are the sets of transactions that lie in cycles of edges of those kinds with
// one another, by Tarjan's algorithm. Empty: there is no cycle.
func (g *Graph) Components(kinds Kind) [][]int32 {
	g.sort()
	t := &tarjan{graph: g, kinds: with(kinds), index: make([]int32, g.all), low: make([]int32, g.all)}
	for node := range g.all {
		if t.index[node] == 0 {
			t.from(node)
		}
	}
	return t.found
}

// tarjan is a run of the algorithm, without recursion: paths are as long as histories.
type tarjan struct {
	graph *Graph
	kinds Kind
	last  int32
	index []int32 // in the order in which nodes were met, from 1; 0: not yet
	low   []int32 // the lowest index that is reached from a node; done: its set is known
	stack []int32
	path  []step
	found [][]int32
}

// step is a node of the path that is being looked at, and how many of its edges were.
type step struct{ node, edge int32 }

// done is the low of nodes whose component is known.
const done = 1<<31 - 1

func (t *tarjan) enter(node int32) {
	t.last++
	t.index[node], t.low[node] = t.last, t.last
	t.stack = append(t.stack, node)
	t.path = append(t.path, step{node: node})
}

func (t *tarjan) from(root int32) {
	for t.enter(root); len(t.path) > 0; {
		at := &t.path[len(t.path)-1]
		edges := t.graph.out(at.node)
		if int(at.edge) == len(edges) {
			t.leave(at.node)
			continue
		}
		e := &edges[at.edge]
		at.edge++
		switch {
		case e.Kind&t.kinds == 0:
		case t.index[e.To] == 0:
			t.enter(e.To)
		case t.low[e.To] != done:
			t.low[at.node] = min(t.low[at.node], t.index[e.To])
		}
	}
}

// leave goes back from a node whose edges were all looked at.
func (t *tarjan) leave(node int32) {
	t.path = t.path[:len(t.path)-1]
	low := t.low[node]
	if n := len(t.path); n > 0 {
		before := t.path[n-1].node
		t.low[before] = min(t.low[before], low)
	}
	if low != t.index[node] {
		return
	}
	var set []int32
	size := 0
	for {
		top := t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		t.low[top] = done
		size++
		if top < t.graph.nodes && (top != node || size > 1) {
			set = append(set, top)
		}
		if top == node {
			break
		}
	}
	if len(set) > 1 {
		t.found = append(t.found, set)
	}
}
