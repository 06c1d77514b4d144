package steps

// Node is a member's number within the cluster; 0 is nobody. squall calls node 1 "n1".
type Node uint64

// Mark names an entry of the log. The zero Mark is the beginning of every log.
type Mark struct{ Index, Term uint64 }

// Run is consecutive entries of one term.
type Run struct{ First, Count, Term uint64 }

// Role is what a node is. One that asks for pre-votes is a follower.
type Role uint8

// The roles.
const (
	Follower Role = iota + 1
	Candidate
	Leader
	Stopped
)

// Kind is what an event tells. docs/trace.md of squall says when each is written.
type Kind uint8

// The kinds, each with its fields beside Term.
const (
	Start      Kind = iota + 1 // Node, Vote, Base, Runs, Mark, Members, Lacks
	RoleChange                 // Role, Peer, Mark, Reason
	Grant                      // Peer, Mark
	Tally                      // Peer, Pre, Reject
	Append                     // Runs
	Truncate                   // Mark
	Compact                    // Mark
	Persist                    // Vote, Mark; Term is the stored one
	Send                       // Message
	Receive                    // Message
	Commit                     // Mark, Hash
	Apply                      // Mark
	State                      // Mark, Hash
	ReadCame                   // First, Last
	RoundBegun                 // First, Last, Round, Mark
	RoundDone                  // Round
	ReadServed                 // First, Last, Mark, Reason
	Snapshot                   // Reason, Peer, Mark, Members
	Transfer                   // Peer
	Config                     // Mark, Members, Old
	Failed                     // Reason
	_                          // squall's own
	Progress                   // Peer, Match, Next
	Timeout                    // Steps
)

// Lacks is what a server never tells: a bit for each kind of event, and some for fields.
type Lacks uint64

// What may be lacking of events that are told.
const (
	LacksNumbers      Lacks = 1 << (32 + iota) // Number of messages
	LacksHash                                  // Hash of a commit
	LacksRounds                                // Round of heartbeats and their answers
	LacksStored                                // Vote, Base, Runs and Mark of Start
	LacksTypes                                 // messages of some types
	LacksBegunConfigs                          // a Config is told when its entry is applied, not when it is appended
	LacksMembers                               // who votes
	LacksMade                                  // a message is told when it leaves, after steps that came since it was made
)

// LacksKind is the bit of a kind of event.
func LacksKind(k Kind) Lacks { return 1 << k }

// Event is one step of a node.
type Event struct {
	Kind    Kind
	Term    uint64 // the node's after the step
	Node    Node   // of Start
	Peer    Node
	Role    Role
	Vote    Node
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
	Steps   uint64 // since the election timer was set: all but Apply, State and ReadServed
	Members []Node
	Old     []Node
	Reason  string
	Lacks   Lacks
	Message *Message
}

// MessageType says what a message asks or answers.
type MessageType uint8

// The types.
const (
	PreVote MessageType = iota + 1
	PreVoteReply
	Vote
	VoteReply
	AppendEntries
	AppendReply
	Heartbeat
	HeartbeatReply
	InstallSnapshot
	SnapshotReply
	TimeoutNow
	Other // any other that has a term, which its receiver obeys
)

// Message is a message between members.
type Message struct {
	Type   MessageType
	Number uint64
	Other  Node // whom it goes to, or comes from
	Term   uint64
	Mark   Mark
	Runs   []Run
	Commit uint64
	Round  uint64
	Reject bool
	Hint   Mark
	Offset uint64
	Size   uint64
	Done   bool
}
