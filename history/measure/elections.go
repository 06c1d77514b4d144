package measure

import (
	"math"
	"sort"

	"squall/history"
)

// settle is how long after an election a stretch without a success still
// counts as its consequence: a new leader first commits an entry of its term.
const settle = int64(100e6) // ns

// elections finds the leaderships and their losses, up to the end of the test.
func elections(in *history.History, s *samples) Elections {
	leaderships := follow(in, s)
	out := Elections{Count: len(leaderships), Leaderships: []Leadership{}, Losses: []Loss{}, NoTrace: !history.Traced(in.Nodes)}
	if out.NoTrace {
		out.Logged = logged(in)
	}
	for _, r := range leaderships {
		pub := Leadership{Node: r.node, Term: r.term, Begin: r.begin - s.mono, Cause: r.cause}
		if !r.open {
			pub.End = r.end - s.mono
		}
		out.Leaderships = append(out.Leaderships, pub)
	}
	a := aftermath{samples: s, leaderships: leaderships, silence: newSilence(s), clients: s.byClient(),
		campaigns: newCampaigns(in, leaderships, s.mono+s.end)}
	ends := latestEnds(leaderships)
	for _, r := range leaderships {
		if !r.open && !led(leaderships, ends, r) {
			out.Losses = append(out.Losses, a.of(r))
		}
	}
	sort.SliceStable(out.Losses, func(i, j int) bool { return out.Losses[i].At < out.Losses[j].At })
	out.sumUp(s.load)
	out.bound()
	return out
}

// MostLosses is how many leaderships and how many losses of leaders are told one by
// one: more than a person looks at, and than a report draws. The counts, medians and
// maxima are over all of them.
const MostLosses = 20_000

// bound leaves out the leaderships and losses beyond the first ones, so that results
// stay small enough to be read, however many there were.
func (e *Elections) bound() {
	if n := len(e.Losses); n > MostLosses {
		e.LossCount, e.Losses = n, e.Losses[:MostLosses:MostLosses]
	}
	if len(e.Leaderships) > MostLosses { // Count has how many
		e.Leaderships = e.Leaderships[:MostLosses:MostLosses]
	}
}

// Lost is how often a leader was lost.
func (e *Elections) Lost() int { return max(e.LossCount, len(e.Losses)) }

// aftermath finds what came of losses.
type aftermath struct {
	*samples
	leaderships []*leadership
	silence     []int64 // see newSilence
	clients     successesOf
	campaigns   *campaigns
}

// of is the loss that the end of a leadership was.
func (a *aftermath) of(r *leadership) Loss {
	l := Loss{At: r.end - a.mono, Node: r.node, Term: r.term, Cause: r.cause}
	until := a.mono + a.end
	if next := successor(a.leaderships, r); next != nil {
		l.NewLeader, l.NewTerm = next.node, next.term
		until = next.begin
	}
	l.NoLeader = millis(until - r.end)
	a.campaigns.phases(&l, r.end, until)
	if a.load.Holds(l.At) {
		gap := longest(a.silence, r.end, until+settle)
		l.Unavailable = millis(gap.ret - gap.call)
		l.UnavailableAt = gap.call - a.mono
		l.Clients = a.clients.around(r.end, until+settle)
	}
	return l
}

// sumUp makes the figures over all losses.
func (e *Elections) sumUp(load Window) {
	var noLeader, unavailable, detection, election []Millis
	for _, l := range e.Losses {
		e.NoLeaderMax, e.UnavailableMax = max(e.NoLeaderMax, l.NoLeader), max(e.UnavailableMax, l.Unavailable)
		e.SplitVotes += l.SplitVotes
		if l.NewLeader == "" {
			continue
		}
		noLeader = append(noLeader, l.NoLeader)
		if load.Holds(l.At) {
			unavailable = append(unavailable, l.Unavailable)
		}
		if l.Candidate != "" {
			detection, election = append(detection, l.Detection), append(election, l.Election)
			e.DetectionMax, e.ElectionMax = max(e.DetectionMax, l.Detection), max(e.ElectionMax, l.Election)
		}
	}
	e.NoLeaderMedian, e.UnavailableMedian = median(noLeader), median(unavailable)
	e.DetectionMedian, e.ElectionMedian = median(detection), median(election)
}

// latestEnds is, for each leadership, the latest end of it and of all that began
// before it.
func latestEnds(leaderships []*leadership) []int64 {
	ends := make([]int64, len(leaderships))
	latest := int64(math.MinInt64)
	for i, r := range leaderships {
		if r.open {
			latest = math.MaxInt64
		}
		latest = max(latest, r.end)
		ends[i] = latest
	}
	return ends
}

// led reports whether a leader of a higher term led already when r ended:
// then the cluster lost nothing. Of the leaderships, which are in the order in which
// they began, it looks at those that had begun, the last first, until all others
// had ended.
func led(leaderships []*leadership, ends []int64, r *leadership) bool {
	for i := firstFrom(leaderships, r.end) - 1; i >= 0 && ends[i] > r.end; i-- {
		if o := leaderships[i]; o.term > r.term && (o.open || o.end > r.end) {
			return true
		}
	}
	return false
}

// firstFrom is the index of the first leadership that began at a moment or later.
func firstFrom(leaderships []*leadership, at int64) int {
	return sort.Search(len(leaderships), func(i int) bool { return leaderships[i].begin >= at })
}

// successor is the first leader of a higher term after r; nil when none was
// elected any more.
func successor(leaderships []*leadership, r *leadership) *leadership {
	for _, o := range leaderships[firstFrom(leaderships, r.end):] {
		if o.term > r.term {
			return o
		}
	}
	return nil
}

// newSilence are the returns of the successes in the load, ascending, with both
// ends of the load; ns of the machine's clock. Between one and the next nothing
// succeeded.
func newSilence(s *samples) []int64 {
	begin, end := s.load.Begin+s.mono, s.load.End+s.mono
	returns := append(make([]int64, 0, len(s.list)+2), begin)
	for i := range s.list {
		if op := &s.list[i]; op.outcome == isOK && !op.final && op.ret > begin && op.ret < end {
			returns = append(returns, op.ret)
		}
	}
	return append(returns, end)
}
