package sets

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// setCase is one set and its operations.
type setCase struct {
	key      string
	ids      map[history.Data]int32 // of an element: its place in elements
	elements []element
	answers  []*history.Op // reads that were answered
	reads    []setRead     // the same with what they found, by call
}

// setRead is a read and the elements that it found, each once.
type setRead struct {
	op    *history.Op
	found []int32
}

// endOfTime is later than anything in a history.
const endOfTime = math.MaxInt64

// element is an element of a set.
type element struct {
	data history.Data
	add  *history.Op // nil: nobody added it
	// known is the return of the operation that first showed that it is in the set:
	// by. endOfTime and nil while nothing did.
	known int64
	by    *history.Op
	seen  int64 // latest return of a read that found it; -1: none did
	odd   bool  // it came from nowhere
	twice bool
	// missed is the last read, by call, that does not have it: a place in reads; -1
	// when all have it.
	missed int
	in     int // the read looked at last that has it, plus 1
}

// readSets reads the operations of all sets, or says what is wrong with one, or which
// limit was reached.
func readSets(ops []history.Op, b *check.Budget) ([]*setCase, error) {
	if len(ops) == 0 {
		return nil, errors.New("the history holds no operations")
	}
	byKey := map[string]*setCase{}
	var sets []*setCase
	for i := range ops {
		if stop := b.Spent(); stop != "" {
			return nil, errors.New(stop)
		}
		op := &ops[i]
		s := byKey[op.Key]
		if s == nil {
			s = &setCase{key: op.Key, ids: map[history.Data]int32{}}
			byKey[op.Key] = s
			sets = append(sets, s)
		}
		if err := s.take(op); err != nil {
			return nil, fmt.Errorf("process %d has, on key %s, %w", op.Process, history.Show(op.Key), err)
		}
	}
	return sets, nil
}

// take takes an operation in, or says why it is none of a set.
func (s *setCase) take(op *history.Op) error {
	switch op.Func {
	case objects.Add:
		if !objects.IsElement(op.In) {
			return fmt.Errorf(`an add without its element "i", a string or a number: it is %s`, objects.Brief(op.In))
		}
		e := &s.elements[s.id(op.In)]
		if e.add != nil {
			return fmt.Errorf("an add of %s, which was added before: this check can tell of elements only that are added once", op.In.Show())
		}
		e.add = op
		if op.Outcome == history.OK {
			e.known, e.by = op.Return, op
		}
		return objects.NoData(op, true, false)
	case history.Read:
		if op.Outcome == history.OK {
			if op.Out == "" || op.Out[0] != '[' {
				return fmt.Errorf(`a read that was answered without its result "o", a list: it is %s`, objects.Brief(op.Out))
			}
			s.answers = append(s.answers, op)
		}
		return objects.NoData(op, false, true)
	}
	return fmt.Errorf("the operation %s, which a set does not have", history.Show(string(op.Func)))
}

// id is the number of an element, a new one for one that is new.
func (s *setCase) id(d history.Data) int32 {
	n, known := s.ids[d]
	if !known {
		n = int32(len(s.elements))
		s.ids[d] = n
		s.elements = append(s.elements, element{data: d, known: endOfTime, seen: -1})
	}
	return n
}

// judge counts what became of the set's elements, and notes what is wrong.
func (s *setCase) judge(c *fates, b *check.Budget) error {
	slices.SortStableFunc(s.answers, func(a, b *history.Op) int { return cmp.Compare(a.Call, b.Call) })
	for _, op := range s.answers {
		if err := s.look(op, c, b); err != nil {
			return err
		}
	}
	c.reads += len(s.reads)
	if err := s.findMissed(b); err != nil {
		return err
	}
	for i := range s.elements {
		s.count(&s.elements[i], c)
	}
	return s.firstMiss(c, b)
}

// look reads what a read found, and notes what may not be there.
func (s *setCase) look(op *history.Op, c *fates, b *check.Budget) error {
	r := setRead{op: op}
	place := len(s.reads) + 1
	for d := range op.Out.Elements() {
		if stop := b.Spent(); stop != "" {
			return errors.New(stop)
		}
		if !objects.IsElement(d) {
			return fmt.Errorf(`process %d has, on key %s, a read whose result "o" has an element that is neither a string nor a number: %s`,
				op.Process, history.Show(op.Key), objects.Brief(d))
		}
		id := s.id(d)
		e := &s.elements[id]
		if e.in == place {
			e.twice = true
			c.note(finding{check.KindElementTwice, s, id, op, op.Return})
			continue
		}
		e.in = place
		r.found = append(r.found, id)
		e.seen = max(e.seen, op.Return)
		switch {
		case e.add == nil:
			e.odd = true
			c.note(finding{check.KindNowhere, s, id, op, op.Return})
		case e.add.Call > op.Return:
			e.odd = true
			c.note(finding{check.KindNowhere, s, id, op, op.Return})
		case e.add.Outcome == history.Fail:
			e.odd = true
			c.note(finding{check.KindFailedEffect, s, id, op, max(op.Return, e.add.Return)})
		case op.Return < e.known:
			e.known, e.by = op.Return, op
		}
	}
	s.reads = append(s.reads, r)
	return nil
}

// findMissed finds, for each element, the last read that does not have it.
func (s *setCase) findMissed(b *check.Budget) error {
	for i := range s.elements {
		s.elements[i].missed = len(s.reads) - 1
	}
	for i, r := range slices.Backward(s.reads) {
		for _, id := range r.found {
			if stop := b.Spent(); stop != "" {
				return errors.New(stop)
			}
			if e := &s.elements[id]; e.missed == i {
				e.missed--
			}
		}
	}
	return nil
}

// certain is when an element was known to be in the set; endOfTime for one that never was,
// or that came from nowhere, of which that is told.
func (e *element) certain() int64 {
	if e.odd {
		return endOfTime
	}
	return e.known
}

// lacking is how long after an element was known the last read was called that does not
// have it, ns; 0 when there is none. lost says that no read has had it since.
func (s *setCase) lacking(e *element) (ns int64, lost bool) {
	if e.missed < 0 {
		return 0, false
	}
	last := s.reads[e.missed].op.Call
	if e.certain() >= last {
		return 0, false
	}
	return last - e.known, e.seen < last
}

// count counts an element by what became of it.
func (s *setCase) count(e *element, c *fates) {
	if e.twice {
		c.twice++
	}
	if e.add != nil && (e.odd || e.add.Outcome != history.Fail) {
		c.elements++
	}
	if e.add != nil && e.add.Outcome == history.OK {
		c.acknowledged++
	}
	ns, lost := s.lacking(e)
	switch {
	case e.odd:
		c.nowhere++
	case e.add.Outcome == history.Fail: // and nobody has seen it
	case lost:
		c.lost++
	case ns > 0:
		c.stale++
		c.staleFor = append(c.staleFor, ns)
	case e.seen >= 0:
		c.stable++
	case e.add.Outcome == history.OK:
		c.never++
	default:
		c.unknown++
	}
}

// firstMiss notes the first read, by return, that lacks an element that was known before
// it was called. It compares how many it must have with how many of these it has, so it
// need not look at each element for each read.
func (s *setCase) firstMiss(c *fates, b *check.Budget) error {
	var known []int64
	for i := range s.elements {
		if at := s.elements[i].certain(); at != endOfTime {
			known = append(known, at)
		}
	}
	slices.Sort(known)
	var first *setRead
	for i := range s.reads {
		r := &s.reads[i]
		if first != nil && first.op.Return <= r.op.Return {
			continue
		}
		must, _ := slices.BinarySearch(known, r.op.Call)
		for _, id := range r.found {
			if stop := b.Spent(); stop != "" {
				return errors.New(stop)
			}
			if s.elements[id].certain() < r.op.Call {
				must--
			}
		}
		if must > 0 {
			first = r
		}
	}
	if first != nil {
		c.note(s.missing(first))
	}
	return nil
}

// missing is the finding of a read that lacks elements: of one that is lost if there is
// any, or else of the one that was known last.
func (s *setCase) missing(r *setRead) finding {
	has := make(map[int32]bool, len(r.found))
	for _, id := range r.found {
		has[id] = true
	}
	best := finding{set: s, read: r.op, at: r.op.Return, element: -1}
	for i := range s.elements {
		e, id := &s.elements[i], int32(i)
		if has[id] || e.certain() >= r.op.Call {
			continue
		}
		kind := check.KindStaleRead
		if _, lost := s.lacking(e); lost {
			kind = check.KindLostElement
		}
		better := best.element < 0 || kind == check.KindLostElement && best.kind != check.KindLostElement ||
			kind == best.kind && e.known > s.elements[best.element].known
		if better {
			best.element, best.kind = id, kind
		}
	}
	return best
}
