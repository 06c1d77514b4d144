package sets

import (
	"cmp"
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

var _ check.Streamed = setCheck{}

// Stream implements check.Streamed.
func (setCheck) Stream(does history.Functions) check.Stream {
	return &setStream{does: does, sets: make(map[string]*liveSet)}
}

// setStream follows the elements of sets while the history grows. It keeps, of each set, its
// elements and when each was first known to be there.
type setStream struct {
	does   history.Functions
	sets   map[string]*liveSet
	off    bool // it has met what the check cannot judge
	broken *check.Sighting
}

// liveSet is a set whose history grows.
type liveSet struct {
	elements map[history.Data]*liveElement
	known    []*liveElement // those known to be in the set, by since
	reads    int            // that were looked at
}

// liveElement is an element that somebody asked to add.
type liveElement struct {
	call   int64 // of its add
	since  int64 // when it was first known to be in the set; endOfTime: it is not
	failed bool  // its add
	in     int   // the last read that has it, from 1 on
}

// Event implements check.Stream.
func (*setStream) Event(*history.NodeEvent) {}

// Broken implements check.Stream.
func (s *setStream) Broken() *check.Sighting { return s.broken }

// Batch implements check.Stream.
func (s *setStream) Batch(b *check.Batch) {
	for _, op := range b.Called {
		if op.Func == objects.Add && !s.off && !s.called(op) {
			s.off = true
		}
	}
	for _, op := range b.Ended {
		if s.off || s.broken != nil {
			return
		}
		if !s.ended(op) {
			s.broken = &check.Sighting{At: op.Return, Text: "elements are missing from this answer, or cannot be in it: " +
				check.Briefly(s.does, op)}
		}
	}
}

func (s *setStream) set(key string) *liveSet {
	set := s.sets[key]
	if set == nil {
		set = &liveSet{elements: make(map[history.Data]*liveElement)}
		s.sets[key] = set
	}
	return set
}

// called takes the call of an add; false: the check tells nothing of such a history.
func (s *setStream) called(op *history.Op) bool {
	set := s.set(op.Key)
	if !objects.IsElement(op.In) || set.elements[op.In] != nil {
		return false
	}
	set.elements[op.In] = &liveElement{call: op.Call, since: endOfTime}
	return true
}

// ended takes the end of an operation; false when it shows that the set is broken.
func (s *setStream) ended(op *history.Op) bool {
	set := s.set(op.Key)
	switch {
	case op.Func == objects.Add && objects.NoData(op, true, false) == nil:
		return set.added(set.elements[op.In], op)
	case op.Func == history.Read && op.Outcome != history.OK:
		return true
	case op.Func == history.Read && objects.NoData(op, false, true) == nil && isList(op.Out):
		return set.read(op)
	}
	s.off = true
	return true
}

// isList reports whether data is what a read of a set is answered.
func isList(d history.Data) bool {
	if d == "" || d[0] != '[' {
		return false
	}
	for e := range d.Elements() {
		if !objects.IsElement(e) {
			return false
		}
	}
	return true
}

// added looks at an add that has ended: one that failed must not have been seen.
func (s *liveSet) added(e *liveElement, op *history.Op) bool {
	switch op.Outcome {
	case history.OK:
		s.know(e, op.Return)
	case history.Fail:
		e.failed = true
		return e.since == endOfTime
	}
	return true
}

// read looks at an answered read: what it has must have been added, and what was known to
// be in the set before it was called it must have.
func (s *liveSet) read(op *history.Op) bool {
	must, _ := slices.BinarySearchFunc(s.known, op.Call, func(e *liveElement, at int64) int { return cmp.Compare(e.since, at) })
	s.reads++
	for d := range op.Out.Elements() {
		e := s.elements[d]
		if e == nil || e.failed || e.call > op.Return || e.in == s.reads {
			return false
		}
		e.in = s.reads
		if e.since < op.Call {
			must--
		}
		s.know(e, op.Return)
	}
	return must == 0
}

// know takes that an element was in the set at a time.
func (s *liveSet) know(e *liveElement, at int64) {
	if at >= e.since {
		return
	}
	by := func(e *liveElement, at int64) int { return cmp.Compare(e.since, at) }
	if e.since != endOfTime {
		i, _ := slices.BinarySearchFunc(s.known, e.since, by)
		for s.known[i] != e {
			i++
		}
		s.known = slices.Delete(s.known, i, i+1)
	}
	e.since = at
	i, _ := slices.BinarySearchFunc(s.known, at, by)
	s.known = slices.Insert(s.known, i, e)
}
