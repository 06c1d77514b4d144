// Package history is what a test recorded: client operations, faults and node
// events in one log, each with a time on one clock, and the codec, recorder
// and streaming reader of that log (history.jsonl.zst).
//
// Every time is CLOCK_MONOTONIC of the machine, in nanoseconds. All machines
// of one host share that clock, so times from different nodes compare.
package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// FormatVersion is the version of the log that this package writes. Version 1,
// which knew registers alone, is read as well: see register.go. A reader refuses a
// version that it does not know.
const FormatVersion = 2

// Header is the first line of every history.
type Header struct {
	Format   string    `json:"format"`  // always "squall-history"
	Version  int       `json:"version"` // FormatVersion; 1 in a file of that version
	Squall   string    `json:"squall"`  // version of the tool that recorded it
	Test     string    `json:"test"`
	System   string    `json:"system"`
	Workload string    `json:"workload"`
	Nodes    []string  `json:"nodes"`
	Seed     uint64    `json:"seed"`
	Mono     int64     `json:"mono"` // CLOCK_MONOTONIC at the start of the test, ns
	Wall     time.Time `json:"wall"` // the same moment on the wall clock
	// Functions are what the operations do. No operation does anything else.
	Functions Functions `json:"functions,omitempty"`
	// Numbered says that every frame but the header's has its number and its count
	// of lines before it, and the file an end: see docs/history-format.md.
	Numbered bool `json:"numbered,omitempty"`
}

// Outcome says what is known of an operation.
type Outcome string

// The outcomes, by Jepsen's names. An operation that answered is OK even when
// its answer was "the compare failed". Fail means that it certainly had no
// effect. Info means that it may or may not have taken effect, now or later.
const (
	OK   Outcome = "ok"
	Fail Outcome = "fail"
	Info Outcome = "info"
)

// ErrorUnderWay is the Error of an operation that was called, and of which the
// history tells no end: its Return is then only when the history ends.
const ErrorUnderWay = "still under way when the history ended"

// Op is one client operation, from its call to its return.
//
// A process runs one operation at a time. After an operation with outcome
// Info its process never runs another one.
type Op struct {
	Process int64
	Node    string // the node that the client spoke to
	Func    Func
	Key     string // "" for an operation over several keys
	In      Data   // what was asked for; "" where the function takes nothing
	Out     Data   // what was answered; "" for nothing, and unless Outcome is OK
	Outcome Outcome
	Error   string // why it failed, or why its outcome is unknown
	Call    int64  // ns
	// Return is the time of the answer, ns. For an operation with outcome
	// Info it is when the client gave up: the operation itself may take effect
	// at any time after Call.
	Return int64
	// Final marks the operations made after every fault was healed: those that show
	// whether the cluster serves again, and the final reads.
	Final bool
}

// Phase is a step in the life of a fault.
type Phase string

// The phases of a fault.
const (
	Inject Phase = "inject"
	Heal   Phase = "heal"
)

// Link is one direction between two nodes: To drops what From sends.
type Link struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Fault is one step (injection or heal) of one fault.
type Fault struct {
	// Name comes first, because the first key of a line says what it holds.
	Name    string    `json:"fault"`            // "partition", "delay", "kill"
	Kind    FaultKind `json:"kind,omitempty"`   // what it acts on; "" in histories of before
	ID      int       `json:"id"`               // the same in the injection and in the heal
	Variant string    `json:"variant"`          // whom it hits
	Params  string    `json:"params,omitempty"` // "delay=50ms, jitter=10ms"
	Phase   Phase     `json:"phase"`
	Targets []string  `json:"targets"` // nodes that are hurt, sorted
	Cut     []Link    `json:"cut,omitempty"`
	Detail  string    `json:"detail,omitempty"` // for people: "n2 | n1 n3 n4 n5"
	Begin   int64     `json:"t"`                // when the command was given, ns
	End     int64     `json:"end"`              // when it was verified from inside, ns
	Proof   []string  `json:"proof,omitempty"`  // what was measured from inside, for people
	// Measured are the figures of the proof.
	Measured []Measure `json:"measured,omitempty"`
	Err      string    `json:"err,omitempty"` // set when it did not take effect
	// Aim, in an injection, is the moment that the fault waited for; nil: none.
	Aim *Aim `json:"aim,omitempty"`
	// Lapsed, in a heal, says why the fault stopped biting before it was to be
	// healed; "" when it bit the whole time.
	Lapsed string `json:"lapsed,omitempty"`
}

// Aim is a moment that a fault waited for.
type Aim struct {
	Moment string `json:"moment"` // "vote-granted"
	// Time is when that was, by the time of the event that told it, ns; 0: it was not seen
	// in time, and the fault began without it.
	Time int64 `json:"t,omitempty"`
	// After is how long after it the fault was to begin, ns.
	After int64  `json:"after,omitempty"`
	Node  string `json:"node,omitempty"` // whose moment it was
	Peer  string `json:"peer,omitempty"` // the other node of it: of a vote, the candidate
	Term  uint64 `json:"term,omitempty"`
}

// Missed reports whether the moment was not seen in time.
func (a *Aim) Missed() bool { return a.Time == 0 }

// Late is by how much a fault that began at a time, ns, missed the moment that it was
// aimed at, ns.
func (a *Aim) Late(begin int64) int64 { return begin - a.Time - a.After }

// Text says in few words what a fault that began at a time, ns, was aimed at, and by how
// much it missed that: "2.1 ms after vote-granted of n3".
func (a *Aim) Text(begin int64) string {
	if a.Missed() {
		return a.Moment + " was not seen"
	}
	text := fmt.Sprintf("%.1f ms after %s", float64(begin-a.Time)/1e6, a.Moment)
	if a.Node != "" {
		text += " of " + a.Node
	}
	if a.After > 0 {
		text += fmt.Sprintf(" (aimed at %.0f)", float64(a.After)/1e6)
	}
	return text
}

// FaultKind is what a fault acts on.
type FaultKind string

// The kinds of faults.
const (
	KindPartition  FaultKind = "partition"  // links are cut
	KindPackets    FaultKind = "packets"    // packets are late, lost, doubled, damaged
	KindMessages   FaultKind = "messages"   // servers' messages are late, lost, doubled, old
	KindProcess    FaultKind = "process"    // server processes end or stand still
	KindMachine    FaultKind = "machine"    // machines go down, or are short of something
	KindDisk       FaultKind = "disk"       // disks lose, tear, fail
	KindClock      FaultKind = "clock"      // servers see a wrong time
	KindMembership FaultKind = "membership" // who belongs to the cluster changes
	KindSequence   FaultKind = "sequence"   // servers and links, one step after the other
)

// ClockRate is the Measure of every clock that a fault bends, whatever else that does.
const ClockRate = "clock rate"

// Measure is a figure that was measured from inside the machines, to prove that
// a fault takes effect or that it is gone.
type Measure struct {
	What  string  `json:"what"`            // "round trip", "lost", "clock offset"
	Where string  `json:"where,omitempty"` // a node, or a link: "n1→n2"
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"` // "ms", "%", "CPUs", "B/s"
	// Want is what it takes: "≥ 45". It holds, or else the fault has an error.
	Want string `json:"want,omitempty"`
}

// Kinds of node events. Those of the first group are written by the Raft node
// itself (see docs/trace.md), those of the second by squall's agent.
const (
	EventRole     = "role"     // Term, Role, Leader (if known), Reason, Index, EntryTerm, Timeout, Late
	EventVote     = "vote"     // Term, Vote: this node granted its vote to Vote
	EventCommit   = "commit"   // Index, EntryTerm, Hash: chain hash of the log up to Index
	EventState    = "state"    // Index, Hash: state machine after applying Index
	EventSnapshot = "snapshot" // Index, EntryTerm, Reason: "taken" or "installed"
	EventMembers  = "members"  // Members, Index
	EventTrial    = "trial"    // Index, Members, Reason: a step of an experiment, see docs/trace.md

	EventStart  = "start"  // the server process was started
	EventExit   = "exit"   // it ended: Reason
	EventPause  = "pause"  // SIGSTOP took effect
	EventResume = "resume" // SIGCONT took effect
	// EventSilent: the server runs on and its trace does not, because it closed
	// the trace, or wrote to it what is none: Reason. What it did afterwards is not
	// known, so a check that needs the whole trace cannot pass.
	EventSilent = "silent"
	// EventLogged is what squall read in the server's output (systems.LogReader): Role,
	// which the server says it has now, Term if it was told, and Leader, where it says
	// that another leads. Time is when squall had the line. It is a kind of its own, so
	// that nothing takes it for what a trace says.
	EventLogged = "logged"
)

// Reasons of EventExit when squall itself ended the process. Any other reason
// means that the server ended by itself.
const (
	ReasonKilled  = "killed by squall"
	ReasonStopped = "stopped by squall"
	// ReasonOOM: the kernel killed it because squall had left the machine too
	// little memory.
	ReasonOOM = "killed for want of memory, by squall"
	// ReasonRemoved: it ended by itself, as servers of some systems do, after squall had
	// had it removed from the cluster.
	ReasonRemoved = "removed from the cluster by squall"
	// ReasonDisk: it ended by itself, as it should, after squall had had its disk fail or damaged it.
	ReasonDisk = "ended over its disk, by squall"
	// ReasonLost: its machine ended with everything in it, which makes the test
	// invalid, but is not the server's own doing.
	ReasonLost = "lost with its machine"
)

// Reasons of EventExit when something other than squall ended a server that did
// nothing wrong. Such an end makes a test invalid, and is no violation.
const (
	// ReasonOutside: SIGKILL came from somebody else. For other signals see OutsideBy.
	ReasonOutside = outsideBegins + "SIGKILL)"
	// ReasonOwnLimit: the kernel killed it because it needed more than the test's
	// memory limit, when squall had not taken any of it away.
	ReasonOwnLimit = "killed by the kernel: out of its memory limit"
)

const outsideBegins = "killed from outside ("

// OutsideBy is the reason of an end by a signal of somebody else, which is named:
// OutsideBy("SIGKILL") is ReasonOutside.
func OutsideBy(signal string) string { return outsideBegins + signal + ")" }

// Outside reports whether an EventExit with this reason came neither from the
// server nor from squall.
func Outside(reason string) bool {
	return strings.HasPrefix(reason, outsideBegins) || reason == ReasonOwnLimit
}

// OwnDoing reports whether an EventExit with this reason was squall's doing, or
// its machine's, and not an end that the server came to by itself.
func OwnDoing(reason string) bool {
	switch reason {
	case ReasonKilled, ReasonStopped, ReasonOOM, ReasonRemoved, ReasonDisk, ReasonLost:
		return true
	}
	return false
}

// OfTrace reports whether a server itself wrote an event to its trace. All others
// were seen from outside.
func (e *NodeEvent) OfTrace() bool {
	switch e.Kind {
	case EventRole, EventVote, EventCommit, EventState, EventSnapshot, EventMembers, EventTrial:
		return true
	}
	return false
}

// Traced reports whether any server wrote a trace.
func Traced(events []NodeEvent) bool {
	return slices.ContainsFunc(events, func(e NodeEvent) bool { return e.OfTrace() })
}

// Roles in EventRole.
const (
	RoleFollower  = "follower"
	RoleCandidate = "candidate"
	RoleLeader    = "leader"
	RoleStopped   = "stopped"
)

// NodeEvent is something that happened on a node.
type NodeEvent struct {
	Node      string   `json:"node"`
	Boot      int      `json:"boot"` // which start of the server process, from 1
	Kind      string   `json:"e"`
	Time      int64    `json:"t"` // ns
	Term      uint64   `json:"term,omitempty"`
	Role      string   `json:"role,omitempty"`
	Leader    string   `json:"leader,omitempty"`
	Vote      string   `json:"vote,omitempty"`
	Index     uint64   `json:"i,omitempty"`
	EntryTerm uint64   `json:"et,omitempty"`
	Hash      string   `json:"h,omitempty"` // 16 hex digits
	Members   []string `json:"members,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Timeout   int64    `json:"timeout,omitempty"` // the election timeout that expired, ns
	Late      int64    `json:"late,omitempty"`    // by how much later the node came to it, ns
}

// Mark is a moment in the course of the test.
type Mark struct {
	Name string `json:"mark"`
	Time int64  `json:"t"`
	Text string `json:"text,omitempty"`
	// Clock is what a comparison of clocks found, only in a MarkClock.
	Clock *Clock `json:"clock,omitempty"`
	// Replicas is what nodes told of their copies, only in a MarkReplicas.
	Replicas *Replicas `json:"replicas,omitempty"`
	// Bound is how long the cluster has from this moment to serve through every
	// node again, in a MarkHealed, and how long the scan may take, in a MarkScan; ns.
	Bound int64 `json:"bound,omitempty"`
	// Rate is how many operations arrive from this moment on, only in a MarkRate.
	Rate *Rate `json:"rate,omitempty"`
}

// Clock is how squall's own clock stands to that of the machines, by which all
// times in a history are given.
type Clock struct {
	Offset int64 `json:"offset"` // the machines' clock less squall's, ns
	Error  int64 `json:"error"`  // ns that Offset may be wrong by; 0: it is one clock
}

// Replicas is what each node of a cluster told of its own copy of the replicated state.
type Replicas struct {
	At uint64 `json:"at"` // the position at which they are compared
	// Wanted is the position that all nodes were to reach first, where not all did in
	// time; 0: they did.
	Wanted uint64    `json:"wanted,omitempty"`
	Of     []Replica `json:"of"` // one for each node of the header
}

// Replica is what one node told.
type Replica struct {
	Node string `json:"node"`
	// Position is how far its copy had come: a number that grows with every change, and
	// means the same change on every node.
	Position uint64 `json:"position,omitempty"`
	// Digest sums its copy up as it was at Replicas.At, and is equal for equal copies.
	// Basis is what it covers, where that differs from node to node: digests of
	// different bases do not compare.
	Digest string `json:"digest,omitempty"`
	Basis  string `json:"basis,omitempty"`
	Err    string `json:"err,omitempty"` // why there is no digest
}

// Names of marks, in the order in which a test passes them.
const (
	MarkUp    = "up"    // every machine answers
	MarkClock = "clock" // squall's clock was compared with the machines': Clock
	// MarkServing is when the system was first seen to serve; Text says how that was
	// seen. Earlier versions called it "leader", and are read like this.
	MarkServing    = "serving"
	MarkLoadBegin  = "load-begin"  // clients start
	MarkLoadEnd    = "load-end"    // clients stop
	MarkHealed     = "healed"      // every fault is healed, and verified so
	MarkFinalReads = "final-reads" // the reads after the storm begin
	// MarkScan is when all that was written begins to be read back through every node,
	// for Mark.Bound at most.
	MarkScan = "scan"
	MarkDone = "done" // everything was collected
	// MarkRate says at what Rate operations arrive from now on, in a load that does not wait
	// for answers. Without one, clients go on as fast as they are answered.
	MarkRate = "rate"
	// MarkObserved says whom the clients were told to lead, in Text: "" is nobody. It is
	// what nodes without a trace believe, and no election is timed by it.
	MarkObserved = "observed-leader"
	// MarkReplicas is when the nodes' copies of the replicated state were compared: Replicas.
	MarkReplicas = "replicas"
	// MarkMissed says that a fault of the plan never began, because the load was
	// over before; Text says which.
	MarkMissed = "fault-missed"
	// MarkStopped says that somebody stopped the test early; Text says when:
	// "stopped after 12.2 s of 20 s".
	MarkStopped = "stopped"
	// MarkSeen says that a violation was seen while the test ran, for which it was stopped;
	// Text says which: "linearizable: no order explains read(k) → 17".
	MarkSeen = "violation-seen"
	// MarkOverloaded says that the host was too busy for times to mean what they
	// should; Text says how that was seen: "load 80 on 2 cores; the driver was
	// late by 4 s".
	MarkOverloaded = "overloaded"
	// MarkInvalid says that the infrastructure failed; Text says how. A
	// history that holds one cannot pass.
	MarkInvalid = "invalid"
)

// Record is one line of the history; exactly one field is set.
type Record struct {
	Op    *Op
	Fault *Fault
	Node  *NodeEvent
	Mark  *Mark
}
