package situations

import "squall/history/trace"

// Group is the part of Raft that a situation belongs to.
type Group string

// The groups, in the order in which they are shown.
const (
	Election    Group = "election"
	Replication Group = "replication"
	Reads       Group = "reads"
	Snapshots   Group = "snapshot"
	Restart     Group = "restart"
	Partition   Group = "partition"
	Membership  Group = "membership"
)

// Groups are all groups, in that order.
func Groups() []Group {
	return []Group{Election, Replication, Reads, Snapshots, Restart, Partition, Membership}
}

// Situation is something that Raft has to cope with.
type Situation struct {
	Name  string // in kebab-case
	Group Group
	Text  string // one sentence
	// Needs are the kinds of events without which it cannot be told; Fields are those
	// of their fields that a server may leave out. The times and numbers of boots,
	// which every trace has, are not listed.
	Needs  []trace.Kind
	Fields trace.Lacks
	// Bug says from which known bug it comes; "" if from none.
	Bug string
}

// id is the place of a situation in the catalogue.
type id int

const (
	splitVote id = iota
	candidateFollowsWinner
	voteRefusedLog
	voteRefusedVoted
	threeTermsWithoutLeader
	preVoteRefused
	leaderDeposed
	staleGrant
	leadershipTransferred

	logTruncated
	leaderInheritsUncommitted
	oldTermOnQuorum
	inheritedCommit
	entryLost
	probedFarBack
	ackOfOlderTerm
	ackGoesBack
	messageOfOlderTerm
	messageOutOfOrder
	appendWithinLog

	readRoundOvertaken
	readsBeforeFirstCommit
	readServedAfterSuccession

	snapshotInstalled
	snapshotInterrupted
	snapshotOverConflict
	snapshotNotNeeded

	crashBeforePersist
	crashBeforeAck
	crashBeforeVoteDurable
	askedAgainAfterRestart
	restartWithUncommitted
	restartThenTruncated
	majorityRestartedInTerm
	allDown

	twoLeaders
	leaderWithoutQuorum
	caughtUpByLog

	configDuringElection
	configRolledBack

	howMany
)

// kinds makes a list of needs.
func kinds(k ...trace.Kind) []trace.Kind { return k }

// catalogue returns all situations, each at its id.
func catalogue() [howMany]Situation {
	var all [howMany]Situation
	for _, part := range []map[id]Situation{elections(), replication(), reads(), snapshots(), restarts(), partitions(), memberships()} {
		for i, s := range part {
			all[i] = s
		}
	}
	return all
}

// All returns every situation, in the order of the groups.
func All() []Situation {
	all := catalogue()
	return all[:]
}
