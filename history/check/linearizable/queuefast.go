package linearizable

import (
	"cmp"
	"math"
	"slices"

	"squall/history"
)

// decideQueue decides in n log n about a queue into which each value is put once; else it
// says undecided.
//
// Where all operations were answered, what can be wrong is known (Henzinger, Sezgin,
// Vafeiadis, CONCUR 2013, and Bouajjani, Emmi, Enea, Hamza, ICALP 2015): a value taken
// twice, or before anybody put it in; one taken before another that must stand ahead of
// it; and a dequeue that found none though at every moment some value was surely there.
// Without order the third is not wrong.
//
// An enqueue of unknown outcome returns at the end of time; nobody having seen its value,
// it never happened. A dequeue of unknown outcome may have taken, at any time after its
// call, a value that no answer shows: those left over. A value left over must be gone before
// one behind it was taken, and before a dequeue found none; which dequeue took it does not
// matter. The earlier a value was put in, the earlier it must be gone, so it is enough to
// count: by no moment may more have to be gone than such dequeues were called (see ADR 39).
//
// A dequeue under way at a moment, of which the history tells later what it took, takes that
// or nothing. Beside dequeues of unknown outcome, which may take it first, that is too much
// to count: so it is held to take it, which may be too hard, and then to take anything, which
// may be too kind.
func decideQueue(list []entry[queueOp], fifo bool, g *guard) answer {
	got, told := decideQueueAs(list, fifo, false, g)
	if !told || got != illegal {
		return got
	}
	if got, _ = decideQueueAs(list, fifo, true, g); got == legal {
		return undecided
	}
	return got
}

// decideQueueAs decides with dequeues under way that take what the history tells later, or
// anything. told says that there are such, beside others of unknown outcome.
func decideQueueAs(list []entry[queueOp], fifo, anything bool, g *guard) (got answer, told bool) {
	q := queueCase{values: make(map[history.Data]*queued, len(list)/2), anything: anything}
	if known := q.read(list); known != legal {
		return known, false
	}
	return q.decide(list, fifo, g), q.told && len(q.pending) > 0
}

// decide says whether what was read has an order.
func (q *queueCase) decide(list []entry[queueOp], fifo bool, g *guard) answer {
	if !q.sort(g) {
		return undecided
	}
	if fifo && !q.inOrder() || !q.emptyFound(list) {
		return illegal
	}
	if g.stopped() {
		return undecided
	}
	return legal
}

// queueCase is what a history says of one queue.
type queueCase struct {
	values map[history.Data]*queued
	taken  []*queued // those that an answer shows, by call of their enqueue
	left   []int64   // of those that no answer shows: the return of their enqueue, rising
	// pending are the calls of dequeues of unknown outcome, rising.
	pending []int64
	// told says that there are dequeues under way of which the history tells later what they
	// took, and anything that they may take something else.
	told, anything bool
}

// queued is a value: when it was put in, and when it was taken.
type queued struct {
	call, ret         int64 // of its enqueue
	takeCall, takeRet int64 // of its dequeue; forever where no answer shows one, or none returned
}

// read sorts the operations by value; legal where nothing speaks against it yet.
func (q *queueCase) read(list []entry[queueOp]) answer {
	for i := range list {
		n := &list[i]
		switch o := n.said; {
		case o.enqueues:
			if q.values[o.value] != nil {
				return undecided // twice
			}
			q.values[o.value] = &queued{n.call, n.ret, forever, forever}
		case n.ret == forever && (o.value == "" || q.anything):
			q.pending = append(q.pending, n.call)
		}
	}
	for i := range list {
		n := &list[i]
		if n.said.enqueues || n.ret == forever || n.said.foundNone() {
			continue
		}
		v := q.values[n.said.value]
		if v == nil || v.takeCall != forever || v.call > n.ret {
			return illegal // from nowhere, twice, or too early
		}
		v.takeCall, v.takeRet = n.call, n.ret
	}
	for i := range list { // those under way at a moment of which the history tells more
		n := &list[i]
		if v := q.values[n.said.value]; v != nil && !n.said.enqueues && n.ret == forever && v.takeRet == forever && !q.anything {
			v.takeCall = min(v.takeCall, n.call)
			q.told = true
		}
	}
	for _, v := range q.values {
		switch {
		case v.takeCall != forever:
			q.taken = append(q.taken, v)
		case v.ret != forever:
			q.left = append(q.left, v.ret)
		}
	}
	return legal
}

func (q *queueCase) sort(g *guard) bool {
	return sortGuarded(q.taken, func(a, b *queued) int { return cmp.Compare(a.call, b.call) }, g) &&
		sortGuarded(q.left, cmp.Compare, g) && sortGuarded(q.pending, cmp.Compare, g)
}

// inOrder says whether no value was taken before another one that was put in before it.
func (q *queueCase) inOrder() bool {
	ahead := slices.Clone(q.taken) // by return
	slices.SortFunc(ahead, func(a, b *queued) int { return cmp.Compare(a.ret, b.ret) })
	latest := int64(math.MinInt64) // call of a dequeue of those surely ahead
	for _, v := range q.taken {
		for len(ahead) > 0 && ahead[0].ret < v.call {
			latest = max(latest, ahead[0].takeCall)
			ahead = ahead[1:]
		}
		if v.takeRet < latest {
			return false
		}
	}
	return q.goneInTime()
}

// goneInTime says whether those left over can all be gone before a value behind them was
// taken. So each has a moment by which it must be gone, the later the later it was put in.
func (q *queueCase) goneInTime() bool {
	soonest := int64(forever) // return of a dequeue of those surely behind
	behind := len(q.taken)
	by := make([]int64, len(q.left))
	for i := len(q.left) - 1; i >= 0; i-- {
		for behind > 0 && q.taken[behind-1].call > q.left[i] {
			behind--
			soonest = min(soonest, q.taken[behind].takeRet)
		}
		by[i] = soonest
	}
	for i, at := range by {
		if at != forever && (i >= len(q.pending) || q.pending[i] > at) {
			return false
		}
	}
	return true
}

// emptyFound says whether each dequeue that found none had a moment for that: one at which
// no value that was taken was surely there, and enough dequeues of unknown outcome had been
// called to take those left over.
func (q *queueCase) emptyFound(list []entry[queueOp]) bool {
	var moments []int64 // at all others it is as at the one before
	any := false
	for i := range list {
		if n := &list[i]; n.ret != forever {
			moments = append(moments, n.ret)
			any = any || n.said.foundNone()
		}
		moments = append(moments, list[i].call)
	}
	if !any {
		return true
	}
	slices.Sort(moments)
	moments = slices.Compact(moments)
	fine := q.fineMoments(moments)
	for i := range list {
		n := &list[i]
		if !n.said.foundNone() || n.ret == forever {
			continue
		}
		at, _ := slices.BinarySearch(moments, n.call)
		end, _ := slices.BinarySearch(moments, n.ret+1)
		if fine[at] == fine[end] {
			return false
		}
	}
	return true
}

// fineMoments is how many of the moments before each one are such that the queue can have
// been empty.
func (q *queueCase) fineMoments(moments []int64) []int {
	there := make([]int, len(moments)+1) // of values surely there: more here, or fewer
	for _, v := range q.taken {
		if v.ret >= v.takeCall {
			continue
		}
		from, _ := slices.BinarySearch(moments, v.ret+1)
		to, _ := slices.BinarySearch(moments, v.takeCall)
		there[from]++
		there[to]--
	}
	fine := make([]int, len(moments)+1)
	now, left, pending := 0, 0, 0
	for i, at := range moments {
		now += there[i]
		for left < len(q.left) && q.left[left] < at {
			left++
		}
		for pending < len(q.pending) && q.pending[pending] <= at {
			pending++
		}
		fine[i+1] = fine[i]
		if now == 0 && left <= pending {
			fine[i+1]++
		}
	}
	return fine
}
