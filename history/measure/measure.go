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
	// Histogram holds the latencies of the OK ones in µs, three digits exact: an
	// HdrHistogram, compressed (V2), in base64. "" when there are none.
	Histogram string `json:"histogram,omitempty"`
}

// Ops counts the operations of the load phase.
type Ops struct {
	Total       int64   `json:"total"`
	Beside      int64   `json:"beside,omitempty"` // operations that are none of the load's: final reads and others
	OK          int64   `json:"ok"`
	Fail        int64   `json:"fail"`
	Info        int64   `json:"info"`
	LoadSeconds float64 `json:"loadSeconds"`
	Throughput  float64 `json:"throughput"` // OK operations per second of load
	// Functions are all that operations do, in the order of the history's header.
	Functions []string           `json:"functions,omitempty"`
	ByFunc    map[string]FuncOps `json:"byFunc"`
	Keys      int64              `json:"keys"`
	// Availability is the share of the operations that succeeded, 0 to 1; 0 when
	// there were none.
	Availability float64 `json:"availability"`
	// NoSuccessMax is the longest time in the load in which no operation of any client
	// succeeded; 0 when there was no load, or in results of before.
	NoSuccessMax Millis `json:"noSuccessMaxMs,omitempty"`
}

// Blocks are equal stretches of the load, one after another, which stand for
// samples where there is one run only. The rest of the load that does not fill a
// block is left out.
type Blocks struct {
	Begin   int64   `json:"begin"`   // of the first, ns since the start of the test
	Seconds float64 `json:"seconds"` // length of each
	// Each slice has one element a block. An operation belongs to the block in
	// which it returned.
	OK   []int64 `json:"ok"`
	Fail []int64 `json:"fail"`
	Info []int64 `json:"info"`
	// P50 and P99 are the latencies of the OK operations in ms; 0 in a block
	// without one. By function, as in Ops.ByFunc, and "" for all together.
	P50 map[string][]Millis `json:"p50ms"`
	P99 map[string][]Millis `json:"p99ms"`
}

// Leadership is one node's leadership of one term.
type Leadership struct {
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

	// Candidate is the first node that noticed the loss and did something about
	// it: that stood for election in a term later than that of the lost leader, or
	// asked whether it could win that term (the pre-vote); "" when the history
	// tells of none. A node that was cut off, down or paused since before the loss
	// does not count.
	Candidate string `json:"candidate,omitempty"`
	// Detection is from the loss to that moment, Election from there to the next
	// leader; 0 where there was no such moment. Where there were both, they sum up
	// to NoLeader. A node that stood already when the leader was lost makes a
	// Detection of 0.
	Detection Millis `json:"detectionMs"`
	Election  Millis `json:"electionMs"`
	// Rounds is how many terms somebody stood for between the loss and the next
	// leader, or the end of the test; SplitVotes how many of them nobody won though
	// two or more stood; Terms how many the term grew by. A pre-vote is no round.
	Rounds     int    `json:"rounds"`
	SplitVotes int    `json:"splitVotes"`
	Terms      uint64 `json:"terms"`
	// Clients is what the clients felt, each by itself, as Unavailable is what they
	// felt together. Like Unavailable it is of the load phase.
	Clients Felt `json:"clients"`
}

// Felt is how long clients had no success around a loss, in milliseconds: each
// client's longest time from one success to its next around the loss. A client
// goes on as another process when one of its operations is not answered; those
// are one client here.
type Felt struct {
	Count  int    `json:"count"` // of the clients that had one before and one after
	Median Millis `json:"medianMs"`
	Max    Millis `json:"maxMs"`
}

// FaultEffect is what clients felt of one fault that took effect: the load before
// it, while it held (from the command to inject to the command to heal), and
// after its heal. Before and After are calm: no other fault was in force. They are
// the nearest calm time, as long as During as far as there is so much of it, and
// empty (Begin = End) where there is none.
type FaultEffect struct {
	ID     int     `json:"id"`
	Name   string  `json:"fault"`
	Before Stretch `json:"before"`
	During Stretch `json:"during"`
	After  Stretch `json:"after"`
	// Changes are During and After less Before, of each metric. A metric that one
	// of the two lacks is left out (no latency without a success), and so is all of
	// a stretch shorter than half a second.
	Changes []Change `json:"changes"`
	// Recovery is from the command to heal until the first second with at least as
	// many successes as the poorest second before the fault, or 90 % of their mean if
	// that is less, to a tenth of a second; 0 with Recovered false: there was none up to the next fault or the end of the
	// load, or before the fault no calm second to compare with.
	Recovery  Millis `json:"recoveryMs"`
	Recovered bool   `json:"recovered"`
	// Overlaps are the IDs of the faults that were in force at the same time: the
	// effect is theirs too.
	Overlaps []int `json:"overlaps,omitempty"`
}

// Stretch is the load in a window: the operations that returned in it.
type Stretch struct {
	Begin        int64     `json:"begin"` // ns since the start of the test
	End          int64     `json:"end"`
	OK           int64     `json:"ok"`
	Fail         int64     `json:"fail"`
	Info         int64     `json:"info"`
	Throughput   float64   `json:"throughput"`   // OK operations per second
	Availability float64   `json:"availability"` // 0 to 1
	Latency      Quantiles `json:"latency"`
}

// Change is the difference of one metric between two stretches, with a 95 %
// confidence interval by a moving-block bootstrap.
type Change struct {
	Metric string  `json:"metric"` // "throughput", "latency p50", "latency p99", "availability"
	Unit   string  `json:"unit"`   // "ops/s", "ms", "%": points of availability
	From   string  `json:"from"`   // "before"
	To     string  `json:"to"`     // "during" or "after"
	Value  float64 `json:"value"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	// Sure is true when the interval does not hold 0.
	Sure bool `json:"sure"`
}

// Elections is who led when, by the servers' traces, and what losing a leader cost. The medians are
// over the losses that a next leader made good; the maxima are over all.
// Losses outside the load phase do not count in the figures of Unavailable.
type Elections struct {
	Count             int          `json:"count"` // leaders elected
	Leaderships       []Leadership `json:"reigns"`
	Losses            []Loss       `json:"losses"`
	NoLeaderMedian    Millis       `json:"noLeaderMedianMs"`
	NoLeaderMax       Millis       `json:"noLeaderMaxMs"`
	UnavailableMedian Millis       `json:"unavailableMedianMs"`
	UnavailableMax    Millis       `json:"unavailableMaxMs"`
	// Of the losses with a Candidate and a next leader.
	DetectionMedian Millis `json:"detectionMedianMs"`
	DetectionMax    Millis `json:"detectionMaxMs"`
	ElectionMedian  Millis `json:"electionMedianMs"`
	ElectionMax     Millis `json:"electionMaxMs"`
	SplitVotes      int    `json:"splitVotes"` // of all losses
	// LossCount is how many losses there were, where Losses has only the first
	// MostLosses of them; 0 where it has them all. See Lost.
	LossCount int `json:"lossCount,omitempty"`
	// NoTrace is true when no server wrote a trace: who led is not known. Logged is then
	// what the servers' logs told; nil when they told nothing. None of the above is of it.
	NoTrace bool    `json:"noTrace,omitempty"`
	Logged  *Logged `json:"logged,omitempty"`
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
	// Lapsed says why it stopped biting before it was to be healed; "" when it
	// did not.
	Lapsed string `json:"lapsed,omitempty"`
	// Aim is the moment that it waited for; nil: none.
	Aim *FaultAim `json:"aim,omitempty"`
}

// FaultAim is the moment that a fault waited for.
type FaultAim struct {
	Moment string `json:"moment"`
	Missed bool   `json:"missed"` // it was not seen in time, and the fault began without it
	At     int64  `json:"at,omitempty"`
	// LateNs is by how much later than aimed the fault began, by the moment's own time, ns.
	LateNs int64  `json:"lateNs,omitempty"`
	Node   string `json:"node,omitempty"` // whose moment it was
	Peer   string `json:"peer,omitempty"`
	Term   uint64 `json:"term,omitempty"`
	Text   string `json:"text"` // for people: "2.1 ms after vote-granted of n3"
}

// HistoryInfo says what was read.
type HistoryInfo struct {
	Records   int64  `json:"records"`
	Bytes     int64  `json:"bytes"`
	Truncated string `json:"truncated,omitempty"` // what is missing at the end, "" when whole
}
