package serve

import (
	"net/http"
	"time"

	"squall/internal/openmetrics"
)

// metrics tells Prometheus of the runs in the folder: how many there are in each state, and
// of each test the last one that has figures.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	found := s.scanner.look()
	w.Header().Set("Content-Type", openmetrics.ContentType)
	m := openmetrics.New(w)
	counts := map[string]int{}
	for i := range found.runs {
		counts[found.runs[i].State]++
	}
	m.Family("squall_runs", "gauge", "Runs in the folder, by verdict or state.")
	for _, state := range states {
		m.Sample("squall_runs", float64(counts[state]), time.Time{}, "state", state)
	}
	clear(counts)
	for i := range found.campaigns {
		counts[found.campaigns[i].State]++
	}
	m.Family("squall_campaigns", "gauge", "Campaigns in the folder, by state.")
	for _, state := range []string{stateRunning, "done", "stopped", stateUnfinished, stateDamaged} {
		m.Sample("squall_campaigns", float64(counts[state]), time.Time{}, "state", state)
	}
	last := lastOfEachTest(found.runs)
	for _, family := range []struct {
		name, help string
		of         func(*runInfo) float64
	}{
		{"squall_last_run_start_seconds", "When the last run of a test began, in seconds since 1970.", func(r *runInfo) float64 { return float64(r.Started.Unix()) }},
		{"squall_last_run_operations_per_second", "Operations that succeeded in each second of the load of the last run.", func(r *runInfo) float64 { return r.Throughput }},
		{"squall_last_run_leaders_lost", "How often the last run lost its leader.", func(r *runInfo) float64 { return float64(r.Lost) }},
		{"squall_last_run_faults", "Faults of the last run.", func(r *runInfo) float64 { return float64(r.Faults) }},
	} {
		m.Family(family.name, "gauge", family.help)
		for _, r := range last {
			m.Sample(family.name, family.of(r), time.Time{}, "test", r.Test, "state", r.State)
		}
	}
	_ = m.End() // whoever asked has gone
}

// lastOfEachTest are the newest runs with figures, one of each test, the newest first.
func lastOfEachTest(runs []runInfo) (last []*runInfo) {
	seen := map[string]bool{}
	for i := range runs { // the newest first
		if r := &runs[i]; r.HasFigures && !seen[r.Test] {
			seen[r.Test] = true
			last = append(last, r)
		}
	}
	return last
}
