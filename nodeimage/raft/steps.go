package raft

// StepKind says what a [Step] is.
type StepKind uint8

// The kinds of steps. Each comment names the fields that are set beside Kind and Term.
const (
	// StepStart: the stored state was loaded. Vote; Base and Entries, the log; Mark, the
	// newest snapshot; Members.
	StepStart StepKind = iota + 1
	// StepRole: Role, Peer (the leader if known), Reason; Mark, the log's last entry.
	StepRole
	// StepGrant: this node decided to vote for Peer, whose log ends in Mark.
	StepGrant
	// StepTally: a candidate counts the answer of Peer; Pre, Reject.
	StepTally
	// StepAppend: Entries were put at the end of the log in memory.
	StepAppend
	// StepTruncate: the entries after Mark were removed.
	StepTruncate
	// StepCompact: the log begins after Mark now. If it did not hold that entry, it is
	// empty.
	StepCompact
	// StepPersist: Term (the stored one), Vote and the log up to Mark are durable.
	StepPersist
	// StepSend and StepReceive: Message.
	StepSend
	StepReceive
	// StepCommit: the commit index advanced to Mark; Hash of the log up to it.
	StepCommit
	// StepApply: the state machine has carried out the entries up to Mark.
	StepApply
	// StepState: Hash of the state machine after the entry Mark.
	StepState
	// StepReadCame: the reads numbered First to Last came in.
	StepReadCame
	// StepRoundBegun: a round of heartbeats for the reads First to Last begins; Round, its
	// number in the term; Mark, the commit index.
	StepRoundBegun
	// StepRoundDone: a quorum has confirmed Round.
	StepRoundDone
	// StepReadServed: the reads First to Last are answered from the state after Mark.
	StepReadServed
	// StepSnapshot: of the snapshot up to Mark. Reason is one of the Snapshot… constants;
	// Peer, of a transfer; Members.
	StepSnapshot
	// StepConfig: the cluster consists of Members from here on.
	StepConfig
	// StepFailed: the node refuses to go on; Reason.
	StepFailed
	// StepProgress: the answer of Peer has changed what the leader knows of it: Match and
	// Next.
	StepProgress
	// StepTimeout: an election timeout is over, which was set Since steps of the loop ago.
	StepTimeout

	lastStepKind = StepTimeout
)

// What happens to a snapshot.
const (
	SnapshotBegun     = "begun"     // the state is frozen, and being written
	SnapshotTaken     = "taken"     // it is durable
	SnapshotStored    = "stored"    // a received one is durable, and was not needed any more
	SnapshotInstalled = "installed" // a received one is durable, and replaces log and state
	SnapshotSending   = "sending"   // the leader begins to send it to Peer
	SnapshotReceiving = "receiving" // the first piece has come from Peer
)

// Step is one step of a node: what the rules of Raft speak of, in finer detail than the
// events of [Tracer], and told when it is taken. Nothing is held until it is durable;
// StepPersist tells what is.
type Step struct {
	Kind        StepKind
	Term        uint64 // the node's current term after the step
	Peer        NodeID
	Role        Role
	Vote        NodeID
	Mark, Base  LogMark
	Entries     []Entry
	Hash        uint64
	Pre, Reject bool
	First, Last uint64
	Round       uint64
	Match, Next uint64
	Since       uint64
	Members     []NodeID
	Reason      string
	Message     *Message
}

// Steps receives steps in the order in which they are taken, from the event loop and from
// the apply goroutine.
type Steps interface {
	// Step takes note of a step. s and what it points to are only valid during the call,
	// and not to be changed.
	Step(s *Step)
	// Sync makes everything noted visible outside of this process, as far as a crash of
	// the process alone goes. What depends on steps leaves the node only after it.
	Sync()
}
