package traces

import (
	"math/rand/v2"
	"testing"

	"squall/history"
	"squall/history/check"
)

// wantStreamed: an invariant that is followed while the history grows is seen to be broken if
// the whole check finds it broken, in whatever order the events of different nodes come.
func wantStreamed(t *testing.T, name string, events []history.NodeEvent, want check.Verdict) {
	t.Helper()
	for _, c := range Invariants() {
		streams, does := c.(check.Streamed)
		if c.Name() != name || !does {
			continue
		}
		for range 5 {
			s := streams.Stream(nil)
			for _, e := range shuffled(events) {
				s.Event(&e)
			}
			if got := s.Broken(); (got != nil) != (want == check.Violation) {
				t.Errorf("%s, and while the history grew: %+v", want, got)
			}
		}
	}
}

// shuffled are the events in another order, in which those of each node keep theirs.
func shuffled(events []history.NodeEvent) (out []history.NodeEvent) {
	of := map[string][]history.NodeEvent{}
	for _, e := range events {
		of[e.Node] = append(of[e.Node], e)
	}
	for _, i := range rand.Perm(len(events)) {
		node := events[i].Node
		out = append(out, of[node][0])
		of[node] = of[node][1:]
	}
	return out
}

// TestAgreementForgets: positions of the log that were committed long ago are not kept.
func TestAgreementForgets(t *testing.T) {
	const most = 100
	see, a := agreement(history.EventCommit, "the log up to index", most), &audit{}
	for i := range uint64(10 * most) {
		e := commits("n1", 1, i, 1, "a")
		see(a, &e)
	}
	old, late := commits("n2", 1, 3, 1, "b"), commits("n2", 1, 10*most-3, 1, "b")
	if see(a, &old); a.conflicts > 0 {
		t.Errorf("it still knows %+v", a.witness)
	}
	if see(a, &late); a.conflicts != 1 {
		t.Error("it has forgotten what is not long ago")
	}
}
