// Package check gives verdicts over a recorded history. It reads a run
// directory alone: it knows no Docker and no network.
//
// It knows what a check is, and no check: those are in the packages below it, and a
// workload says which of them a test is judged by (workloads.Workload.Checkers).
package check

import (
	"fmt"

	"squall/history"
	"squall/history/measure"
)

// SchemaVersion is the version of results.json.
const SchemaVersion = 2

// Verdict is the outcome of a check or of a whole test.
type Verdict string

// The four outcomes; they are never mixed. Over several checks the first of
// this order that occurs wins: Violation, Invalid, Unknown, Pass.
const (
	Pass      Verdict = "pass"
	Violation Verdict = "violation" // a guarantee was broken
	Unknown   Verdict = "unknown"   // the checker could not decide within its limits
	Invalid   Verdict = "invalid"   // infrastructure failed, or too quiet to mean anything
)

// Result is what one checker found.
type Result struct {
	Name    string  `json:"name"` // "linearizable", "election-safety", …
	Verdict Verdict `json:"verdict"`
	Summary string  `json:"summary"` // one line: what was checked, or what is wrong
	// FirstAt is when the guarantee was first seen to be broken, in seconds since the
	// start of the test; nil when it was kept, or when there is no such moment.
	FirstAt *float64 `json:"firstAt,omitempty"`
	// Kind names the kind of a violation, see the Kind constants. Explanation tells
	// it in one sentence: which node, who led in which term, and which faults held.
	Kind        Kind   `json:"kind,omitempty"`
	Explanation string `json:"explanation,omitempty"`
	// Anomaly is what a violation of transactions is called in the field, by Adya and Elle:
	// "G-single", "G1a", "G2-item-realtime". RuledOut are the isolation levels that it rules
	// out, the weakest first.
	Anomaly  string   `json:"anomaly,omitempty"`
	RuledOut []string `json:"ruledOut,omitempty"`
	// Key is the key whose operations are not linearizable.
	Key string `json:"key,omitempty"`
	// Witness is the smallest set of operations found that shows a violation,
	// by time of call; Events are the node events that show one.
	Witness []WitnessOp         `json:"witness,omitempty"`
	Events  []history.NodeEvent `json:"events,omitempty"`
	// Cycle is the shortest cycle of transactions that shows a violation: an edge from each to the
	// next, and from the last to the first.
	Cycle []CycleEdge `json:"cycle,omitempty"`
	// Start says from when on the witness holds, and of what the register then held,
	// where it does not begin with the key: "whatever it held at 7.512 s".
	Start string `json:"start,omitempty"`
	// Picture is a file in the run directory that draws the violation.
	Picture string `json:"picture,omitempty"`
	// Rules are the rules of conformance that were broken, the one first that was broken
	// first.
	Rules   []string `json:"rules,omitempty"`
	Seconds float64  `json:"seconds"` // what the check took
	// Stats are the checker's own figures, e.g. keys, operations, reduced.
	Stats map[string]float64 `json:"stats,omitempty"`
}

// CycleEdge says that one transaction comes before another.
type CycleEdge struct {
	From int `json:"from"` // the places of the two in Witness, from 0 on
	To   int `json:"to"`
	// Kind is why, in Adya's words: "wr" (the second read what the first wrote), "ww" (the second
	// replaced what the first wrote), "rw" (the second replaced what the first read), "rt" (the first
	// had been answered before the second was called) or "process" (one process ran both).
	Kind string `json:"kind"`
	On   string `json:"on,omitempty"` // the key that it is about; "": it is about time
}

// WitnessOp is an operation as results.json shows it.
type WitnessOp struct {
	Process int64   `json:"process"`
	Node    string  `json:"node"`
	Text    string  `json:"text"` // "write(k) ← 17", "read(k) → 16", "cas(k) 16→17: found 12"
	Outcome string  `json:"outcome"`
	Call    int64   `json:"call"`   // ns since the start of the test
	Return  int64   `json:"return"` // ns since the start of the test
	CallS   float64 `json:"callSeconds"`
	// Beside marks an operation that is not needed to show the violation but explains
	// it, such as a write that was answered "failed" and whose value was read.
	Beside bool `json:"beside,omitempty"`
}

// Kind is what sort of violation was found.
type Kind string

// The kinds of violations of registers.
const (
	KindStaleRead     Kind = "stale read"               // an old value, after a newer one was written or read
	KindLostWrite     Kind = "lost write"               // an acknowledged write that later reads do not see
	KindFailedWrite   Kind = "read of a failed write"   // the write was answered "failed"
	KindUnknownWrite  Kind = "read of an unknown write" // the write's outcome is unknown, and no moment for it fits
	KindPhantom       Kind = "read of nothing written"  // nobody wrote the value
	KindDoubleGrant   Kind = "double grant"             // two compare-and-sets took the same value
	KindStaleCAS      Kind = "compare-and-set on an old value"
	KindReplacedTwice Kind = "value replaced twice" // by two writes, or a write and a compare-and-set
	KindStaleReplaced Kind = "write in place of an old value"
)

// The kinds of violations of sets, locks, counters and queues, besides stale reads and double
// grants.
const (
	KindNowhere      Kind = "element from nowhere" // it was read, and nobody had added it
	KindElementTwice Kind = "element read twice"
	KindLostElement  Kind = "lost element"           // later reads lack it
	KindCameBack     Kind = "element that came back" // it was removed, and found again
	KindToken        Kind = "token that does not increase"
	KindWrongHolder  Kind = "wrong holder" // of a lock
	KindCount        Kind = "count that no order explains"
	KindIDTwice      Kind = "id given twice"
	KindBackwards    Kind = "number that went back"    // below one that had been answered before
	KindTakenTwice   Kind = "value taken twice"        // out of a queue
	KindOutOfOrder   Kind = "value taken out of order" // an older one was still in the queue
)

// The kinds of violations of transactions on lists, beside those of sets.
const (
	KindFractured Kind = "fractured read"                      // a part of a transaction was read
	KindTorn      Kind = "transaction that is not atomic"      // another's element stands within it
	KindOrder     Kind = "reads in different orders"           // neither of two is the beginning of the other
	KindInternal  Kind = "transaction that contradicts itself" // its own reads and appends do not fit
	KindAgainst   Kind = "order against time"                  // what was appended later stands earlier
)

// The kinds of violations of transactions on registers, beside those of registers and
// lists. Result.Anomaly has the field's name.
const (
	KindIntermediate Kind = "intermediate read"       // of what its transaction replaced itself
	KindLostUpdate   Kind = "lost update"             // two replaced the same value
	KindDirtyWrite   Kind = "writes in a circle"      // each replaced what the other wrote
	KindCircular     Kind = "information in a circle" // each saw what the other wrote, or replaced it
	KindReadSkew     Kind = "read skew"               // a read of two moments
	KindLongFork     Kind = "long fork"               // two saw two writes in different orders
	KindWriteSkew    Kind = "write skew"              // each replaced what the other had read
)

// The kinds of violations of a bank.
const (
	KindTotal     Kind = "total that changed" // of the money in all accounts
	KindOverdrawn Kind = "overdrawn account"
)

// The kinds of violations of leases and of what they protect, beside those of locks.
const (
	KindLeaseEarly Kind = "lease that ended early"
	KindFence      Kind = "write with an old token"                // accepted after one with a newer token
	KindRefused    Kind = "write refused though its token was new" // no write with a newer token was before
)

// KindUnavailable is the kind of violation of a promise to serve.
const KindUnavailable Kind = "unavailable"

// KindDiverged is the kind of violation of copies of the replicated state.
const KindDiverged Kind = "replicas that differ"

// The kinds of violations of watches, beside orders against time.
const (
	KindEventLost    Kind = "lost event"          // a watch was told of what came after it
	KindEventTwice   Kind = "event told twice"    // or one that is older than what was asked for
	KindEventOrder   Kind = "events out of order" // a later revision before an earlier one
	KindEventApart   Kind = "events that belong together were torn apart"
	KindEventNowhere Kind = "event of nothing written" // or with another key
	KindEventEarly   Kind = "event from the future"    // its write was called only later
	KindRevision     Kind = "revisions that contradict each other"
	KindEventNever   Kind = "event that does not arrive" // though the node serves
)

// The kinds of violations of any model: one operation went wrong, and all the rest fits.
const (
	KindFailedEffect Kind = "failed operation took effect"
	KindLost         Kind = "lost operation"               // it was acknowledged, and took no effect
	KindTwice        Kind = "operation took effect twice"  // once by itself, and once more
	KindEarly        Kind = "effect before its operation"  // it was called only later
	KindNoOrder      Kind = "answers that fit in no order" // and no single operation explains it
)

// Results is results.json.
type Results struct {
	SchemaVersion int     `json:"schemaVersion"`
	Verdict       Verdict `json:"verdict"`
	// Stopped says that the test was stopped early, and when: "stopped after 12.2 s
	// of 20 s"; "" for a test that ran to its end. It is shown wherever the verdict is.
	Stopped string `json:"stopped,omitempty"`
	// Seen is the violation that was seen while the test ran, for which it was stopped:
	// "linearizable: no order explains read(k) → 17"; "" when it was not.
	Seen      string             `json:"seen,omitempty"`
	Reasons   []string           `json:"reasons"` // why, when it is not pass
	Checks    []Result           `json:"checks"`
	Ops       measure.Ops        `json:"ops"`
	Elections measure.Elections  `json:"elections"`
	Faults    []measure.FaultRun `json:"faults"`
	// Thin is true when the faults after the first MostProofs are without their
	// proofs and figures, which the history holds.
	Thin bool `json:"thin,omitempty"`
	// Situations are those of Raft that the nodes' trace shows; nil without a trace.
	Situations *Situations `json:"situations,omitempty"`
	// Effects are what clients felt of each fault, Blocks the load in equal pieces.
	Effects []measure.FaultEffect `json:"effects"`
	Blocks  measure.Blocks        `json:"blocks"`
	// Thresholds are those that were set for the run. The verdict is of the checks
	// alone; a run passes when its verdict is pass and no threshold is missed.
	Thresholds []Threshold `json:"thresholds,omitempty"`
	// History says what was read: records, bytes, and whether the file was cut.
	History measure.HistoryInfo `json:"history"`
	// Clocks says how exact the times are.
	Clocks measure.Clocks `json:"clocks"`
}

// MostProofs is how many faults keep their proofs and figures in results.json.
const MostProofs = 5000

// thin leaves out the proofs and figures of faults beyond the first ones, so that
// results stay small enough to be read, however many faults there were.
func (r *Results) thin() {
	if len(r.Faults) <= MostProofs {
		return
	}
	r.Thin = true
	for i := MostProofs; i < len(r.Faults); i++ {
		f := &r.Faults[i]
		f.Proof, f.HealProof, f.Measured, f.HealMeasured = nil, nil, nil, nil
	}
}

// Threshold is a bound that was set on a metric, and what came of it.
type Threshold struct {
	Text string `json:"text"` // as it was given: "latency{op=write} p(99) < 50ms"
	Met  bool   `json:"met"`
	// NoData is true when there was nothing to judge: no election took place, say.
	// Such a threshold is not missed, and shows nothing; Met is true.
	NoData bool `json:"noData,omitempty"`
	// Value is what was measured, in Unit, and Samples of how many it was made; the
	// Limit is in the same unit.
	Value   float64 `json:"value"`
	Limit   float64 `json:"limit"`
	Unit    string  `json:"unit"` // "ms", "ops/s", "%", ""
	Samples int64   `json:"samples"`
	// Why says in one line what was found: "p(99) of 1,204 writes: 71 ms".
	Why string `json:"why"`
}

// Outcome is what came of a threshold, in a word or two.
func (t Threshold) Outcome() string {
	switch {
	case t.NoData:
		return "no data"
	case t.Met:
		return "met"
	}
	return "missed"
}

// WithoutData are the thresholds that had nothing to judge.
func (r *Results) WithoutData() []Threshold {
	var none []Threshold
	for _, t := range r.Thresholds {
		if t.NoData {
			none = append(none, t)
		}
	}
	return none
}

// FirstViolation says when a check first saw its guarantee broken: "first violation
// at 7.7 s"; "" when it did not, or when no such moment is known.
func (r *Result) FirstViolation() string {
	if r.Verdict != Violation || r.FirstAt == nil {
		return ""
	}
	return fmt.Sprintf("first violation at %.1f s", *r.FirstAt)
}

// Told is the summary of a check, with when its guarantee was first broken.
func (r *Result) Told() string {
	if first := r.FirstViolation(); first != "" {
		return r.Summary + "; " + first
	}
	return r.Summary
}

// Missed are the thresholds that were not met.
func (r *Results) Missed() []Threshold {
	var missed []Threshold
	for _, t := range r.Thresholds {
		if !t.Met {
			missed = append(missed, t)
		}
	}
	return missed
}
