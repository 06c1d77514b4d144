package conformance

import "squall/history/trace"

// Rule is something that Raft demands of each node, or of all of them.
type Rule struct {
	Name string // in kebab-case
	// Section is where it is said: § and Fig. are of the paper (Ongaro and Ousterhout,
	// extended version, 2014), T of the thesis (Ongaro, 2014).
	Section  string
	Sentence string

	needs trace.Lacks // what a node must not lack for it
}

// Rules are all rules.
func Rules() []Rule { return append([]Rule(nil), rules[:]...) }

// ruleID is a rule's place in rules.
type ruleID int

const (
	leaderQuorum ruleID = iota
	tallyReceived
	ownVoteDurable
	oneLeader
	knownLeader
	roleChange
	timerSet

	voteOnce
	voteUpToDate
	voteRequested
	candidateLog
	voteReplyGranted
	voteDurable
	voteRefused
	preVoteReply

	termMonotonic
	termRaised
	higherTermObeyed
	messageTerm
	termDurable

	restartTerm
	restartVote
	restartLog
	restartSnapshot
	restartGap

	logConsecutive
	logTermsOrdered
	leaderOwnEntries
	leaderAppendOnly
	appendReceived
	appendMatched
	truncateConflict
	truncateCommitted
	logMatching
	leaderCompleteness

	ackMatched
	ackLog
	ackDurable

	senderLeads
	senderCampaigns
	appendOwnLog
	commitToldOwn
	heartbeatCommit
	heartbeatForward
	sendBeyondMatch
	entriesSent

	matchMonotonic
	matchAcknowledged
	nextAboveMatch

	commitQuorum
	commitDurable
	commitOwnTerm
	commitLeaderTold
	commitMatched
	commitMonotonic
	committedEntry
	commitHash
	applyCommitted
	applyOrder
	stateEqual

	roundReadCame
	roundTermCommitted
	roundIndex
	roundNumber
	roundConfirmed
	roundReply
	readConfirmed
	readIndex
	readApplied

	configOneStep
	configOneAtATime
	configTermCommitted

	snapshotApplied
	snapshotAgrees
	snapshotSent
	installReceived
	installForward
	compactCovered

	ruleCount
)

// needs is the bits of these kinds.
func needs(kinds ...trace.Kind) (all trace.Lacks) {
	for _, k := range kinds {
		all |= trace.LacksKind(k)
	}
	return all
}

// logKinds tell what is in a node's log.
var logKinds = needs(trace.Append, trace.Truncate) | trace.LacksStored

var rules = [ruleCount]Rule{
	leaderQuorum: {"leader-quorum", "§5.2, Fig. 2; T 3.4",
		"A node becomes leader only after it counted granted votes of this term from a quorum of its configuration.",
		needs(trace.RoleChange, trace.Tally) | trace.LacksMembers},
	tallyReceived: {"tally-received", "§5.1, §5.2; T 3.4",
		"A candidate counts a vote as granted only if the voter's granting reply, of this very term, has reached it.",
		needs(trace.Tally, trace.Receive)},
	ownVoteDurable: {"own-vote-durable", "Fig. 2; T 3.8",
		"A candidate counts its own vote only once its term and that vote are durable.",
		needs(trace.Tally, trace.Persist)},
	oneLeader: {"one-leader", "§5.2, Fig. 3; T 3.4",
		"A term has at most one leader.",
		needs(trace.RoleChange)},
	knownLeader: {"known-leader", "§5.2; T 3.4",
		"A node follows, in a term, only the node that leads it.",
		needs(trace.RoleChange)},
	roleChange: {"role-change", "Fig. 4; T 3.3",
		"Only a follower or a candidate campaigns, and only a candidate becomes leader.",
		needs(trace.RoleChange)},

	timerSet: {"timer-set", "§5.2, Fig. 2; T 3.4",
		"An election timeout runs from when a node last heard a leader, granted its vote, changed its role or stood for election: nothing else puts an election off.",
		needs(trace.Timeout, trace.Receive, trace.Grant, trace.RoleChange)},

	voteOnce: {"vote-once", "§5.2, Fig. 2; T 3.4",
		"A node votes for at most one candidate a term.",
		needs(trace.Grant)},
	voteUpToDate: {"vote-up-to-date", "§5.4.1; T 3.6.1",
		"A vote goes only to a candidate whose log is at least as up to date as the voter's.",
		needs(trace.Grant) | logKinds},
	voteRequested: {"vote-requested", "§5.2, Fig. 2",
		"A vote is granted only to a candidate whose request, of this very term, the voter has received, for the log that it names.",
		needs(trace.Grant, trace.Receive)},
	candidateLog: {"candidate-log", "§5.4.1, Fig. 2",
		"A candidate asks for votes with the last entry of its own log.",
		needs(trace.Grant) | logKinds},
	voteReplyGranted: {"vote-reply-granted", "§5.2, Fig. 2",
		"A granting reply goes only to the candidate that has the node's vote in that term.",
		needs(trace.Grant, trace.Send)},
	voteDurable: {"vote-durable", "Fig. 2; T 3.8",
		"A vote is durable before the reply that grants it is sent.",
		needs(trace.Persist, trace.Send)},
	voteRefused: {"vote-refused", "§5.2, §5.4.1, Fig. 2; T 3.4, 3.6.1",
		"A vote is refused only where the candidate's log is behind, the term's leader is known, or the vote is another's.",
		needs(trace.Grant, trace.Send, trace.Receive) | trace.LacksTypes | trace.LacksMembers | trace.LacksMade | logKinds},
	preVoteReply: {"pre-vote-reply", "T 9.6",
		"A pre-vote is granted for the term that was asked about, and only to a node whose log is up to date.",
		needs(trace.Send, trace.Receive) | trace.LacksTypes | trace.LacksMade | logKinds},

	termMonotonic: {"term-monotonic", "§5.1; T 3.3",
		"A node's term never goes back, neither the current nor the stored one.", 0},
	termRaised: {"term-raised", "§5.1, Fig. 2; T 3.3",
		"A node's term grows by one when it campaigns, or to the term of a message that it received.",
		needs(trace.Receive) | trace.LacksTypes},
	higherTermObeyed: {"higher-term-obeyed", "§5.1, Fig. 2; T 3.3",
		"After a message of a higher term from a leader, or a reply of one, a node sends nothing more in its old term.",
		needs(trace.Receive, trace.Send)},
	messageTerm: {"message-term", "§5.1, Fig. 2",
		"A message carries no higher term than its sender's; a pre-vote asks about the next one.",
		needs(trace.Send)},
	termDurable: {"term-durable", "Fig. 2; T 3.8",
		"A term is durable before a message of it is sent.",
		needs(trace.Persist, trace.Send)},

	restartTerm: {"restart-term", "Fig. 2; T 3.8",
		"A restarted node has at least the term that it had stored.",
		needs(trace.Persist)},
	restartVote: {"restart-vote", "Fig. 2; T 3.8",
		"A restarted node has the vote that it had stored in that term.",
		needs(trace.Persist) | trace.LacksStored},
	restartLog: {"restart-log", "Fig. 2; T 3.8",
		"A restarted node has every entry that was durable, in its log or in a snapshot.",
		needs(trace.Persist) | logKinds},
	restartSnapshot: {"restart-snapshot", "§7; T 5.1",
		"A restarted node has the snapshot that was durable, or a later one.",
		needs(trace.Snapshot) | trace.LacksStored},
	restartGap: {"restart-gap", "§7; T 5.1",
		"A restarted node's log goes on where its snapshot ends, or before.",
		trace.LacksStored},

	logConsecutive: {"log-consecutive", "§5.3",
		"What is appended follows the last entry of the log.",
		logKinds},
	logTermsOrdered: {"log-terms-ordered", "§5.3, §5.4.1",
		"Terms never decrease along a log, and none is higher than the node's own.",
		logKinds},
	leaderOwnEntries: {"leader-own-entries", "§5.3; T 3.5",
		"A leader appends only entries of its own term.",
		needs(trace.Append, trace.RoleChange)},
	leaderAppendOnly: {"leader-append-only", "§5.3, Fig. 3; T 3.5",
		"A leader never removes entries from its log.",
		needs(trace.Truncate, trace.RoleChange)},
	appendReceived: {"append-received", "§5.3, Fig. 2",
		"A node that does not lead appends only entries that a leader of this term sent it, as it sent them.",
		needs(trace.Append, trace.Receive)},
	appendMatched: {"append-matched", "§5.3, Fig. 2; T 3.5",
		"Entries are taken only if the log holds the entry that they follow.",
		needs(trace.Receive) | logKinds},
	truncateConflict: {"truncate-conflict", "§5.3, Fig. 2; T 3.5",
		"A log is cut only at an entry that conflicts with one that the leader of this term sent.",
		needs(trace.Receive) | logKinds},
	truncateCommitted: {"truncate-committed", "§5.3, §5.4; T 3.6",
		"No committed entry is ever removed from a log.",
		needs(trace.Commit) | logKinds},
	logMatching: {"log-matching", "§5.3, Fig. 3; T 3.5",
		"Logs that hold an entry of the same index and term are the same up to it: all entries of a term begin after one and the same entry.",
		logKinds},
	leaderCompleteness: {"leader-completeness", "§5.4, Fig. 3; T 3.6",
		"What was committed in a term is in the log of every leader of a later one.",
		needs(trace.Commit, trace.RoleChange) | logKinds},

	ackMatched: {"ack-matched", "§5.3, Fig. 2; T 3.5",
		"An acknowledgement goes no further than the entries that came in this term behind a match, or than what is committed.",
		needs(trace.Send, trace.Receive) | logKinds},
	ackLog: {"ack-log", "§5.3, Fig. 2; T 3.5",
		"What a node acknowledges its log holds, as the leader sent it.",
		needs(trace.Send, trace.Receive) | logKinds},
	ackDurable: {"ack-durable", "Fig. 2; T 3.8, 10.2.1",
		"What a node acknowledges is durable there.",
		needs(trace.Send, trace.Persist) | logKinds},

	senderLeads: {"sender-leads", "§5.2, Fig. 2; T 3.4",
		"Entries, heartbeats and snapshots of a term are sent only by the node that leads it.",
		needs(trace.Send, trace.RoleChange)},
	senderCampaigns: {"sender-campaigns", "§5.2, Fig. 2; T 3.4",
		"Votes of a term are asked for only by a node that votes for itself in it.",
		needs(trace.Send, trace.Grant)},
	appendOwnLog: {"append-own-log", "§5.3, Fig. 2; T 3.5",
		"A leader sends the entries of its own log, and the entry before them.",
		needs(trace.Send) | logKinds},
	commitToldOwn: {"commit-told-own", "§5.3, Fig. 2; T 3.5",
		"A leader tells others no higher commit index than its own.",
		needs(trace.Send, trace.Commit)},
	heartbeatCommit: {"heartbeat-commit", "§5.3; T 3.5",
		"A heartbeat, which has no previous entry to compare, tells no commit index beyond what its receiver acknowledged.",
		needs(trace.Send, trace.Receive)},
	heartbeatForward: {"heartbeat-forward", "§5.3, Fig. 2; T 3.5",
		"The commit index that a leader's heartbeats tell one node never goes back: neither does what is committed, nor what that node is known to have stored.",
		needs(trace.Send, trace.RoleChange)},
	sendBeyondMatch: {"send-beyond-match", "§5.3, Fig. 2; T 3.5",
		"A leader sends a node nothing that it has acknowledged in this term: the next index is above the match index.",
		needs(trace.Send, trace.Receive, trace.RoleChange) | trace.LacksMade | logKinds},
	entriesSent: {"entries-sent", "§5.3, Fig. 2; T 3.5",
		"A leader that has entries for a node which has acknowledged all that it was sent sends them, once they are on its own disk, and not heartbeats alone.",
		needs(trace.Send, trace.Receive, trace.RoleChange, trace.Snapshot, trace.Persist) | trace.LacksMade | logKinds},

	matchMonotonic: {"match-monotonic", "Fig. 2; T 3.5",
		"While a node leads a term, the index up to which it knows a follower's log to equal its own never goes back.",
		needs(trace.Progress, trace.RoleChange)},
	matchAcknowledged: {"match-acknowledged", "§5.3, Fig. 2; T 3.5",
		"A leader takes a follower's log to equal its own no further than the follower acknowledged to it in this term.",
		needs(trace.Progress, trace.RoleChange, trace.Receive)},
	nextAboveMatch: {"next-above-match", "§5.3, Fig. 2; T 3.5",
		"The entry that a leader sends a follower next is none that it knows the follower to hold.",
		needs(trace.Progress, trace.RoleChange)},

	commitQuorum: {"commit-quorum", "§5.3, Fig. 2; T 3.5",
		"A leader commits only what a quorum of its configuration holds: acknowledged to it in this term, or in its own log.",
		needs(trace.Commit, trace.Receive, trace.RoleChange) | logKinds | trace.LacksMembers},
	commitDurable: {"commit-durable", "Fig. 2; T 3.8, 10.2.1",
		"A leader counts itself in that quorum only with what is durable on its own disk.",
		needs(trace.Commit, trace.Receive, trace.Persist, trace.RoleChange) | logKinds | trace.LacksMembers},
	commitOwnTerm: {"commit-own-term", "§5.4.2, Fig. 8; T 3.6.2",
		"A leader commits by counting only entries of its own term; older ones only along with one of those.",
		needs(trace.Commit, trace.RoleChange)},
	commitLeaderTold: {"commit-leader-told", "§5.3, Fig. 2; T 3.5",
		"A follower commits no further than its leader said it had.",
		needs(trace.Commit, trace.Receive)},
	commitMatched: {"commit-matched", "§5.3, Fig. 2; T 3.5",
		"A follower commits no further than its log is known to equal the leader's.",
		needs(trace.Commit, trace.Receive) | logKinds},
	commitMonotonic: {"commit-monotonic", "Fig. 2; T 3.5",
		"While a server runs, its commit index never goes back.",
		needs(trace.Commit)},
	committedEntry: {"committed-entry", "§5.4.3, Fig. 3; T 3.6.3",
		"No two nodes commit different entries at one index.",
		needs(trace.Commit)},
	commitHash: {"commit-hash", "§5.4.3, Fig. 3; T 3.6.3",
		"Logs that are committed up to one index have the same hash there.",
		needs(trace.Commit) | trace.LacksHash},
	applyCommitted: {"apply-committed", "§5.3, Fig. 2; T 3.5",
		"Only committed entries are applied.",
		needs(trace.Apply, trace.Commit)},
	applyOrder: {"apply-order", "§5.3, Fig. 2; T 3.5",
		"While a server runs, no entry is applied twice, or after a later one.",
		needs(trace.Apply)},
	stateEqual: {"state-equal", "§5.4.3, Fig. 3; T 3.6.3",
		"After the same entry, every state machine holds the same.",
		needs(trace.State)},

	roundReadCame: {"round-read-came", "§8; T 6.4",
		"A round of confirmation is for reads that came before it began.",
		needs(trace.ReadCame, trace.RoundBegun)},
	roundTermCommitted: {"round-term-committed", "§8; T 6.4",
		"A leader confirms reads only once it has committed an entry of its own term.",
		needs(trace.RoundBegun, trace.Commit, trace.RoleChange) | logKinds},
	roundIndex: {"round-index", "§8; T 6.4",
		"A round notes a read index that is no older than the leader's commit index when it begins.",
		needs(trace.RoundBegun, trace.Commit)},
	roundNumber: {"round-number", "§8; T 6.4",
		"A round has a higher number than those that its leader began before it in the term: a late reply to one of them does not confirm it.",
		needs(trace.RoundBegun, trace.RoleChange)},
	roundConfirmed: {"round-confirmed", "§8; T 6.4",
		"A round is confirmed only by replies of a quorum, in the leader's term, to that round or a later one.",
		needs(trace.RoundBegun, trace.RoundDone, trace.Receive) | trace.LacksRounds | trace.LacksMembers},
	roundReply: {"round-reply", "§8; T 6.4",
		"The reply to a heartbeat names no later round than a heartbeat of that leader and term did.",
		needs(trace.Send, trace.Receive) | trace.LacksRounds},
	readConfirmed: {"read-confirmed", "§8; T 6.4",
		"A read is served only after a round that began after it came was confirmed.",
		needs(trace.ReadServed, trace.RoundBegun, trace.RoundDone)},
	readIndex: {"read-index", "§8; T 6.4",
		"A read is served from a state no older than its round's read index.",
		needs(trace.ReadServed, trace.RoundBegun)},
	readApplied: {"read-applied", "§8; T 6.4",
		"A read is served from entries that are applied.",
		needs(trace.ReadServed, trace.Apply)},

	configOneStep: {"config-one-step", "§6; T 4.1, 4.3",
		"A configuration differs from the one before by one voter at most, or passes through a joint one.",
		needs(trace.Config)},
	configOneAtATime: {"config-one-at-a-time", "§6; T 4.1",
		"A leader begins a change of the configuration only when the one before is committed.",
		needs(trace.Config, trace.Commit, trace.RoleChange) | trace.LacksBegunConfigs},
	configTermCommitted: {"config-term-committed", "T 4.1 and its correction of 2015",
		"A leader changes the configuration only once it has committed an entry of its own term.",
		needs(trace.Config, trace.Commit, trace.RoleChange) | logKinds | trace.LacksBegunConfigs},

	snapshotApplied: {"snapshot-applied", "§7; T 5.1",
		"A snapshot holds only what is applied.",
		needs(trace.Snapshot, trace.Apply)},
	snapshotAgrees: {"snapshot-agrees", "§7; T 5.1",
		"A snapshot's last entry is the one that is committed at its index.",
		needs(trace.Snapshot)},
	snapshotSent: {"snapshot-sent", "§7, Fig. 13; T 5.1",
		"A leader sends only a snapshot that it has stored.",
		needs(trace.Send, trace.Snapshot) | trace.LacksStored},
	installReceived: {"install-received", "§7, Fig. 13; T 5.1",
		"Only a snapshot that a leader sent, to its end, is installed.",
		needs(trace.Snapshot, trace.Receive)},
	installForward: {"install-forward", "§7, Fig. 13; T 5.1",
		"A snapshot that ends before what is committed is not installed.",
		needs(trace.Snapshot, trace.Commit)},
	compactCovered: {"compact-covered", "§7; T 5.1",
		"A log is cut off at its beginning only as far as a durable snapshot reaches.",
		needs(trace.Compact, trace.Snapshot) | trace.LacksStored},
}
