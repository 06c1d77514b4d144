package gate

import (
	"fmt"
	"strconv"

	"squall/history/check"
)

// Judge says whether the threshold is met: by one run, or by many taken
// together, whose operations, losses and faults are put in one heap. Runs whose
// verdict is invalid mean nothing and should not be among them.
//
// A threshold over nothing has no data and is not missed: a limit on elections does
// not ask that there be one. That is said wherever the threshold is shown, for it
// could not have failed. It is missed where nothing is a failure in
// itself: where operations were tried and none succeeded there is no latency,
// and where there was no load no throughput.
func (t Threshold) Judge(results ...*check.Results) check.Threshold {
	out := check.Threshold{Text: t.Text, Limit: t.limit, Unit: t.quantity.unit()}
	r := t.quantity.read(results)
	out.Value, out.Samples = r.value, r.of
	switch {
	case r.err != nil:
		out.Why = "cannot be judged: " + r.err.Error()
	case r.none != "":
		out.Met, out.NoData, out.Samples = !r.dead, !r.dead, 0
		out.Why = "nothing to judge: " + r.none
	default:
		out.Met = holds(r.value, t.operator, t.limit)
		out.Why = t.why(r)
	}
	return out
}

// read is the value of a quantity over all results together.
func (q quantity) read(results []*check.Results) reading {
	if q.agg.name == "" {
		return q.metric.value(results)
	}
	s := q.metric.samples(results, q.op)
	return s.aggregate(q.agg)
}

func (t Threshold) why(r reading) string {
	value := Format(r.value, t.quantity.unit())
	q := t.quantity
	var text string
	switch {
	case q.agg.name == "p":
		text = fmt.Sprintf("p(%s) of %s: %s", strconv.FormatFloat(q.agg.percent, 'g', -1, 64), r.text, value)
	case q.agg.name == "count":
		text = r.text
	case q.agg.name != "":
		text = fmt.Sprintf("%s of %s: %s", q.agg.name, r.text, value)
	case r.text == value || q.metric.Name == "operations":
		text = r.text
	default:
		text = fmt.Sprintf("%s: %s", r.text, value)
	}
	if r.note != "" {
		text += "; " + r.note
	}
	return text
}

func holds(value float64, operator string, limit float64) bool {
	switch operator {
	case "<":
		return value < limit
	case "<=":
		return value <= limit
	case ">":
		return value > limit
	case ">=":
		return value >= limit
	case "==":
		return value == limit
	}
	return value != limit
}

// JudgeAll judges several thresholds.
func JudgeAll(thresholds []Threshold, results ...*check.Results) []check.Threshold {
	var out []check.Threshold
	for _, t := range thresholds {
		out = append(out, t.Judge(results...))
	}
	return out
}
