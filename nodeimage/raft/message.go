package raft

// MessageType says what a Message asks or answers.
type MessageType uint8

// The message types. Each comment names the fields that are used beside Type,
// From, To and Term. Term is the sender's term, but for MsgPreVote and a granted
// MsgPreVoteReply: there it is the term in which the sender would campaign.
const (
	// MsgPreVote asks whether the receiver would vote for the sender: Index and
	// LogTerm of the sender's last entry.
	MsgPreVote MessageType = iota + 1
	// MsgPreVoteReply: Reject.
	MsgPreVoteReply
	// MsgVote asks for a vote: Index and LogTerm of the sender's last entry.
	MsgVote
	// MsgVoteReply: Reject.
	MsgVoteReply
	// MsgAppend: Entries follow the entry Index of term LogTerm; Commit.
	MsgAppend
	// MsgAppendReply: the receiver's durable log equals the leader's up to
	// Index. With Reject: it has no entry like the append's Index and LogTerm;
	// Hint and LogTerm are the index and term of the nearest entry before it
	// that may match.
	MsgAppendReply
	// MsgHeartbeat: Commit (never above what the receiver acknowledged) and
	// Context, the newest round of reads.
	MsgHeartbeat
	// MsgHeartbeatReply: Context as received.
	MsgHeartbeatReply
	// MsgSnapshot is a chunk of a snapshot: Snapshot, Offset, Data, Last.
	MsgSnapshot
	// MsgSnapshotReply: of the snapshot at Index, the receiver holds Offset
	// bytes. The end of an installation is told by a MsgAppendReply.
	MsgSnapshotReply

	lastMessageType = MsgSnapshotReply
)

// Message is what members send each other. A message is not changed after it
// was handed to Transport.Send or Node.Receive.
type Message struct {
	Type     MessageType
	Number   uint64 // the sender's own, from 1 in each boot; 0: it tells no steps
	From, To NodeID
	Term     uint64
	Index    uint64
	LogTerm  uint64
	Commit   uint64
	Context  uint64
	Hint     uint64
	Reject   bool

	Entries []Entry // indexes follow Index without a gap

	Snapshot *SnapshotMeta
	Offset   uint64 // bytes
	Data     []byte
	Last     bool // Data ends the snapshot
}

// EntryKind tells what an entry is for.
type EntryKind uint8

// The kinds of entries.
const (
	EntryCommand EntryKind = iota // goes to StateMachine.Apply
	EntryNoop                     // starts a leader's term

	lastEntryKind = EntryNoop
)

// Entry is one entry of the replicated log.
type Entry struct {
	Index   uint64
	Term    uint64
	Kind    EntryKind
	Command []byte
}

// size is what an entry counts against limits in bytes. The constant stands
// for what surrounds a command, so that empty commands are not free.
func (e *Entry) size() int { return len(e.Command) + 32 }

// fromLeader says whether only a leader sends messages of this type.
func (t MessageType) fromLeader() bool {
	return t == MsgAppend || t == MsgHeartbeat || t == MsgSnapshot
}

func (t MessageType) String() string {
	names := [...]string{
		MsgPreVote: "pre-vote", MsgPreVoteReply: "pre-vote reply",
		MsgVote: "vote", MsgVoteReply: "vote reply",
		MsgAppend: "append", MsgAppendReply: "append reply",
		MsgHeartbeat: "heartbeat", MsgHeartbeatReply: "heartbeat reply",
		MsgSnapshot: "snapshot", MsgSnapshotReply: "snapshot reply",
	}
	if t == 0 || t > lastMessageType {
		return "unknown"
	}
	return names[t]
}
