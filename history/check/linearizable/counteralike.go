package linearizable

import (
	"cmp"
	"container/heap"
	"math"
)

// decideAlike decides about a counter whose adds are all of one number other than 0, in
// n log n; else it says undecided. Of subsets of many numbers nobody knows how to be quick.
//
// A read then tells how many adds had taken effect: the k-th of them not before a read was
// called that counted fewer, and not after one had returned that counted k or more. So
// there is a row of slots, each with a window, and windows only move on. An add can be in
// the slots whose windows its own time meets, which stand side by side: it is a matching
// that is found slot by slot, by taking the add first that must be in one soonest.
func decideAlike(list []entry[counted64], g *guard) answer {
	adds, reads, number := []int{}, []int{}, int64(0)
	for i := range list {
		switch n := list[i].said.n; {
		case !list[i].said.adds:
			reads = append(reads, i)
		case n == 0 || number != 0 && n != number:
			return undecided
		default:
			number = n
			adds = append(adds, i)
		}
	}
	counted := func(i int) int64 { return list[i].said.n / number }
	for _, i := range reads {
		if n := list[i].said.n; number == 0 && n != 0 || number != 0 && n%number != 0 {
			return illegal
		}
	}
	if number == 0 {
		return legal
	}
	byCount := func(a, b int) int { return cmp.Compare(counted(a), counted(b)) }
	byCall := func(a, b int) int { return cmp.Compare(list[a].call, list[b].call) }
	if !sortGuarded(reads, byCount, g) || !sortGuarded(adds, byCall, g) {
		return undecided
	}
	until := make([]int64, len(reads)+1) // of a read: the first return of it and those behind it
	until[len(reads)] = forever
	for i := len(reads) - 1; i >= 0; i-- {
		until[i] = min(until[i+1], list[reads[i]].ret)
	}
	waiting := &soonest[counted64]{list: list}
	from, read := int64(math.MinInt64), 0 // where the window begins; the first read that counts the slot
	for slot := int64(1); ; slot++ {
		for read < len(reads) && counted(reads[read]) < slot {
			from = max(from, list[reads[read]].call)
			read++
		}
		if read == len(reads) {
			if anyReturned(list, append(waiting.at, adds...), from) {
				return illegal
			}
			return legal
		}
		switch {
		case from > until[read]:
			return illegal
		case slot%guardEvery == 0 && g.stopped():
			return undecided
		}
		for len(adds) > 0 && list[adds[0]].call <= until[read] {
			heap.Push(waiting, adds[0])
			adds = adds[1:]
		}
		if len(waiting.at) == 0 || list[heap.Pop(waiting).(int)].ret < from {
			return illegal
		}
	}
}

// anyReturned says whether any of some entries returned before a moment.
func anyReturned[O any](list []entry[O], of []int, at int64) bool {
	for _, i := range of {
		if list[i].ret < at {
			return true
		}
	}
	return false
}

// soonest is a heap of entries, the one that returns first at the top.
type soonest[O any] struct {
	list []entry[O]
	at   []int
}

// Len implements heap.Interface.
func (s *soonest[O]) Len() int { return len(s.at) }

// Less implements heap.Interface.
func (s *soonest[O]) Less(i, j int) bool { return s.list[s.at[i]].ret < s.list[s.at[j]].ret }

// Swap implements heap.Interface.
func (s *soonest[O]) Swap(i, j int) { s.at[i], s.at[j] = s.at[j], s.at[i] }

// Push implements heap.Interface.
func (s *soonest[O]) Push(i any) { s.at = append(s.at, i.(int)) }

// Pop implements heap.Interface.
func (s *soonest[O]) Pop() any {
	last := s.at[len(s.at)-1]
	s.at = s.at[:len(s.at)-1]
	return last
}
