// Package measure derives figures from a recorded history: operations by kind
// and outcome, throughput, latency, who led when, how long there was no
// leader, and what the clients felt of it. It judges nothing.
package measure

import "squall/history"

// Millis is a duration in milliseconds.
type Millis float64

// Quantiles of a set of latencies, in milliseconds; zero when Count is 0.
type Quantiles struct {
	Count int64  `json:"count"`
	P50   Millis `json:"p50ms"`
	P90   Millis `json:"p90ms"`
	P99   Millis `json:"p99ms"`
	Max   Millis `json:"maxms"`
}

// FuncOps are the operations of one function (read, write, cas).
type FuncOps struct {
	OK      int64     `json:"ok"`
	Fail    int64     `json:"fail"`
	Info    int64     `json:"info"`
	Latency Quantiles `json:"latency"` // of the OK ones
}

// Ops counts the operations of the load phase.
type Ops struct {
	Total       int64              `json:"total"`
	OK          int64              `json:"ok"`
	Fail        int64              `json:"fail"`
	Info        int64              `json:"info"`
	LoadSeconds float64            `json:"loadSeconds"`
	Throughput  float64            `json:"throughput"` // OK operations per second of load
	ByFunc      map[string]FuncOps `json:"byFunc"`
	Keys        int64              `json:"keys"`
}

// Reign is one node's leadership of one term.
type Reign struct {
	Node  string `json:"node"`
	Term  uint64 `json:"term"`
	Begin int64  `json:"begin"` // ns since the start of the test
	End   int64  `json:"end"`   // 0: still leading at the end
	Cause string `json:"cause"` // what ended it: "killed", "paused", "cut off", "stepped down", …
}

// Loss is the loss of a leader and what came of it. All times are ns since
// the start of the test, durations milliseconds.
type Loss struct {
	At        int64  `json:"at"`
	Node      string `json:"node"`
	Term      uint64 `json:"term"`
	Cause     string `json:"cause"`
	NewLeader string `json:"newLeader,omitempty"` // "": none was elected any more
	NewTerm   uint64 `json:"newTerm,omitempty"`
	// NoLeader is from the loss to the next leader's election, or to the end
	// of the test when there was none: then it is a lower bound.
	NoLeader Millis `json:"noLeaderMs"`
	// Unavailable is the longest time around the loss in which no client's
	// operation succeeded: last success to next success. It is 0 for a loss
	// outside the load phase, when no client could feel it.
	Unavailable Millis `json:"unavailableMs"`
	// UnavailableAt is when that time began; 0 when Unavailable is.
	UnavailableAt int64 `json:"unavailableAt,omitempty"`
}

// Elections is who led when, and what losing a leader cost. The medians are
// over the losses that a next leader made good; the maxima are over all.
// Losses outside the load phase do not count in the figures of Unavailable.
type Elections struct {
	Count             int     `json:"count"` // leaders elected
	Reigns            []Reign `json:"reigns"`
	Losses            []Loss  `json:"losses"`
	NoLeaderMedian    Millis  `json:"noLeaderMedianMs"`
	NoLeaderMax       Millis  `json:"noLeaderMaxMs"`
	UnavailableMedian Millis  `json:"unavailableMedianMs"`
	UnavailableMax    Millis  `json:"unavailableMaxMs"`
}

// FaultRun is one fault from its injection to its heal; ns since the start.
type FaultRun struct {
	ID       int               `json:"id"`
	Name     string            `json:"fault"`
	Kind     history.FaultKind `json:"kind,omitempty"`
	Variant  string            `json:"variant"`
	Params   string            `json:"params,omitempty"`
	Targets  []string          `json:"targets"`
	Detail   string            `json:"detail,omitempty"`
	Begin    int64             `json:"begin"`    // command to inject
	Bitten   int64             `json:"bitten"`   // verified from inside; 0: never
	HealAt   int64             `json:"healAt"`   // command to heal; 0: never healed
	Healed   int64             `json:"healed"`   // verified; 0: never
	Verified bool              `json:"verified"` // the injection was verified
	Proof    []string          `json:"proof,omitempty"`
	// HealProof is what was measured from inside after the heal.
	HealProof []string `json:"healProof,omitempty"`
	// Measured are the figures of the proof, HealMeasured those of the heal's.
	Measured     []history.Measure `json:"measured,omitempty"`
	HealMeasured []history.Measure `json:"healMeasured,omitempty"`
	Err          string            `json:"err,omitempty"`
}

// HistoryInfo says what was read.
type HistoryInfo struct {
	Records   int64  `json:"records"`
	Bytes     int64  `json:"bytes"`
	Truncated string `json:"truncated,omitempty"` // what is missing at the end, "" when whole
}
