package trace

// The words for kinds, roles and types of messages, in text and in reports.
var (
	kindNames = [...]string{
		Start: "start", RoleChange: "role", Grant: "grant", Tally: "tally", Append: "append", Truncate: "truncate",
		Compact: "compact", Persist: "persist", Send: "send", Receive: "receive", Commit: "commit", Apply: "apply",
		State: "state", ReadCame: "read-came", RoundBegun: "round-begun", RoundDone: "round-done",
		ReadServed: "read-served", Snapshot: "snapshot", Transfer: "transfer", Config: "config", Failed: "failed",
		Silent: "silent", Progress: "progress", Timeout: "timeout",
	}
	roleNames = [...]string{Follower: "follower", Candidate: "candidate", Leader: "leader", Stopped: "stopped"}
	typeNames = [...]string{
		PreVote: "pre-vote", PreVoteReply: "pre-vote-reply", Vote: "vote", VoteReply: "vote-reply",
		AppendEntries: "append", AppendReply: "append-reply", Heartbeat: "heartbeat", HeartbeatReply: "heartbeat-reply",
		InstallSnapshot: "snapshot", SnapshotReply: "snapshot-reply", TimeoutNow: "timeout-now", Other: "other",
	}
	// lackNames are those of the fields, by their bit.
	lackNames = [fieldLacks]string{"numbers", "hash", "rounds", "stored", "types", "begun-configs", "members", "made"}
)

func (k Kind) String() string        { return nameOf(kindNames[:], uint8(k)) }
func (r Role) String() string        { return nameOf(roleNames[:], uint8(r)) }
func (t MessageType) String() string { return nameOf(typeNames[:], uint8(t)) }

// Kinds are all kinds, in the order of their numbers.
func Kinds() []Kind {
	all := make([]Kind, 0, lastKind)
	for k := Start; k <= lastKind; k++ {
		all = append(all, k)
	}
	return all
}

// KindNamed is the kind of that name, as [Kind.String] gives it.
func KindNamed(name string) (Kind, bool) {
	k, ok := numberOf(kindNames[:], name)
	return Kind(k), ok
}

func nameOf(names []string, n uint8) string {
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return "unknown"
}

func numberOf(names []string, name string) (uint8, bool) {
	for n, s := range names {
		if s == name && name != "" {
			return uint8(n), true
		}
	}
	return 0, false
}
