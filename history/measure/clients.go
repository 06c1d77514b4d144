package measure

import (
	"cmp"
	"slices"
	"sort"

	"squall/history"
)

// Clients says which client each process of the load belongs to, as far as that shows:
// processes that follow one another as one client have the number that the first of
// them has. Processes that only made final operations are not in it.
func Clients(in *history.History) map[int64]int64 {
	lives := map[int64]*life{}
	for i := range in.Ops {
		op := &in.Ops[i]
		live(lives, &sample{call: op.Call, ret: op.Return, process: op.Process, outcome: outcomeOf(op), final: op.Final})
	}
	return clientsOf(lives)
}

// processClients says which client each process of the load belongs to.
//
// A process that lost patience, or whose operation ended as info, never runs
// again; its client goes on as another process. Which one, a history does not
// say in so many words: of n clients, client i is the processes i, i+n, i+2n, …
// (as in Jepsen), and n is in no record. But it shows: it is the smallest number
// with which every process of n or more follows one that may have given up, in the
// sense of gaveUp, and nearly all follow one that surely had. With a smaller one, some process would take over from one
// that was still at work. Where no number fits, as in a history of another tool
// that counts otherwise, every process is a client of its own.
func (s *samples) processClients() map[int64]int64 { return clientsOf(s.lives()) }

func clientsOf(lives map[int64]*life) map[int64]int64 {
	order := make([]int64, 0, len(lives))
	for p := range lives {
		order = append(order, p)
	}
	slices.Sort(order)
	client := make(map[int64]int64, len(order))
	n := clientCount(lives, order)
	for _, p := range order {
		client[p] = p
		if n > 0 {
			client[p] = p % n
		}
	}
	return client
}

// life is a process from its first call on.
type life struct {
	first, last sample // its operations of the load that were called first and last
	called      bool
}

// lives are the processes of the load.
func (s *samples) lives() map[int64]*life {
	lives := map[int64]*life{}
	for i := range s.list {
		live(lives, &s.list[i])
	}
	return lives
}

// live takes an operation into the life of its process.
func live(lives map[int64]*life, op *sample) {
	if op.final {
		return
	}
	l := lives[op.process]
	if l == nil {
		l = &life{first: *op, last: *op}
		lives[op.process] = l
	}
	if op.call < l.first.call {
		l.first = *op
	}
	if op.call > l.last.call {
		l.last = *op
	}
}

// gaveUp reports whether a client may have gone on from one process as the
// other: the first one's last operation ended as info before the other's first
// call, or was still under way then. It may also be that the answer came after the
// client had lost patience and before its next call, on a host that is slow to
// make that call: it is then over, which is no proof that it was given up.
func (l *life) gaveUp(next *life) (may, sure bool) {
	may = l.last.call < next.first.call
	return may, may && (l.last.outcome == isInfo || l.last.ret >= next.first.call)
}

// mostUnsure: of so many processes that take over from another, one may have done so
// after the other's last answer.
const mostUnsure = 10

// maxClients is how many clients a load has at most.
const maxClients = 1000

// clientCount finds n of processClients; 0 when there is none. order are the numbers
// of the processes, ascending.
func clientCount(lives map[int64]*life, order []int64) int64 {
	if len(order) == 0 || order[0] < 0 {
		return 0
	}
	for n := int64(1); n <= maxClients; n++ {
		fits, unsure := true, 0
		from := sort.Search(len(order), func(i int) bool { return order[i] >= n })
		for i := from; i < len(order) && fits; i++ {
			before := lives[order[i]-n]
			if fits = before != nil; !fits {
				break
			}
			var sure bool
			if fits, sure = before.gaveUp(lives[order[i]]); !sure {
				unsure++
			}
		}
		if fits && unsure*mostUnsure <= len(order)-from {
			return n
		}
	}
	return 0
}

// successesOf are the returns of each client's successes in the load, ascending;
// ns of the machine's clock.
type successesOf [][]int64

// byClient sorts the successes of the load by client.
func (s *samples) byClient() successesOf {
	client := s.processClients()
	place, clients := map[int64]int{}, map[int64]bool{}
	for _, c := range client {
		clients[c] = true
	}
	var out successesOf
	begin, end := s.load.Begin+s.mono, s.load.End+s.mono
	for i := range s.list {
		op := &s.list[i]
		if op.final || op.outcome != isOK || op.ret < begin || op.ret > end {
			continue
		}
		c := client[op.process]
		k, known := place[c]
		if !known {
			k = len(out)
			place[c] = k
			out = append(out, make([]int64, 0, len(s.list)/max(len(clients), 1)))
		}
		out[k] = append(out[k], op.ret)
	}
	return out
}

// around is what the clients felt of the time between from and to (ns of the
// machine's clock): of each, the longest time from one success to the next that
// overlaps it.
func (b successesOf) around(from, to int64) Felt {
	var felt []Millis
	for _, returns := range b {
		if gap := longest(returns, from, to); gap.ret > gap.call {
			felt = append(felt, millis(gap.ret-gap.call))
		}
	}
	if len(felt) == 0 {
		return Felt{}
	}
	return Felt{Count: len(felt), Median: median(felt), Max: slices.MaxFunc(felt, cmp.Compare[Millis])}
}

// longest is the longest time from one return to the next, of those that
// overlap the time between from and to. returns, ascending, hold one before it.
func longest(returns []int64, from, to int64) span {
	var best span
	next := sort.Search(len(returns), func(i int) bool { return returns[i] > from })
	if next == 0 { // nothing before
		return best
	}
	for i := next; i < len(returns) && returns[i-1] < to; i++ {
		if gap := (span{returns[i-1], returns[i]}); gap.ret-gap.call > best.ret-best.call {
			best = gap
		}
	}
	return best
}
