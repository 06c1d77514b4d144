package driver

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"squall/history"
)

// Names of events, in the order in which a run passes them.
const (
	EventReady     = "ready"      // the configuration is understood
	EventWaiting   = "waiting"    // a node is not ready to serve: Text says which, and what was seen
	EventAllReady  = "all-ready"  // every node is ready, of a system that says when nodes are
	EventServing   = "serving"    // the system serves: Text says how that was seen; only after a probe
	EventLoadBegin = "load-begin" // clients start
	EventStats     = "stats"      // once a second, as long as the driver runs
	EventLoadEnd   = "load-end"   // every operation has ended, and all lines are written
	EventRecovery  = "recovery"   // the operations that show whether the cluster came back begin
	EventRecovered = "recovered"  // they have ended, well or not, and all lines are written
	EventFinal     = "final"      // the final operations begin
	EventFinalDone = "final-done" // they have ended, and all lines are written
	EventScan      = "scan"       // all that was written begins to be read back
	EventScanned   = "scanned"    // it was, as far as there was time, and all lines are written
	EventCompare   = "compare"    // the nodes' copies of the state are being compared
	EventCompared  = "compared"   // they were: Replicas
	EventAnswer    = "answer"     // what came of an Ask: Answer
	EventLeader    = "leader"     // the nodes name another leader: Text, "" for none
	EventError     = "error"      // Error says what is wrong with the input or the run
)

// Event is one line of the driver's status stream.
type Event struct {
	Event string `json:"event"`
	Time  int64  `json:"t"` // CLOCK_MONOTONIC, ns
	// Counts of operations since the load began, final operations included.
	Counts
	// Late is by how much this second's look at the counts came late, ns: how far
	// the driver is from doing what it does in time. In "stats".
	Late int64 `json:"late,omitempty"`
	// InFlight is how many operations are under way.
	InFlight int `json:"inflight"`
	// Latency is that of the load's OK operations so far: in "stats" and
	// "load-end". In an open loop it counts from the moment the operation was
	// due, so that an operation which had to wait for a free client shows the
	// wait; in a closed loop, and in the history's times always, from its call.
	Latency *Latency `json:"latency,omitempty"`
	// Final tells how the final operations went: in "final-done"; and how the
	// operations of the recovery and the scan did: in "recovered" and "scanned".
	Final    *FinalCounts      `json:"final,omitempty"`
	Replicas *history.Replicas `json:"replicas,omitempty"` // in "compared"
	Answer   *Answer           `json:"answer,omitempty"`   // in "answer"
	Text     string            `json:"text,omitempty"`
	Error    string            `json:"error,omitempty"`
}

// Counts are operations by outcome.
type Counts struct {
	OK   int64 `json:"ok"`
	Fail int64 `json:"fail"`
	Info int64 `json:"info"`
}

// FinalCounts tell of the operations after the storm.
type FinalCounts struct {
	Wanted  int `json:"wanted"`  // reads of a key through a node; in the recovery also writes
	Missing int `json:"missing"` // those that never succeeded; in the scan also those that were not tried
}

// Latency holds quantiles, in milliseconds.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50ms"`
	P99   float64 `json:"p99ms"`
	Max   float64 `json:"maxms"`
}

// status writes events, one line each, and what else comes in whole lines.
type status struct {
	mu sync.Mutex
	w  io.Writer
}

// Write takes whole lines for people.
func (s *status) Write(lines []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(lines)
}

func (s *status) emit(e Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode the event %q: %w", e.Event, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("report the event %q: %w", e.Event, err)
	}
	return nil
}
