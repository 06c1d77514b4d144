package trace

import "slices"

// NodeID is a member's number within the cluster; 0 is nobody.
type NodeID uint64

// Mark names an entry of the log. The zero Mark is the beginning of every log.
type Mark struct{ Index, Term uint64 }

// Run is consecutive entries of one term.
type Run struct {
	First uint64 // the index of the first
	Count uint64
	Term  uint64
}

// Role is what a node is. One that asks for pre-votes is a follower.
type Role uint8

// The roles.
const (
	Follower Role = iota + 1
	Candidate
	Leader
	Stopped
)

// Kind is what an event tells.
type Kind uint8

// The kinds. Each comment names the fields that are set beside Kind, Node, Boot,
// Time and Term. An event is written when the step is taken, and before anything
// that depends on it leaves the node. None is held back until it is durable: Persist
// says what is.
const (
	// Start: a server has loaded what it had stored; the first event of each boot, in
	// which it also says who it is. Vote; Base, the last entry that its log no longer
	// holds; Runs, the entries after that; Mark, its newest snapshot; Members; Lacks.
	Start Kind = iota + 1
	// RoleChange: Role, Peer (the leader if known), Reason; Mark, the log's last entry.
	RoleChange
	// Grant: this node decided to vote for Peer (maybe itself) in Term. Mark, the last
	// entry of the candidate's log. The vote is not durable yet. Nothing is told when the
	// same candidate asks again and is given the same answer.
	Grant
	// Tally: a candidate counted the answer of Peer to its request for votes in Term,
	// or for pre-votes (Pre) in Term+1. Reject: it was refused.
	Tally
	// Append: Runs were put at the end of this node's log, which is in memory only yet.
	Append
	// Truncate: entries after Mark were removed from this node's log.
	Truncate
	// Compact: the log begins after Mark now, which a snapshot covers. If it did not hold
	// that very entry, it is empty now.
	Compact
	// Persist: what follows is durable now. Term and Vote (which may be older than the
	// node's current ones), and Mark, the last entry of the log on disk.
	Persist
	// Send and Receive: Message. Send is written when the message leaves, Receive when
	// the node begins to handle it.
	Send
	Receive
	// Commit: the commit index advanced to Mark; Hash of the log up to it, 0 if unknown.
	Commit
	// Apply: the state machine has carried out the entries up to Mark.Index.
	Apply
	// State: Hash of the state machine's contents after the entry Mark.Index.
	State
	// ReadCame: the reads numbered First to Last came from clients.
	ReadCame
	// RoundBegun: the leader begins to confirm that it leads, for the reads First to
	// Last. Round, its number in this term, from 1 on; Mark, the commit index then.
	RoundBegun
	// RoundDone: a quorum has confirmed Round.
	RoundDone
	// ReadServed: the reads First to Last were answered from the state after the entry
	// Mark.Index. Where a server reads in another way than by rounds, Reason names it.
	ReadServed
	// Snapshot: Mark, its last entry; Members. Reason is "begun" (the state is frozen and
	// being written), "taken" (it is durable); "sending" or "receiving" (a transfer to or
	// from Peer begins), "stored" (a received one is durable, but no longer needed) or
	// "installed" (it is durable, and log and state are about to be replaced: Compact
	// and, from the state machine, State and Apply follow).
	Snapshot
	// Transfer: the leader begins to hand its leadership to Peer.
	Transfer
	// Config: a configuration takes effect on this node, with the entry Mark, which is
	// zero for the first. Members vote; Old, while a joint one is in force, do as well.
	Config
	// Failed: the node refuses to go on. Reason.
	Failed
	// Silent: nothing is known of what this node does from here to its next Start.
	// Reason. No server writes it: whoever collects the traces does, when one is
	// damaged, too large, or ends while its server runs on.
	Silent
	// Progress: the answer of Peer has changed what the leader knows of it: Match, up to
	// which the log of Peer is known to equal its own, and Next, the entry that it sends
	// next. When a node becomes leader Match is 0, and Next is after its own last entry;
	// what it sends moves Next on, which is not told.
	Progress
	// Timeout: an election timeout of this node is over. Steps, how many steps its loop has
	// told since it was set: all but Apply, State and ReadServed, and this one.
	Timeout

	lastKind = Timeout
)

// Event is one step of a node. A reader may use it again for the next one: what is to
// be kept is to be copied, slices and the message too.
type Event struct {
	Kind Kind
	Node NodeID // who took the step; the reader fills it in, with Boot
	Boot int    // which start of its server this belongs to, from 1 on
	Time int64  // CLOCK_MONOTONIC, ns. Within a boot it may go back by what a lock takes
	// Term is the node's current term after the step; Persist: the stored one; Receive:
	// the term in which the message was met, which may be lower than the message's.
	Term uint64

	Peer    NodeID
	Role    Role
	Vote    NodeID
	Mark    Mark
	Base    Mark
	Runs    []Run
	Hash    uint64
	Pre     bool
	Reject  bool
	First   uint64
	Last    uint64
	Round   uint64
	Match   uint64
	Next    uint64
	Steps   uint64
	Members []NodeID
	Old     []NodeID
	Reason  string
	Lacks   Lacks
	Message *Message
}

// Clone is a copy that shares nothing with e.
func (e *Event) Clone() *Event {
	c := *e
	c.Runs, c.Members, c.Old = slices.Clone(e.Runs), slices.Clone(e.Members), slices.Clone(e.Old)
	if e.Message != nil {
		m := *e.Message
		m.Runs = slices.Clone(m.Runs)
		c.Message = &m
	}
	return &c
}

// Lacks is what a server never tells: a bit for each kind of event, and some for
// fields. A rule that needs one of them cannot be checked on this server.
type Lacks uint64

// The fields that a server may leave out of events that it does write.
const (
	LacksNumbers      Lacks = 1 << (32 + iota) // Message.Number
	LacksHash                                  // Hash of a commit
	LacksRounds                                // Round of heartbeats and their answers
	LacksStored                                // Vote, Base, Runs and Mark of Start
	LacksTypes                                 // messages of some types are neither sent nor received
	LacksBegunConfigs                          // a Config is told when its entry is applied, not when it is appended
	LacksMembers                               // who votes, in Start and ever after
	LacksMade                                  // a message is told when it leaves, after steps that came since it was made

	fieldLacks = iota // how many

	everyLack Lacks = (1<<fieldLacks-1)<<32 | (1<<(lastKind+1) - 1<<Start)
)

// LacksKind is the bit of a kind of event.
func LacksKind(k Kind) Lacks { return 1 << k }

// Kind says whether events of that kind are never written.
func (l Lacks) Kind(k Kind) bool { return l&LacksKind(k) != 0 }

// MessageType says what a message asks or answers.
type MessageType uint8

// The types, with the fields that are set beside Type, Number, From, To and Term.
const (
	PreVote         MessageType = iota + 1 // Mark, the last entry of the sender's log; Term, in which it would campaign
	PreVoteReply                           // Reject; if granted, Term is the one that was asked about
	Vote                                   // Mark, the last entry of the sender's log
	VoteReply                              // Reject
	AppendEntries                          // Mark, the entry before Runs; Commit
	AppendReply                            // Mark.Index up to which the log equals the leader's. Reject: there is no entry Mark.Index like the one asked for; Hint
	Heartbeat                              // Commit; Round, the newest round of reads
	HeartbeatReply                         // Round
	InstallSnapshot                        // Mark; Offset, Size of the piece; Done: the last one
	SnapshotReply                          // Mark.Index; Offset up to which the receiver has it
	TimeoutNow                             // the receiver is to campaign at once
	Other                                  // any other that has a term, which its receiver obeys

	lastMessageType = Other
)

// Message is a message between members.
type Message struct {
	Type MessageType
	// Number is the sender's own, from 1 on in each boot; a copy on the way keeps it.
	// 0: the system numbers none.
	Number   uint64
	From, To NodeID
	Term     uint64
	Mark     Mark
	Runs     []Run
	Commit   uint64
	Round    uint64
	Reject   bool
	Hint     Mark
	Offset   uint64 // bytes
	Size     uint64 // bytes
	Done     bool
}
