package export

import (
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"squall/history"
	"squall/history/measure"
	"squall/internal/openmetrics"
)

// step is how far apart the samples of a time series are.
const step = time.Second

// OpenMetrics writes the course of a test as text in the format of OpenMetrics, a sample a
// second, each with its time on the wall clock; promtool makes blocks of it for Prometheus
// (promtool tsdb create-blocks-from openmetrics). labels stand on every sample.
func OpenMetrics(w io.Writer, h *history.History, labels map[string]string) error {
	var common []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		common = append(common, name, printable(labels[name]))
	}
	out := metrics{openmetrics.New(w, common...), h}
	over := measure.Over(h, step)
	out.operations(over)
	out.latency(over)
	end := measure.TestEnd(h)
	out.faults(spells(h, end), end)
	out.leaders(measure.Summarize(h).Elections.Leaderships, end)
	return out.End()
}

// metrics writes the families of a history.
type metrics struct {
	*openmetrics.Writer
	h *history.History
}

// sample writes one value at a time, in ns since the start of the test.
func (m *metrics) sample(name string, value float64, at int64, labels ...string) {
	for i := 1; i < len(labels); i += 2 {
		labels[i] = printable(labels[i])
	}
	m.Sample(name, value, wall(m.h, m.h.Mono+at), labels...)
}

func (m *metrics) operations(over measure.Series) {
	m.Family("squall_operations", "counter", "Operations of the load that returned, by function and outcome; failed and unknown ones over all functions.")
	count := func(buckets []int64, labels ...string) {
		sum := int64(0)
		for i, n := range buckets {
			sum += n
			m.sample("squall_operations_total", float64(sum), over.Begin+int64(i+1)*over.Step, labels...)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(over.OK)) {
		count(over.OK[f], "function", string(f), "outcome", string(history.OK))
	}
	count(over.Fail, "outcome", string(history.Fail))
	count(over.Info, "outcome", string(history.Info))
}

func (m *metrics) latency(over measure.Series) {
	m.Family("squall_latency_seconds", "gauge", "Latency of the operations that succeeded in this second.")
	for _, q := range []struct {
		name string
		of   func(measure.Quantiles) measure.Millis
	}{
		{"0.5", func(q measure.Quantiles) measure.Millis { return q.P50 }},
		{"0.9", func(q measure.Quantiles) measure.Millis { return q.P90 }},
		{"0.99", func(q measure.Quantiles) measure.Millis { return q.P99 }},
		{"1", func(q measure.Quantiles) measure.Millis { return q.Max }},
	} {
		for i, l := range over.Latency {
			if l.Count > 0 {
				m.sample("squall_latency_seconds", float64(q.of(l))/1e3, over.Begin+int64(i+1)*over.Step, "quantile", q.name)
			}
		}
	}
}

func (m *metrics) faults(all []spell, end int64) {
	m.Family("squall_fault", "gauge", "1 while a fault is in force.")
	for _, f := range all {
		m.during("squall_fault", f.Begin, f.End, end, "id", strconv.Itoa(f.ID), "fault", f.Name, "variant", f.Variant, "targets", strings.Join(f.Targets, " "))
	}
}

func (m *metrics) leaders(all []measure.Leadership, end int64) {
	m.Family("squall_leader", "gauge", "1 while a node leads a term, by its own trace.")
	for _, l := range all {
		until := l.End
		if until == 0 {
			until = end
		}
		m.during("squall_leader", l.Begin, until, end, "node", l.Node, "term", strconv.FormatUint(l.Term, 10))
	}
}

// during writes 1 from a moment on, once a step, and 0 when it is over.
func (m *metrics) during(name string, begin, until, end int64, labels ...string) {
	for at := begin; at < until; at += int64(step) {
		m.sample(name, 1, at, labels...)
	}
	m.sample(name, 0, min(max(until, begin), max(end, begin)), labels...)
}
