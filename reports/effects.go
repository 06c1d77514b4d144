package reports

import (
	"fmt"

	"squall/history/measure"
	"squall/internal/number"
	"squall/internal/plain"
)

// effectRow is what clients felt of a fault.
type effectRow struct {
	ID                         int
	Kind, At, Zoom             string // of the fault, where it is known
	Name, With, Recovery, Warm string
	Metrics                    []effectMetric
}

type effectMetric struct {
	Name, Before, During, After string
	Change, Later               effectChange
	Bars                        [3]int // before, during and after, in pixels
	Felt                        felt   // during the fault
}

// effectChange is a difference and its interval.
type effectChange struct {
	Text, Interval string
	Sure           bool
}

// felt is a change in a few signs, and whether it is for the worse or the better.
type felt struct{ Text, Tone string }

// The tones of what is felt. A change whose interval holds 0 has none.
const (
	worse  = "worse"
	better = "better"
)

// warmUp is how long after the begin of the load, in ns, clients and servers are not
// yet at their pace: connections are made, leaders found. What is better than it was
// then is no gain.
const warmUp = int64(2e9)

// effectRows tells what clients felt of faults; load is when the load began, ns since
// the start.
func effectRows(effects []measure.FaultEffect, faults []measure.FaultRun, load int64) []effectRow {
	byID := map[int]*measure.FaultRun{}
	for i := range faults {
		byID[faults[i].ID] = &faults[i]
	}
	var rows []effectRow
	for i := range effects {
		e := &effects[i]
		row := effectRow{ID: e.ID, Name: plain.Clip(e.Name, maxShownText), Recovery: "none before the next fault or the end"}
		if f := byID[e.ID]; f != nil {
			row.Kind, row.At, row.Zoom = string(f.Class()), seconds(f.Begin), zoomOf(f)
			row.Name = plain.Clip(bandLabels(*f)[0], maxShownText)
		}
		if e.Recovered {
			row.Recovery = number.Millis(e.Recovery)
		}
		for i, id := range e.Overlaps {
			if i > 0 {
				row.With += ", "
			}
			row.With += fmt.Sprint("#", id)
		}
		warm := e.Before.Begin-load < warmUp
		if warm {
			row.Warm = fmt.Sprintf("before it the load had run for %s only: what is better than then is no gain", number.Millis(measure.Millis(float64(e.During.Begin-load)/1e6)))
		}
		row.Metrics = effectMetrics(e, warm)
		rows = append(rows, row)
	}
	return rows
}

func effectMetrics(e *measure.FaultEffect, warm bool) []effectMetric {
	var metrics []effectMetric
	for _, m := range []struct {
		name, label string
		least       bool // the less, the better
		of          func(measure.Stretch) float64
		text        func(measure.Stretch) string
	}{
		{"throughput", "throughput", false, func(s measure.Stretch) float64 { return s.Throughput },
			func(s measure.Stretch) string { return number.Digits(s.Throughput, 3) + " ops/s" }},
		{"availability", "availability", false, func(s measure.Stretch) float64 { return s.Availability },
			func(s measure.Stretch) string { return number.Decimals(s.Availability*100, 2) + " %" }},
		{"latency p50", "median latency", true, func(s measure.Stretch) float64 { return float64(s.Latency.P50) },
			func(s measure.Stretch) string { return latencyText(s.Latency, s.Latency.P50) }},
		{"latency p99", "99 % latency", true, func(s measure.Stretch) float64 { return float64(s.Latency.P99) },
			func(s measure.Stretch) string { return latencyText(s.Latency, s.Latency.P99) }},
	} {
		during, after := changeIn(e.Changes, m.name, "during"), changeIn(e.Changes, m.name, "after")
		metrics = append(metrics, effectMetric{Name: m.label, Before: m.text(e.Before), During: m.text(e.During), After: m.text(e.After),
			Change: changeText(during), Later: changeText(after),
			Bars: bars(m.of(e.Before), m.of(e.During), m.of(e.After)),
			Felt: feltOf(during, m.of(e.Before), m.of(e.During), m.least, warm)})
	}
	return metrics
}

// barHeight is how high the greatest of the bars of a row is, in pixels.
const barHeight = 22

// bars are the heights of values beside the greatest of them.
func bars(values ...float64) (out [3]int) {
	most := max(values[0], values[1], values[2])
	for i, v := range values {
		if most > 0 && v > 0 {
			out[i] = max(int(v/most*barHeight+0.5), 1) // what is there is seen
		}
	}
	return out
}

// feltOf is a change beside the value before, with its tone: worse, or better where the
// time before was no warm-up. Where the times are too short for an interval, it is the
// bare change.
func feltOf(c *measure.Change, before, during float64, least, warm bool) felt {
	if c == nil {
		if before <= 0 {
			return felt{Text: "–"}
		}
		return felt{Text: relative(&measure.Change{Value: during - before}, before)}
	}
	f := felt{Text: relative(c, before)}
	switch loss := c.Value < 0 != least; {
	case !c.Sure || c.Value == 0:
	case loss:
		f.Tone = worse
	case !warm:
		f.Tone = better
	}
	return f
}

// relative is a change in percent, or as a multiple where it is a large one; in points
// where what changed is a share itself.
func relative(c *measure.Change, before float64) string {
	if c.Unit == "%" {
		return signed(c.Value) + " pts"
	}
	switch {
	case before <= 0:
		return signed(c.Value) + " " + c.Unit
	case c.Value/before >= 2:
		return "×" + number.Digits(1+c.Value/before, 2)
	}
	return signed(c.Value/before*100) + " %"
}

func latencyText(q measure.Quantiles, v measure.Millis) string {
	if q.Count == 0 {
		return "–"
	}
	return number.Millis(v)
}

// changeIn finds the change of a metric; nil: it is not known.
func changeIn(changes []measure.Change, metric, to string) *measure.Change {
	for i := range changes {
		if c := &changes[i]; c.Metric == metric && c.To == to {
			return c
		}
	}
	return nil
}

func changeText(c *measure.Change) effectChange {
	if c == nil {
		return effectChange{Text: "–"}
	}
	unit := c.Unit
	if unit == "%" {
		unit = "points"
	}
	return effectChange{signed(c.Value) + " " + plain.Clip(unit, maxName), fmt.Sprintf("[%s to %s]", signed(c.Low), signed(c.High)), c.Sure}
}

// signed writes a difference, with its sign.
func signed(v float64) string {
	text := number.Digits(max(v, -v), 3)
	switch {
	case text == "0":
		return "±0"
	case v < 0:
		return "−" + text
	}
	return "+" + text
}
