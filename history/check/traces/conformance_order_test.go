package traces

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"squall/history/conformance"
	"squall/history/trace"
)

// TestConformanceWithoutACommonOrder: what a trace breaks, and what it keeps, is the same
// in whatever order the events of different nodes come, as long as each node's own are in
// order.
func TestConformanceWithoutACommonOrder(t *testing.T) {
	for _, r := range conformance.Rules() {
		for _, name := range []string{r.Name + ".bad.txt", r.Name + ".good.txt"} {
			events := script(t, name)
			want := brokenRules(conform(events))
			for seed := range uint64(100) {
				merged := mergedAnew(events, rand.New(rand.NewPCG(seed, 0)))
				if got := brokenRules(conform(merged)); !slices.Equal(got, want) {
					t.Errorf("%s breaks %q, and with the events of its nodes merged anew (seed %d) %q", filepath.Base(name), want, seed, got)
					break
				}
			}
		}
	}
}

// mergedAnew is the same events with those of each node in the order that they have, and
// those of different nodes in any.
func mergedAnew(events []trace.Event, random *rand.Rand) []trace.Event {
	queues := map[trace.NodeID][]trace.Event{}
	var turns []trace.NodeID
	for _, e := range events {
		queues[e.Node] = append(queues[e.Node], e)
		turns = append(turns, e.Node)
	}
	random.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	merged := make([]trace.Event, 0, len(events))
	for _, node := range turns {
		merged = append(merged, queues[node][0])
		queues[node] = queues[node][1:]
	}
	return merged
}
