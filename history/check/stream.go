package check

import (
	"cmp"
	"slices"

	"squall/history"
)

// Streamed is a checker that can also judge a history while it is being recorded.
type Streamed interface {
	Checker
	// Stream begins to judge a history from its first record on, whose operations do this.
	Stream(does history.Functions) Stream
}

// Stream judges a history while it grows. It remembers what is under way and what its
// objects are now, but not what happened, so its memory does not go with the length of the
// history. It may overlook what the whole check finds; but what it says is broken, the
// whole check finds broken, whatever is recorded later.
type Stream interface {
	// Batch takes what clients did; it keeps pointers to operations for the duration of the
	// call alone.
	Batch(b *Batch)
	// Event takes what a node told, in the order of that node.
	Event(e *history.NodeEvent)
	// Broken says what is broken for certain; nil: nothing that was seen.
	Broken() *Sighting
}

// Sighting is what a stream saw.
type Sighting struct {
	Check string // the checker's name
	Text  string // the operation or the event that shows it, for people
	At    int64  // when it was there to be seen, ns
}

// Batch is what was recorded of clients since the last one. It is causally closed: whatever
// an operation that has ended can have observed is in it, or in an earlier one.
type Batch struct {
	Called []*history.Op // began; what came of them is not to be looked at
	Ended  []*history.Op // each was called in this batch or an earlier one; by time of return
	// Now is a time that no operation of a later batch was called before, ns.
	Now int64
}

// Live judges a history while it is being recorded, by those checkers that can.
type Live struct {
	streams   []liveStream
	batch     Batch
	announced map[flight]bool
	broken    *Sighting
}

// flight is an operation that was told of while it was under way.
type flight struct{ process, call int64 }

type liveStream struct {
	name string
	Stream
}

// NewLive begins to judge a history whose operations do this; nil when none of the checkers
// can.
func NewLive(checkers []Checker, does history.Functions) *Live {
	l := &Live{announced: make(map[flight]bool)}
	for _, c := range checkers {
		if s, ok := c.(Streamed); ok {
			l.streams = append(l.streams, liveStream{c.Name(), s.Stream(does)})
		}
	}
	if len(l.streams) == 0 {
		return nil
	}
	return l
}

// Take takes the next record of the history; open says that it is an operation that is
// still under way. It keeps the record.
//
// A driver writes in batches, each with what is under way first, and each causally closed as
// a whole (package driver, recorder). So an operation under way, after some that have
// ended, shows that a batch is complete; nothing is judged before.
func (l *Live) Take(rec history.Record, open bool) {
	switch {
	case rec.Node != nil:
		for _, s := range l.streams {
			s.Event(rec.Node)
		}
		l.look()
	case rec.Op == nil:
	case open:
		if len(l.batch.Ended) > 0 {
			l.Settle()
		}
		l.announced[flight{rec.Op.Process, rec.Op.Call}] = true
		l.call(rec.Op)
	default:
		if f := (flight{rec.Op.Process, rec.Op.Call}); l.announced[f] {
			delete(l.announced, f)
		} else {
			l.call(rec.Op)
		}
		l.batch.Now = max(l.batch.Now, rec.Op.Return)
		l.batch.Ended = append(l.batch.Ended, rec.Op)
	}
}

func (l *Live) call(op *history.Op) {
	l.batch.Now = max(l.batch.Now, op.Call)
	l.batch.Called = append(l.batch.Called, op)
}

// Settle judges what was taken. It is for the end of a history; before, Take knows when.
func (l *Live) Settle() {
	slices.SortStableFunc(l.batch.Ended, func(a, b *history.Op) int { return cmp.Compare(a.Return, b.Return) })
	for _, s := range l.streams {
		s.Batch(&l.batch)
	}
	clear(l.batch.Called)
	clear(l.batch.Ended)
	l.batch.Called, l.batch.Ended = l.batch.Called[:0], l.batch.Ended[:0]
	l.look()
}

// look keeps the first thing that a stream found.
func (l *Live) look() {
	for _, s := range l.streams {
		if found := s.Broken(); found != nil && l.broken == nil {
			l.broken = &Sighting{Check: s.name, Text: found.Text, At: found.At}
		}
	}
}

// Broken is what was seen to be broken first; nil: nothing yet.
func (l *Live) Broken() *Sighting { return l.broken }
