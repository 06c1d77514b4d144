package measure

import (
	"sort"

	"squall/history"
)

// settle is how long after an election a stretch without a success still
// counts as its consequence: a new leader first commits an entry of its term.
const settle = int64(100e6) // ns

// elections finds the reigns and their losses, up to the end of the test.
func elections(in Input) Elections {
	end := in.Header.Mono + TestEnd(in)
	reigns := follow(in, end)
	out := Elections{Count: len(reigns), Reigns: []Reign{}, Losses: []Loss{}}
	for _, r := range reigns {
		pub := Reign{Node: r.node, Term: r.term, Begin: r.begin - in.Header.Mono, Cause: r.cause}
		if !r.open {
			pub.End = r.end - in.Header.Mono
		}
		out.Reigns = append(out.Reigns, pub)
	}

	felt := newSilence(in)
	var noLeader, unavailable []Millis
	for _, r := range reigns {
		if r.open || led(reigns, r) {
			continue
		}
		l := Loss{At: r.end - in.Header.Mono, Node: r.node, Term: r.term, Cause: r.cause}
		until := end
		if next := successor(reigns, r); next != nil {
			l.NewLeader, l.NewTerm = next.node, next.term
			until = next.begin
		}
		l.NoLeader = millis(until - r.end)
		if felt.window.Holds(l.At) {
			gap := felt.longest(r.end, until+settle)
			l.Unavailable = millis(gap.ret - gap.call)
			l.UnavailableAt = gap.call - in.Header.Mono
			out.UnavailableMax = max(out.UnavailableMax, l.Unavailable)
			if l.NewLeader != "" {
				unavailable = append(unavailable, l.Unavailable)
			}
		}
		out.NoLeaderMax = max(out.NoLeaderMax, l.NoLeader)
		if l.NewLeader != "" {
			noLeader = append(noLeader, l.NoLeader)
		}
		out.Losses = append(out.Losses, l)
	}
	sort.SliceStable(out.Losses, func(i, j int) bool { return out.Losses[i].At < out.Losses[j].At })
	out.NoLeaderMedian, out.UnavailableMedian = median(noLeader), median(unavailable)
	return out
}

// led reports whether a leader of a higher term reigned already when r ended:
// then the cluster lost nothing.
func led(reigns []*reign, r *reign) bool {
	for _, o := range reigns {
		if o.term > r.term && o.begin < r.end && (o.open || o.end > r.end) {
			return true
		}
	}
	return false
}

// successor is the first leader of a higher term after r; nil when none was
// elected any more.
func successor(reigns []*reign, r *reign) *reign {
	for _, o := range reigns { // in the order in which they began
		if o.term > r.term && o.begin >= r.end {
			return o
		}
	}
	return nil
}

// silence finds the stretches of the load phase in which nothing succeeded.
type silence struct {
	window  Window
	returns []int64 // of the successes, ascending, with both ends of the load; ns of the machine's clock
}

func newSilence(in Input) silence {
	s := silence{window: LoadWindow(in)}
	begin, end := s.window.Begin+in.Header.Mono, s.window.End+in.Header.Mono
	s.returns = append(s.returns, begin)
	for i := range in.Ops {
		op := &in.Ops[i]
		if op.Outcome == history.OK && !op.Final && op.Return > begin && op.Return < end {
			s.returns = append(s.returns, op.Return)
		}
	}
	s.returns = append(s.returns, end)
	sort.Slice(s.returns, func(i, j int) bool { return s.returns[i] < s.returns[j] })
	return s
}

// longest is the longest time from one success to the next, of those that
// overlap the time between from and to.
func (s silence) longest(from, to int64) span {
	var best span
	next := sort.Search(len(s.returns), func(i int) bool { return s.returns[i] > from })
	for i := max(next, 1); i < len(s.returns) && s.returns[i-1] < to; i++ {
		if gap := (span{s.returns[i-1], s.returns[i]}); gap.ret-gap.call > best.ret-best.call {
			best = gap
		}
	}
	return best
}
