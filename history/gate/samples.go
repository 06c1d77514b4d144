package gate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"squall/history/check"
	"squall/history/measure"
	"squall/internal/number"
	"squall/internal/plain"
)

// samples are what an aggregation is made of: single values, or a histogram of
// latencies where there are too many.
type samples struct {
	values  []float64
	hist    *hdr.Histogram // µs; nil where there are values
	longest float64        // exact, of the histogram
	noun    string         // what they are: "elections"
	atLeast int            // how many of them are lower bounds
	untold  int64          // losses of leaders that the results do not tell one by one
	none    string         // why there are none
	dead    bool           // there are none though it was tried
	err     error
}

// mostName bounds a name in an error, in characters, whatever a history or a threshold
// calls its operations.
const mostName = 40

func (s *samples) count() int64 {
	if s.hist != nil {
		return s.hist.TotalCount()
	}
	return int64(len(s.values))
}

// aggregate is one number made of the samples.
func (s *samples) aggregate(a aggregation) reading {
	n := s.count()
	out := reading{of: n, text: countNoun(n, s.noun), err: s.err}
	switch {
	case s.err != nil:
		return out
	case a.name == "count":
		out.value = float64(n)
		return out
	case n == 0:
		out.none, out.dead = s.none, s.dead
		return out
	}
	if s.atLeast > 0 {
		out.note = fmt.Sprintf("%s have no observed end, and count for the time observed", countNoun(int64(s.atLeast), ""))
		if s.atLeast == 1 {
			out.note = "1 has no observed end, and counts for the time observed"
		}
	}
	if s.untold > 0 {
		out.note = strings.TrimPrefix(fmt.Sprintf("%s; the last %s are in the history alone, and left out", out.note, countNoun(s.untold, "losses")), "; ")
	}
	if s.hist != nil {
		out.value = s.ofHistogram(a)
		return out
	}
	slices.Sort(s.values)
	switch a.name {
	case "min":
		out.value = s.values[0]
	case "max":
		out.value = s.values[n-1]
	case "avg":
		for _, v := range s.values {
			out.value += v / float64(n)
		}
	default:
		out.value = quantile(s.values, a.percent/100)
	}
	return out
}

func (s *samples) ofHistogram(a aggregation) float64 {
	switch a.name {
	case "min":
		return float64(s.hist.Min()) / 1e3
	case "max":
		return s.longest
	case "avg":
		return s.hist.Mean() / 1e3
	}
	if a.percent == 100 {
		return s.longest
	}
	return float64(s.hist.ValueAtQuantile(a.percent)) / 1e3
}

// quantile is exact, by nearest rank, but for the median of an even number,
// which is the mean of the two in the middle. sorted is not empty.
func quantile(sorted []float64, q float64) float64 {
	n := len(sorted)
	if q == 0.5 {
		return (sorted[(n-1)/2] + sorted[n/2]) / 2
	}
	i := int(math.Ceil(q*float64(n))) - 1
	return sorted[min(max(i, 0), n-1)]
}

func countNoun(n int64, noun string) string {
	text := number.Digits(float64(n), 1)
	if noun == "" {
		return text
	}
	if n == 1 {
		noun = singular(noun)
	}
	return text + " " + noun
}

func singular(noun string) string {
	switch noun {
	case "candidacies":
		return "candidacy"
	case "losses":
		return "loss"
	}
	if noun[len(noun)-1] == 's' {
		return noun[:len(noun)-1]
	}
	return noun
}

func throughput(rs []*check.Results) reading {
	var ok int64
	var seconds float64
	for _, r := range rs {
		ok += r.Ops.OK
		seconds += r.Ops.LoadSeconds
	}
	if seconds <= 0 {
		return reading{none: "there was no load", dead: true}
	}
	return reading{value: float64(ok) / seconds, of: ok, text: fmt.Sprintf("%s in %s s", countNoun(ok, "successes"), number.Digits(seconds, 3))}
}

func blockThroughput(rs []*check.Results, _ string) samples {
	s := samples{noun: "blocks", none: "the load was shorter than a block"}
	for _, r := range rs {
		for _, n := range r.Blocks.OK {
			if r.Blocks.Seconds > 0 {
				s.values = append(s.values, float64(n)/r.Blocks.Seconds)
			}
		}
	}
	return s
}

// latency merges the histograms of an operation, or of all when op is "".
func latency(rs []*check.Results, op string) samples {
	s := samples{hist: measure.NewHistogram(), noun: "operations", none: "there was no operation"}
	if op != "" {
		s.noun, s.none = op+" operations", "there was no "+op
	}
	var tried int64
	for _, r := range rs {
		for name, f := range r.Ops.ByFunc {
			if op != "" && name != op {
				continue
			}
			tried += f.OK + f.Fail + f.Info
			h, err := measure.ReadHistogram(f.Histogram)
			if err == nil && h.TotalCount() != f.OK {
				err = fmt.Errorf("the histogram of %q holds %d latencies, and %d operations succeeded", plain.Fit(name, mostName), h.TotalCount(), f.OK)
			}
			if err != nil {
				s.err = err
				return s
			}
			if dropped := s.hist.Merge(h); dropped > 0 {
				s.err = fmt.Errorf("%d latencies of %q cannot be counted", dropped, plain.Fit(name, mostName))
				return s
			}
			s.longest = max(s.longest, float64(f.Latency.Max))
		}
	}
	if tried > 0 && s.hist.TotalCount() == 0 {
		s.none, s.dead = fmt.Sprintf("none of %s succeeded", countNoun(tried, s.noun)), true
	}
	return s
}

func okOf(o measure.Ops) int64   { return o.OK }
func failOf(o measure.Ops) int64 { return o.Fail }
func infoOf(o measure.Ops) int64 { return o.Info }

func shareOf(_ string, part func(measure.Ops) int64) func([]*check.Results) reading {
	return func(rs []*check.Results) reading {
		var some, all int64
		for _, r := range rs {
			some += part(r.Ops)
			all += r.Ops.Total
		}
		if all == 0 {
			return reading{none: "there was no operation"}
		}
		return reading{value: 100 * float64(some) / float64(all), of: all,
			text: fmt.Sprintf("%s of %s", number.Digits(float64(some), 1), countNoun(all, "operations"))}
	}
}

func operations(rs []*check.Results) reading {
	var n int64
	for _, r := range rs {
		n += r.Ops.Total
	}
	return reading{value: float64(n), of: n, text: countNoun(n, "operations")}
}

// noSuccess is the longest of all runs.
func noSuccess(rs []*check.Results) reading {
	out := reading{none: "there was no load", text: countNoun(int64(len(rs)), "runs")}
	for _, r := range rs {
		if ms := float64(r.Ops.NoSuccessMax); ms > 0 {
			out.value, out.none = max(out.value, ms), ""
			out.of++
		}
	}
	return out
}

// situationsReached is over all runs together: what one of them reached counts. A trace
// of version 1 shows too few for a share to mean anything.
func situationsReached(rs []*check.Results) reading {
	var runs []*check.Situations
	for _, r := range rs {
		runs = append(runs, r.Situations)
	}
	s := check.PoolSituations(runs)
	if s == nil || !s.Full || s.Visible == 0 {
		return reading{none: "no run has a full trace (--trace full)"}
	}
	out := reading{value: 100 * float64(s.Reached) / float64(s.Visible), of: int64(s.Visible),
		text: fmt.Sprintf("%d of %d situations", s.Reached, s.Visible)}
	if hidden := len(s.List) - s.Visible; hidden > 0 {
		out.note = fmt.Sprintf("%d more cannot be seen in this trace", hidden)
	}
	return out
}

// loggedLeaders counts what logs told, where there is no trace.
func loggedLeaders(rs []*check.Results) reading {
	out := reading{none: "no log tells who led"}
	for _, r := range rs {
		if l := r.Elections.Logged; l != nil {
			out.value, out.none = out.value+float64(l.Leaders), ""
			out.of += int64(l.Leaders)
		}
	}
	out.text = countNoun(out.of, "lines of logs")
	return out
}

func sumOf(noun string, part func(*measure.Elections) int64) func([]*check.Results) reading {
	return func(rs []*check.Results) reading {
		var out reading
		if len(rs) > 0 && !slices.ContainsFunc(rs, func(r *check.Results) bool { return !r.Elections.NoTrace }) {
			return reading{none: "no trace tells who led"}
		}
		for _, r := range rs {
			out.value += float64(part(&r.Elections))
			out.of += int64(r.Elections.Lost())
		}
		out.text = countNoun(out.of, noun)
		return out
	}
}

func ofLosses(noun, none string, of lossSample) func([]*check.Results, string) samples {
	return func(rs []*check.Results, _ string) samples {
		s := samples{noun: noun, none: none}
		if !slices.ContainsFunc(rs, func(r *check.Results) bool { return !r.Elections.NoTrace }) {
			s.none = "no trace tells who led"
		}
		for _, r := range rs {
			s.untold += int64(r.Elections.Lost() - len(r.Elections.Losses))
			for i := range r.Elections.Losses {
				value, atLeast, ok := of(&r.Elections.Losses[i])
				if !ok {
					continue
				}
				s.values = append(s.values, value)
				if atLeast {
					s.atLeast++
				}
			}
		}
		return s
	}
}

func recovery(rs []*check.Results, _ string) samples {
	s := samples{noun: "faults", none: "no fault took effect and was healed"}
	for _, r := range rs {
		for i := range r.Effects {
			e := &r.Effects[i]
			if e.Recovered {
				s.values = append(s.values, float64(e.Recovery))
				continue
			}
			if watched := e.After.End - e.After.Begin; watched > 0 {
				s.values = append(s.values, float64(watched)/1e6)
				s.atLeast++
			}
		}
	}
	return s
}
