package sets

import (
	"context"
	"errors"
	"fmt"
	"math"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// Removals returns the checker "set-remove": elements are added to sets, each once, and
// removed, each once at most; a remove answers whether the element was there. For each element
// there are a moment of its add and one of its remove, within their times, so that every read
// finds it that may be between the two, and none that may not.
//
// Given that the add is as late as it can be, the remove is best as early as it can be, so two
// numbers decide about an element, and all reads are held against them. That is exact for each
// element by itself, operations of unknown outcome included; it says nothing of the order of
// two elements. It takes time that grows with elements times reads of each key, so keys are
// to be replaced now and then.
func Removals() check.Checker { return removals{} }

type removals struct{}

// Name is "set-remove".
func (removals) Name() string { return "set-remove" }

// Check implements Checker.
func (removals) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	sets, err := readRemovals(in.Ops, b)
	if err != nil {
		return check.Result{Verdict: check.Unknown, Summary: err.Error()}
	}
	var first *misfit
	elements, removed, reads, wrong, stop := 0, 0, 0, 0, ""
search:
	for _, s := range sets {
		reads += len(s.reads)
		for _, e := range s.elements {
			var m *misfit
			if m, stop = s.judge(e, b); stop != "" {
				break search
			}
			elements++
			if e.removed() {
				removed++
			}
			if m != nil {
				wrong++
				if first == nil || m.at() < first.at() {
					first = m
				}
			}
		}
	}
	res := check.Result{Stats: map[string]float64{"keys": float64(len(sets)), "operations": float64(len(in.Ops)), "elements": float64(elements),
		"removed": float64(removed), "reads": float64(reads), "violating": float64(wrong)}}
	switch {
	case first != nil:
		first.tell(in, &res, wrong)
	case stop != "":
		res.Verdict, res.Summary = check.Unknown, stop
	case reads == 0:
		res.Verdict, res.Summary = check.Unknown, "no read of a set was answered, so nothing was observed"
	default:
		res.Verdict = check.Pass
		res.Summary = fmt.Sprintf("%s on %s, of which %d were removed; %s, each with what must be there", check.Counted(elements, "element", "elements"),
			check.Counted(len(sets), "key", "keys"), removed, check.Counted(reads, "read", "reads"))
	}
	return res
}

// removable is a set from which elements are removed.
type removable struct {
	byData   map[history.Data]*passing
	elements []*passing
	reads    []*history.Op // that were answered
}

// passing is an element that comes and goes.
type passing struct {
	data        history.Data
	add, remove *history.Op
	first, last *history.Op // of the reads that found it: the one that returned first, and the one that was called last
	twice       *history.Op // a read that found it twice
	in          []int       // the reads that found it, by number, rising
}

func readRemovals(ops []history.Op, b *check.Budget) (sets []*removable, err error) {
	if len(ops) == 0 {
		return nil, errors.New("the history holds no operations")
	}
	byKey := make(map[string]*removable)
	for i := range ops {
		if stop := b.Spent(); stop != "" {
			return nil, errors.New(stop)
		}
		op := &ops[i]
		s := byKey[op.Key]
		if s == nil {
			s = &removable{byData: make(map[history.Data]*passing)}
			byKey[op.Key] = s
			sets = append(sets, s)
		}
		if err := s.take(op); err != nil {
			return nil, fmt.Errorf("process %d has, on key %s, %w", op.Process, history.Show(op.Key), err)
		}
	}
	return sets, nil
}

func (s *removable) element(d history.Data) *passing {
	e := s.byData[d]
	if e == nil {
		e = &passing{data: d}
		s.byData[d] = e
		s.elements = append(s.elements, e)
	}
	return e
}

// take takes an operation in, or says why it is none of such a set.
func (s *removable) take(op *history.Op) error {
	switch op.Func {
	case objects.Add, objects.Remove:
		if !objects.IsElement(op.In) {
			return fmt.Errorf(`a %s without its element "i", a string or a number: it is %s`, op.Func, objects.Brief(op.In))
		}
		e := s.element(op.In)
		if op.Func == objects.Add {
			if e.add != nil {
				return fmt.Errorf("an add of %s, which was added before: this check can tell of elements only that are added once", op.In.Show())
			}
			e.add = op
			return objects.NoData(op, true, false)
		}
		if e.remove != nil {
			return fmt.Errorf("a remove of %s, which somebody asked to remove before: this check can tell of elements only that are removed once", op.In.Show())
		}
		if e.remove = op; op.Outcome == history.OK && op.Out != history.True && op.Out != history.False {
			return fmt.Errorf(`a remove whose result "o" is neither true nor false: it is %s`, objects.Brief(op.Out))
		}
		return nil
	case history.Read:
		if op.Outcome != history.OK {
			return objects.NoData(op, false, true)
		}
		return s.read(op)
	}
	return fmt.Errorf("the operation %s, which such a set does not have", history.Show(string(op.Func)))
}

func (s *removable) read(op *history.Op) error {
	if !isList(op.Out) {
		return fmt.Errorf(`a read that was answered without its result "o", a list of strings and numbers: it is %s`, objects.Brief(op.Out))
	}
	for d := range op.Out.Elements() {
		e := s.element(d)
		if n := len(e.in); n > 0 && e.in[n-1] == len(s.reads) {
			e.twice = op
			continue
		}
		e.in = append(e.in, len(s.reads))
		if e.first == nil || op.Return < e.first.Return {
			e.first = op
		}
		if e.last == nil || op.Call > e.last.Call {
			e.last = op
		}
	}
	s.reads = append(s.reads, op)
	return objects.NoData(op, false, true)
}

// happened says whether the add took effect, by what was answered and seen.
func (e *passing) happened() bool {
	return e.first != nil || e.removed() || e.add != nil && e.add.Outcome == history.OK
}

// removed says whether a remove was answered that the element was there.
func (e *passing) removed() bool {
	return e.remove != nil && e.remove.Outcome == history.OK && e.remove.Out == history.True
}

// mayGo says whether the element may have been removed.
func (e *passing) mayGo() bool {
	return e.remove != nil && (e.remove.Outcome == history.Info || e.removed())
}

// judge looks for moments of the add and the remove of an element.
func (s *removable) judge(e *passing, b *check.Budget) (m *misfit, stop string) {
	if !e.happened() {
		return nil, ""
	}
	if e.twice != nil {
		return &misfit{element: e, op: e.twice, against: e.add, kind: check.KindElementTwice}, ""
	}
	added, m := e.latestAdd()
	if m != nil {
		return m, ""
	}
	gone := int64(math.MaxInt64) // the earliest moment of the remove
	if e.mayGo() {
		gone = max(added, e.remove.Call)
		if e.last != nil {
			gone = max(gone, e.last.Call)
		}
		if e.removed() && gone > e.remove.Return {
			return &misfit{element: e, op: e.last, against: e.remove, kind: check.KindCameBack}, ""
		}
	} else if e.remove != nil && e.remove.Outcome == history.OK && e.remove.Call > added {
		return s.absent(e, e.remove), ""
	}
	found := e.in
	for i, r := range s.reads {
		if stop = b.Spent(); stop != "" {
			return nil, stop
		}
		if len(found) > 0 && found[0] == i {
			found = found[1:]
			continue
		}
		if r.Call > added && r.Return < gone && (m == nil || r.Return < m.op.Return) {
			m = s.absent(e, r)
		}
	}
	return m, ""
}

// latestAdd is the latest moment of the add.
func (e *passing) latestAdd() (at int64, m *misfit) {
	by, at := e.add, int64(math.MaxInt64)
	if e.add != nil && e.add.Outcome == history.OK {
		at = e.add.Return
	}
	if e.first != nil && e.first.Return < at {
		by, at = e.first, e.first.Return
	}
	if e.removed() && e.remove.Return < at {
		by, at = e.remove, e.remove.Return
	}
	switch {
	case e.add != nil && e.add.Outcome == history.Fail:
		return 0, &misfit{element: e, op: by, against: e.add, kind: check.KindFailedEffect}
	case e.add == nil || at < e.add.Call:
		return 0, &misfit{element: e, op: by, against: e.add, kind: check.KindNowhere}
	}
	return at, nil
}
