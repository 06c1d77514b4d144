package trace

// field is a part of an event as the table below lists them: its name in text, and
// where it is. The type of what of points to decides its form; see encode.go.
type field struct {
	name string
	of   func(*Event) any
}

// hash is a number that is written with all its digits.
type hash uint64

// The fields. Those of messages have the name that the event's own have.
var (
	node    = field{"node", func(e *Event) any { return &e.Node }}
	peer    = field{"peer", func(e *Event) any { return &e.Peer }}
	role    = field{"role", func(e *Event) any { return &e.Role }}
	vote    = field{"vote", func(e *Event) any { return &e.Vote }}
	mark    = field{"mark", func(e *Event) any { return &e.Mark }}
	base    = field{"base", func(e *Event) any { return &e.Base }}
	runs    = field{"runs", func(e *Event) any { return &e.Runs }}
	hashed  = field{"hash", func(e *Event) any { return (*hash)(&e.Hash) }}
	pre     = field{"pre", func(e *Event) any { return &e.Pre }}
	reject  = field{"reject", func(e *Event) any { return &e.Reject }}
	first   = field{"first", func(e *Event) any { return &e.First }}
	last    = field{"last", func(e *Event) any { return &e.Last }}
	round   = field{"round", func(e *Event) any { return &e.Round }}
	match   = field{"match", func(e *Event) any { return &e.Match }}
	next    = field{"next", func(e *Event) any { return &e.Next }}
	steps   = field{"steps", func(e *Event) any { return &e.Steps }}
	members = field{"members", func(e *Event) any { return &e.Members }}
	old     = field{"old", func(e *Event) any { return &e.Old }}
	reason  = field{"reason", func(e *Event) any { return &e.Reason }}
	lacks   = field{"lacks", func(e *Event) any { return &e.Lacks }}

	messageType = field{"type", func(e *Event) any { return &e.Message.Type }}
	to          = field{"to", func(e *Event) any { return &e.Message.To }}
	from        = field{"from", func(e *Event) any { return &e.Message.From }}
	messageTerm = field{"message-term", func(e *Event) any { return &e.Message.Term }}
	number      = field{"number", func(e *Event) any { return &e.Message.Number }}
	mMark       = field{"mark", func(e *Event) any { return &e.Message.Mark }}
	mRuns       = field{"runs", func(e *Event) any { return &e.Message.Runs }}
	commit      = field{"commit", func(e *Event) any { return &e.Message.Commit }}
	mRound      = field{"round", func(e *Event) any { return &e.Message.Round }}
	mReject     = field{"reject", func(e *Event) any { return &e.Message.Reject }}
	hint        = field{"hint", func(e *Event) any { return &e.Message.Hint }}
	offset      = field{"offset", func(e *Event) any { return &e.Message.Offset }}
	size        = field{"size", func(e *Event) any { return &e.Message.Size }}
	done        = field{"done", func(e *Event) any { return &e.Message.Done }}
)

// layouts are the fields of each kind, in the order in which they are written. Every
// event has a time and a term before them, and Send and Receive have those of their
// message's type after them.
var layouts = [lastKind + 1][]field{
	Start:      {node, vote, base, runs, mark, members, lacks},
	RoleChange: {role, peer, mark, reason},
	Grant:      {peer, mark},
	Tally:      {peer, pre, reject},
	Append:     {runs},
	Truncate:   {mark},
	Compact:    {mark},
	Persist:    {vote, mark},
	Send:       {messageType, to, messageTerm, number},
	Receive:    {messageType, from, messageTerm, number},
	Commit:     {mark, hashed},
	Apply:      {mark},
	State:      {mark, hashed},
	ReadCame:   {first, last},
	RoundBegun: {first, last, round, mark},
	RoundDone:  {round},
	ReadServed: {first, last, mark, reason},
	Snapshot:   {reason, peer, mark, members},
	Transfer:   {peer},
	Config:     {mark, members, old},
	Failed:     {reason},
	Silent:     {reason},
	Progress:   {peer, match, next},
	Timeout:    {steps},
}

var messageLayouts = [lastMessageType + 1][]field{
	PreVote:         {mMark},
	PreVoteReply:    {mReject},
	Vote:            {mMark},
	VoteReply:       {mReject},
	AppendEntries:   {mMark, mRuns, commit},
	AppendReply:     {mMark, mReject, hint},
	Heartbeat:       {commit, mRound},
	HeartbeatReply:  {mRound},
	InstallSnapshot: {mMark, offset, size, done},
	SnapshotReply:   {mMark, offset},
	TimeoutNow:      {},
	Other:           {},
}

// aboutMessage says whether events of that kind tell of a message.
func aboutMessage(k Kind) bool { return k == Send || k == Receive }
