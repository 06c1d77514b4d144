package traces

import (
	"squall/history"
	"squall/history/check"
)

// follower looks at one event after the other, and notes conflicts.
type follower func(a *audit, e *history.NodeEvent)

// streamedInvariant is an invariant that is seen to be broken at the event that breaks it.
type streamedInvariant struct {
	invariant
	begin func(most int) follower
}

var _ check.Streamed = streamedInvariant{}

// streamed makes a checker of what begins to follow events. It is told how many things it may
// remember of those whose number grows with the history; 0: all.
func streamed(name, one, many string, begin func(most int) follower) check.Checker {
	all := func(a *audit, events []history.NodeEvent) {
		see := begin(0)
		for i := range events {
			if a.over() {
				return
			}
			see(a, &events[i])
		}
	}
	return streamedInvariant{invariant{name, one, many, all}, begin}
}

// mostIndexes is how many positions of the log are remembered while a history grows. A node
// that is further behind is judged by the whole check.
const mostIndexes = 1 << 16

// Stream implements check.Streamed.
func (i streamedInvariant) Stream(history.Functions) check.Stream {
	return &traceStream{see: i.begin(mostIndexes)}
}

// traceStream follows an invariant while the history grows.
type traceStream struct {
	see   follower
	audit audit
}

// Batch implements check.Stream.
func (*traceStream) Batch(*check.Batch) {}

// Event implements check.Stream.
func (s *traceStream) Event(e *history.NodeEvent) { s.see(&s.audit, e) }

// Broken implements check.Stream.
func (s *traceStream) Broken() *check.Sighting {
	if s.audit.conflicts == 0 {
		return nil
	}
	return &check.Sighting{Text: s.audit.summary, At: s.audit.at}
}
