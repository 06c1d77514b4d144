package gate

import (
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
)

// Metric is something that a threshold can be set on.
type Metric struct {
	Name string
	Doc  string // one sentence: what it is
	Unit string // "ms", "ops/s", "%", ""
	// Labels may follow the name in braces: latency{op=write}.
	Labels []string
	// Aggregations are what can be asked of its samples: p(q), min, max, avg, med,
	// count. NeedsOne is true where one must be named.
	Aggregations []string
	NeedsOne     bool
	HigherBetter bool
}

// metric is a Metric and how it is read from results.
type metric struct {
	Metric
	// value is the metric over all runs together; nil where NeedsOne.
	value func(rs []*check.Results) reading
	// samples are what an aggregation is made of; nil where there is none.
	samples func(rs []*check.Results, op string) samples
}

// reading is the value of a metric.
type reading struct {
	value float64
	of    int64  // how many samples it is made of
	text  string // what these are: "1,204 writes"
	// none says why there is no value; dead that this is a failure in itself, for
	// what was tried never succeeded.
	none string
	dead bool
	note string // what limits the value
	err  error  // the results are damaged
}

// aggregations are those that every metric with samples has.
func aggregations() []string { return []string{"p(q)", "min", "max", "avg", "med", "count"} }

// Metrics are all metrics, in the order in which help shows them.
func Metrics() []Metric {
	var all []Metric
	for _, m := range metrics() {
		all = append(all, m.Metric)
	}
	return all
}

// Operations are the functions in some results, by the order of the headers of their
// histories. Results that do not say it are of registers, as all were once. What
// cannot be the name of a function is left out.
func Operations(rs []*check.Results) []string {
	var ops []string
	for _, r := range rs {
		functions := r.Ops.Functions
		if len(functions) == 0 {
			for _, f := range history.RegisterFunctions() {
				functions = append(functions, string(f.Name))
			}
		}
		for _, f := range functions {
			if p := (parser{text: f}); f != "" && p.word() == f && !slices.Contains(ops, f) {
				ops = append(ops, f)
			}
		}
	}
	return ops
}

func metrics() []metric {
	all := []metric{
		{Metric: Metric{Name: "throughput", Unit: unitRate, HigherBetter: true,
			Doc: "operations that succeeded, per second of load; with an aggregation: over the blocks of the load, a second each"},
			value: throughput, samples: blockThroughput},
		{Metric: Metric{Name: "latency", Unit: unitMillis, Labels: []string{"op"}, NeedsOne: true,
			Doc: "how long successful operations took; {op=…} selects one kind"}, samples: latency},
		{Metric: Metric{Name: "availability", Unit: unitPercent, HigherBetter: true,
			Doc: "share of the operations that succeeded"}, value: shareOf("availability", okOf)},
		{Metric: Metric{Name: "failed", Unit: unitPercent,
			Doc: "share of the operations that failed, certainly without effect"}, value: shareOf("failed", failOf)},
		{Metric: Metric{Name: "unknown", Unit: unitPercent,
			Doc: "share of the operations whose outcome is unknown"}, value: shareOf("unknown", infoOf)},
		{Metric: Metric{Name: "operations", HigherBetter: true,
			Doc: "operations that clients called during the load, whatever their outcome"}, value: operations},
		{Metric: Metric{Name: "no-success", Unit: unitMillis,
			Doc: "the longest time in the load in which no operation of any client succeeded"}, value: noSuccess},
		{Metric: Metric{Name: "election", Unit: unitMillis, NeedsOne: true,
			Doc: "time without a leader: from the loss of one to the election of the next"},
			samples: ofLosses("elections", "no leader was lost", noLeader)},
		{Metric: Metric{Name: "detection", Unit: unitMillis, NeedsOne: true,
			Doc: "from the loss of a leader to the first candidate"},
			samples: ofLosses("candidacies", "no loss of a leader was followed by a candidate", detection)},
		{Metric: Metric{Name: "election-phase", Unit: unitMillis, NeedsOne: true,
			Doc: "from the first candidate after the loss of a leader to the next leader"},
			samples: ofLosses("elections", "no loss of a leader was followed by a candidate and a new leader", phase)},
		{Metric: Metric{Name: "unavailability", Unit: unitMillis, NeedsOne: true,
			Doc: "around the loss of a leader, the longest time in which no client had a success"},
			samples: ofLosses("losses", "no leader was lost during the load", unavailable)},
		{Metric: Metric{Name: "client-unavailability", Unit: unitMillis, NeedsOne: true,
			Doc: "around the loss of a leader, how long a client had no success: for each loss, the median over the clients"},
			samples: ofLosses("losses", "no leader was lost during the load", feltMedian)},
		{Metric: Metric{Name: "client-unavailability-worst", Unit: unitMillis, NeedsOne: true,
			Doc: "the same, for the client that waited longest after each loss"},
			samples: ofLosses("losses", "no leader was lost during the load", feltMax)},
		{Metric: Metric{Name: "recovery", Unit: unitMillis, NeedsOne: true,
			Doc: "from the heal of a fault until throughput is back in its range before the fault"}, samples: recovery},
		{Metric: Metric{Name: "leaders-lost", Doc: "how often a leader was lost"}, value: sumOf("losses",
			func(e *measure.Elections) int64 { return int64(e.Lost()) })},
		{Metric: Metric{Name: "logged-leaders", Doc: "how often a server told in its log that another node, or another term, led; only of systems without a trace"},
			value: loggedLeaders},
		{Metric: Metric{Name: "split-votes", Doc: "terms with two or more candidates and no winner, between the loss of a leader and the next leader"},
			value: sumOf("losses", func(e *measure.Elections) int64 { return int64(e.SplitVotes) })},
		{Metric: Metric{Name: "situations", Unit: unitPercent, HigherBetter: true,
			Doc: "share of the named situations of Raft that were reached, of those that a full trace can show"}, value: situationsReached},
		{Metric: Metric{Name: "rounds", NeedsOne: true, Doc: "terms with a candidate between the loss of a leader and the next leader"},
			samples: ofLosses("losses", "no leader was lost", rounds)},
	}
	for i := range all {
		if all[i].samples != nil {
			all[i].Aggregations = aggregations()
		}
	}
	return all
}

func findMetric(name string) (metric, bool) {
	all := metrics()
	i := slices.IndexFunc(all, func(m metric) bool { return m.Name == name })
	if i < 0 {
		return metric{}, false
	}
	return all[i], true
}

// Of some metrics there are samples of each loss of a leader. The value is
// false where the loss has none; atLeast where it is a lower bound, for nothing
// that ended it was seen.
type lossSample func(l *measure.Loss) (value float64, atLeast, ok bool)

func noLeader(l *measure.Loss) (float64, bool, bool) {
	return float64(l.NoLeader), l.NewLeader == "", true
}

func detection(l *measure.Loss) (float64, bool, bool) {
	return float64(l.Detection), false, l.Candidate != ""
}

func phase(l *measure.Loss) (float64, bool, bool) {
	return float64(l.Election), false, l.Candidate != "" && l.NewLeader != ""
}

func unavailable(l *measure.Loss) (float64, bool, bool) {
	return float64(l.Unavailable), false, l.Unavailable > 0
}

func feltMedian(l *measure.Loss) (float64, bool, bool) {
	return float64(l.Clients.Median), false, l.Clients.Count > 0
}

func feltMax(l *measure.Loss) (float64, bool, bool) {
	return float64(l.Clients.Max), false, l.Clients.Count > 0
}

func rounds(l *measure.Loss) (float64, bool, bool) { return float64(l.Rounds), false, true }
