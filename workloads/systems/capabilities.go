package systems

import (
	"context"
	"regexp"
	"time"

	"squall/internal/declare"
	"squall/nodeimage/files"
)

// Composed is a System of which a file says what it can do: it has no methods for that,
// but parts that have them.
type Composed interface {
	System
	// Parts are its capabilities, each a value of some of the interfaces here.
	Parts() []any
}

// As finds a capability of a system: an interface such as Tracer.
func As[C any](s System) (C, bool) {
	if c, ok := s.(C); ok {
		return c, true
	}
	if composed, ok := s.(Composed); ok {
		for _, part := range composed.Parts() {
			if c, ok := part.(C); ok {
				return c, true
			}
		}
	}
	var none C
	return none, false
}

// ParamChecker is a System with parameters that do not all go together.
type ParamChecker interface {
	// CheckParams refuses values that are each in order and cannot be together. The
	// error is a *declare.Error.
	CheckParams(a declare.Args) error
}

// FileProvider is a System whose servers need files in their machines, such as the
// server's program. A System that is none needs squall-node alone.
type FileProvider interface {
	// Files are what the machine of every server holds, for this processor (by
	// Go's names) and with values of all of the system's parameters. It is asked
	// before each test, and makes nothing. An *files.Error says that the choice of
	// the system is to blame.
	Files(ctx context.Context, arch string, a declare.Args) ([]files.File, error)
}

// ClientProgrammer is a System whose clients are a program of their own, in the
// driver's machine. The program speaks the protocol of docs/clients.md.
type ClientProgrammer interface {
	System
	ClientProgram(a declare.Args) Program
	// ClientFiles are what the driver's machine holds for it, as FileProvider has it.
	ClientFiles(ctx context.Context, arch string, a declare.Args) ([]files.File, error)
}

// Tracer is a System whose servers write Raft trace events (docs/trace.md) to file
// descriptor 3. Without it nothing is known of terms and elections, and Raft's own
// guarantees are not checked; what other servers write to that descriptor is not read.
type Tracer interface {
	WritesTrace()
}

// ClockBender is a System whose servers go by a clock that squall can bend: they take
// the line to it that the agent gives them (docs/clock-bending.md).
type ClockBender interface {
	BendsClock()
}

// MessageRuler is a System whose servers delay, lose, duplicate, reorder and replay the
// messages that they get from each other by rules of squall's: they take the line to
// those that the agent gives them (docs/message-faults.md).
type MessageRuler interface {
	RulesMessages()
}

// ByteChecker is a System whose servers and clients tell by checks of their own that bytes
// were changed on the way, where TCP's checksum does not tell. Others are not sent such
// bytes, unless a test asks for that.
type ByteChecker interface {
	ChecksBytes()
}

// NodeRunner is a System whose servers are squall-node itself, so that a bug planted
// in it (--mutant) is one of theirs.
type NodeRunner interface {
	RunsSquallNode()
}

// ElectionTimer is a System that says how long its servers do without a leader before
// they elect one. Clients wait for less than that before they go on to another node.
type ElectionTimer interface {
	// ElectionTimeout is from the shortest to the longest timeout, with values of all
	// parameters.
	ElectionTimeout(a declare.Args) (shortest, longest time.Duration)
}

// Available is a System that promises to serve while no fault is in force.
type Available interface {
	// AvailableWithin is the longest time in which no operation may succeed through a
	// node, with values of all parameters. It holds from half as long after a heal on.
	AvailableWithin(a declare.Args) time.Duration
}

// Readier is a System that says when a node takes clients. With another one, that is
// when the first operation succeeds.
type Readier interface {
	// ReadyWithin is how long it may take, from the start of the servers on, until all
	// nodes are ready.
	ReadyWithin() time.Duration
	// ReadyLine matches a line of a server's output that says so; nil: nodes are asked.
	ReadyLine() *regexp.Regexp
	// Ready looks once, from the machine of the clients, whether a node is ready. The
	// error says, to people, what was seen instead.
	Ready(ctx context.Context, node Node) error
}

// TrialTaker is a System whose servers take the trials of an experiment on elections:
// lines on their standard input by which a leader holds entries back from some
// followers, broadcasts, and crashes at a given moment after.
type TrialTaker interface {
	// TrialServer is Server for such an experiment. Timeouts are those of the trials,
	// whatever the parameters say.
	TrialServer(node Node, cluster Cluster, a declare.Args, t Trials) (Start, error)
}

// Trials are settings of a server in an experiment on elections.
type Trials struct {
	Heartbeat   time.Duration // between two heartbeats of a leader
	ElectionMin time.Duration // least election timeout
	ElectionMax time.Duration // greatest election timeout
	// PreVote lets a node ask first whether it could win, and refuse votes
	// against a leader that it still hears.
	PreVote bool
	// StartWait is how long a node that was started waits for a leader, at least.
	StartWait time.Duration
	// DiskMin and DiskMax are what a write to the disk takes beside its own
	// time; both 0: nothing.
	DiskMin, DiskMax time.Duration
}

// Traced reports whether a system's servers write a trace.
func Traced(s System) bool {
	_, ok := As[Tracer](s)
	return ok
}

// TellsLeader reports whether a system's clients can be told who leads.
func TellsLeader(s System) bool {
	_, ok := Prototype(s).(LeaderTeller)
	return ok
}
