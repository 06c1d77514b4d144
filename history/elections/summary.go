package elections

import (
	"fmt"
	"math"
	"slices"
)

// Summary is what the trials of a range came to. Undecided trials count with the
// time for which they were watched, which is a lower bound.
type Summary struct {
	Range     `json:"-"`
	Name      string `json:"range"`
	Times     Sample `json:"times"` // without a leader, ms
	Undecided int    `json:"undecided"`
	Invalid   int    `json:"invalid"`
	// Low and High are the interval in which the median lies with 95 %
	// confidence, by order statistics; both 0 with fewer than six trials.
	Low  Millis `json:"low"`
	High Millis `json:"high"`
	// Split is in how many trials a vote was split, Rounds the mean number of
	// rounds.
	Split  int     `json:"split"`
	Rounds float64 `json:"rounds"`

	Paper  *Sample `json:"paper,omitempty"` // the paper's figures
	Ratio  float64 `json:"ratio,omitempty"` // of the medians: ours by the paper's
	Model  Sample  `json:"model"`           // what the model makes of the links and disks; none with pre-vote
	Simple Millis  `json:"simple"`          // WithoutSplits

	Detection Sample  `json:"detection"`
	Won       Sample  `json:"won"`       // from the winner's timeout to its being heard
	Broadcast Sample  `json:"broadcast"` // to two followers, from the proposal to the commit
	Late      Sample  `json:"late"`      // of the candidates' timers
	Overshoot Sample  `json:"overshoot"` // of the crash
	Overhead  float64 `json:"overhead"`  // seconds a trial beside its time without a leader
}

// Summarize sums the trials of every range up. modelled is how many trials of
// the model are made for each; 0: none.
func (r *Record) Summarize(modelled int) []Summary {
	var all []Summary
	for _, rg := range r.Ranges {
		all = append(all, r.summarize(rg, modelled))
	}
	return all
}

func (r *Record) summarize(rg Range, modelled int) Summary {
	s := Summary{Range: rg, Name: rg.Name()}
	var won, detection, broadcast, late, overshoot []Millis
	rounds, seconds := 0, 0.0
	for i := range rg.Trials {
		t := &rg.Trials[i]
		switch t.Outcome {
		case Invalid:
			s.Invalid++
			continue
		case Undecided:
			s.Undecided++
		}
		rounds += t.Rounds
		if t.Split > 0 {
			s.Split++
		}
		seconds += float64(t.NoLeader) / 1e3
		detection, won, late = append(detection, t.Detection), append(won, t.Won), append(late, t.Late)
		if !r.Plain {
			broadcast, overshoot = append(broadcast, t.Broadcast), append(overshoot, t.Waited-t.Asked)
		}
	}
	times := Times(rg)
	s.Times, s.Detection, s.Won, s.Late = SampleOf(times), SampleOf(detection), SampleOf(won), SampleOf(late)
	s.Broadcast, s.Overshoot = SampleOf(broadcast), SampleOf(overshoot)
	s.Low, s.High = MedianInterval(times)
	if n := len(times); n > 0 {
		s.Rounds, s.Overhead = float64(rounds)/float64(n), (rg.Seconds-seconds)/float64(n)
	}
	if p, ok := PaperOf(rg); ok {
		s.Paper = &p.Sample
		s.Ratio = float64(s.Times.P50 / p.P50)
	}
	m := r.Model()
	s.Simple = WithoutSplits(rg, m.Eligible, PaperBroadcast)
	if !r.PreVote { // which the model does not know
		s.Model = SampleOf(m.Times(rg, modelled, r.Seed))
	}
	return s
}

// Reason says in a sentence why the median is more than 15 % off the paper's, as
// far as what was measured tells; "" when it is not.
func (s *Summary) Reason() string {
	if s.Paper == nil || s.Times.N == 0 || math.Abs(s.Ratio-1) <= 0.15 {
		return ""
	}
	off := fmt.Sprintf("the median is %.0f %% off the paper's", 100*(s.Ratio-1))
	within := func(m Millis) bool { return s.High > 0 && s.Low <= m && m <= s.High }
	switch model := s.Model.P50; {
	case within(s.Paper.P50):
		return off + ", which lies in its interval: these are too few trials to tell"
	case model > 0 && within(model):
		return fmt.Sprintf("%s, and the model's %.0f ms lie in its interval: it follows from what links and disks take", off, model)
	case model > 0:
		return fmt.Sprintf("%s; by the model, links and disks alone account for %.0f ms; the rest is due to the machine: look at how late its timers were", off, model)
	}
	return off
}

// Times are the times without a leader of the trials that count, ascending.
func Times(rg Range) []Millis {
	var times []Millis
	for i := range rg.Trials {
		if rg.Trials[i].Outcome != Invalid {
			times = append(times, rg.Trials[i].NoLeader)
		}
	}
	slices.Sort(times)
	return times
}

// SampleOf sums up lengths of time, in any order.
func SampleOf(times []Millis) Sample {
	n := len(times)
	if n == 0 {
		return Sample{}
	}
	sorted := slices.Sorted(slices.Values(times))
	sum := Millis(0)
	for _, v := range sorted {
		sum += v
	}
	return Sample{N: n, Min: sorted[0], P50: Quantile(sorted, 0.5), P90: Quantile(sorted, 0.9),
		P99: Quantile(sorted, 0.99), Max: sorted[n-1], Mean: sum / Millis(n)}
}

// Quantile is the q-quantile of an ascending list that is not empty, between two
// values in proportion.
func Quantile(sorted []Millis, q float64) Millis {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + Millis(at-float64(i))*(sorted[i+1]-sorted[i])
}

// MedianInterval is where the median lies with 95 % confidence at least, whatever
// the distribution: between the k-th values from both ends, for the greatest k
// for which fewer than k of n fair coins show heads with a probability of at
// most 2.5 %. Of fewer than six values nothing can be said: 0, 0.
func MedianInterval(sorted []Millis) (low, high Millis) {
	n := len(sorted)
	k, below := 0, 0.0
	for i := 0; i < n; i++ {
		below += math.Exp(lchoose(n, i) - float64(n)*math.Ln2)
		if below > 0.025 {
			break
		}
		k = i + 1
	}
	if k == 0 {
		return 0, 0
	}
	return sorted[k-1], sorted[n-k]
}

// lchoose is the logarithm of n over k.
func lchoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}
