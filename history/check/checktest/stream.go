package checktest

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"squall/history"
	"squall/history/check"
)

// Record hands operations to a judge of growing histories as a driver does: in batches cut
// at random moments, about every so many ns, with what is under way first. It stops when
// something is seen to be broken, and returns how many operations had ended by then.
func Record(rng *rand.Rand, l *check.Live, ops []history.Op, every int64) (ended int) {
	type flight struct {
		op    *history.Op
		taken int64 // when the driver took its end, a little after it
		open  bool
	}
	flights := make([]flight, len(ops))
	for i := range ops {
		flights[i] = flight{op: &ops[i], taken: ops[i].Return + rng.Int64N(4)}
	}
	slices.SortStableFunc(flights, func(a, b flight) int { return cmp.Compare(a.op.Call, b.op.Call) })
	next := map[int64]int64{} // by process: when it calls its next operation, which is after that
	for i := range slices.Backward(flights) {
		f := &flights[i]
		if call, has := next[f.op.Process]; has {
			f.taken = max(f.op.Return, min(f.taken, call-1))
		}
		next[f.op.Process] = f.op.Call
	}
	for at := int64(0); len(flights) > 0 && l.Broken() == nil; {
		at += 1 + rng.Int64N(2*every)
		var done []*history.Op
		left := flights[:0]
		for i, f := range flights {
			switch {
			case f.op.Call > at:
				left = append(left, flights[i:]...)
			case f.taken <= at:
				done = append(done, f.op)
				continue
			case !f.open:
				f.open = true
				asked := *f.op
				asked.Outcome, asked.Out, asked.Return = "", "", 0
				l.Take(history.Record{Op: &asked}, true)
				left = append(left, f)
				continue
			default:
				left = append(left, f)
				continue
			}
			break
		}
		flights = left
		slices.SortStableFunc(done, func(a, b *history.Op) int { return cmp.Compare(rank(a), rank(b)) })
		for _, op := range done {
			copied := *op
			l.Take(history.Record{Op: &copied}, false)
		}
		ended += len(done)
	}
	l.Settle()
	return ended
}

// rank is where in a batch an operation stands: what was answered with nothing before what
// may have found something, and that before what only reads.
func rank(op *history.Op) int {
	switch {
	case op.Func == history.Read:
		return 2
	case op.Out != "":
		return 1
	}
	return 0
}
