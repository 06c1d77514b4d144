package situations

import "squall/history/trace"

func elections() map[id]Situation {
	return map[id]Situation{
		splitVote: {
			Name: "split-vote", Group: Election, Needs: kinds(trace.RoleChange),
			Text: "Two or more candidates stand in one term, and none wins it.",
			Bug:  "hashicorp cda1ee8: equal random seeds; OpenRaft #1838: two survivors tie for ever",
		},
		candidateFollowsWinner: {
			Name: "candidate-follows-winner", Group: Election, Needs: kinds(trace.RoleChange),
			Text: "A candidate learns that another node has won its term, and follows it.",
			Bug:  "daos raft #70: a leader votes in its own term",
		},
		voteRefusedLog: {
			Name: "vote-refused-log", Group: Election, Needs: kinds(trace.Start, trace.Append, trace.Receive, trace.Send), Fields: trace.LacksStored,
			Text: "A vote is refused because the candidate's log is behind the voter's.",
			Bug:  "hashicorp 441bd09: the comparison of logs",
		},
		voteRefusedVoted: {
			Name: "vote-refused-voted", Group: Election, Needs: kinds(trace.Grant, trace.Receive, trace.Send),
			Text: "A vote is refused because the voter has voted for another candidate in that term.",
			Bug:  "camunda #5356: the vote is forgotten when the leader is learnt",
		},
		threeTermsWithoutLeader: {
			Name: "three-terms-without-leader", Group: Election, Needs: kinds(trace.RoleChange),
			Text: "Candidates stand in at least three terms between one leader and the next.",
			Bug:  "OpenRaft #1796: elections never end; OpenRaft #1838",
		},
		preVoteRefused: {
			Name: "pre-vote-refused", Group: Election, Needs: kinds(trace.RoleChange, trace.Receive, trace.Send),
			Text: "A node that knows a leader refuses a pre-vote, or leaves it unanswered, although the log of the asking node is good enough.",
			Bug:  "hashicorp #609: a pre-vote counts as contact with the leader",
		},
		leaderDeposed: {
			Name: "leader-deposed", Group: Election, Needs: kinds(trace.RoleChange),
			Text: "A leader steps down because it meets a higher term.",
			Bug:  "goraft 605f671: it goes on to send, under the new term",
		},
		staleGrant: {
			Name: "stale-grant", Group: Election, Needs: kinds(trace.RoleChange, trace.Receive),
			Text: "A vote that was granted in an older term reaches a candidate of a newer one.",
			Bug:  "xraft #33: it is counted",
		},
		leadershipTransferred: {
			Name: "leadership-transferred", Group: Election, Needs: kinds(trace.RoleChange, trace.Transfer),
			Text: "A leader hands over to another node, which wins the next election.",
			Bug:  "OpenRaft #1748: the lease is kept",
		},
	}
}

func replication() map[id]Situation {
	return map[id]Situation{
		logTruncated: {
			Name: "log-truncated", Group: Replication, Needs: kinds(trace.Append, trace.Truncate), Fields: trace.LacksStored,
			Text: "A node removes entries from the end of its log because its leader has others there.",
			Bug:  "braft 10cd9e3: the order of a truncation's writes",
		},
		leaderInheritsUncommitted: {
			Name: "leader-inherits-uncommitted", Group: Replication, Needs: kinds(trace.RoleChange, trace.Commit),
			Text: "A leader is elected whose log ends in entries of older terms that no node has committed.",
			Bug:  "PySyncObj #169; etcd #7280",
		},
		oldTermOnQuorum: {
			Name: "old-term-on-quorum", Group: Replication, Needs: kinds(trace.RoleChange, trace.Append, trace.Persist, trace.Commit), Fields: trace.LacksStored,
			Text: "Under a new leader, an entry of an older term is durable on a quorum but not committed, and nothing of the leader's own term is: the state of the paper's Figure 8.",
			Bug:  "PySyncObj #169: it is committed by counting",
		},
		inheritedCommit: {
			Name: "inherited-commit", Group: Replication, Needs: kinds(trace.RoleChange, trace.Append, trace.Commit), Fields: trace.LacksStored,
			Text: "An entry of a former leader is committed by a later one.",
			Bug:  "PySyncObj #169; redisraft #13",
		},
		entryLost: {
			Name: "entry-lost", Group: Replication, Needs: kinds(trace.Append, trace.Truncate), Fields: trace.LacksStored,
			Text: "The last copy of an uncommitted entry is truncated, or lost in a crash.",
			Bug:  "raftos #26; async-raft #113",
		},
		probedFarBack: {
			Name: "probed-far-back", Group: Replication, Needs: kinds(trace.RoleChange, trace.Receive, trace.Send),
			Text: "After a rejected append the leader tries again more than one entry further back.",
			Bug:  "willemt #118; OpenRaft: a stale conflict reply",
		},
		ackOfOlderTerm: {
			Name: "ack-of-older-term", Group: Replication, Needs: kinds(trace.RoleChange, trace.Receive),
			Text: "An acknowledgement of an older term reaches a leader.",
			Bug:  "an asynchronous acknowledgement counts for an entry that replaced the one it was given for",
		},
		ackGoesBack: {
			Name: "ack-goes-back", Group: Replication, Needs: kinds(trace.RoleChange, trace.Receive),
			Text: "A follower's acknowledgement arrives that goes less far than an earlier one of the same term.",
			Bug:  "raftos #25: the match index goes back",
		},
		messageOfOlderTerm: {
			Name: "message-of-older-term", Group: Replication, Needs: kinds(trace.Receive),
			Text: "A node receives entries, a heartbeat or a snapshot of a leader whose term is over for it.",
			Bug:  "raftos #26; camunda #6092",
		},
		messageOutOfOrder: {
			Name: "message-out-of-order", Group: Replication, Needs: kinds(trace.Send, trace.Receive), Fields: trace.LacksNumbers,
			Text: "A message is received a second time, or after a later one of the same sender.",
			Bug:  "xraft #27: grants counted twice; OpenRaft: appends completed out of order",
		},
		appendWithinLog: {
			Name: "append-within-log", Group: Replication, Needs: kinds(trace.Append, trace.Receive), Fields: trace.LacksStored,
			Text: "A follower receives entries that it has already, followed by more of its own.",
			Bug:  "raftos #26: what follows is cut off; an acknowledgement of all that follows",
		},
	}
}

func reads() map[id]Situation {
	return map[id]Situation{
		readRoundOvertaken: {
			Name: "read-round-overtaken", Group: Reads, Needs: kinds(trace.RoleChange, trace.RoundBegun, trace.RoundDone),
			Text: "A leader loses its leadership while a quorum has yet to confirm a round of reads.",
			Bug:  "consul #54: local reads; RedisLabs raft #34; sofa-jraft #34",
		},
		readsBeforeFirstCommit: {
			Name: "reads-before-first-commit", Group: Reads, Needs: kinds(trace.RoleChange, trace.Commit, trace.ReadCame),
			Text: "Reads come to a leader that has not committed an entry of its term yet.",
			Bug:  "redisraft #18, #19",
		},
		readServedAfterSuccession: {
			Name: "read-served-after-succession", Group: Reads, Needs: kinds(trace.RoleChange, trace.ReadServed),
			Text: "A leader answers reads while its successor is already elected; legal for a round that was confirmed before.",
			Bug:  "consul #54; etcd #20418; tikv #964",
		},
	}
}

func snapshots() map[id]Situation {
	return map[id]Situation{
		snapshotInstalled: {
			Name: "snapshot-installed", Group: Snapshots, Needs: kinds(trace.Snapshot),
			Text: "A node that lags behind installs its leader's snapshot.",
			Bug:  "NuRaft #407; a session table that is left out",
		},
		snapshotInterrupted: {
			Name: "snapshot-interrupted", Group: Snapshots, Needs: kinds(trace.RoleChange, trace.Receive, trace.Snapshot),
			Text: "While a node receives a snapshot its leader changes, or it restarts.",
			Bug:  "redisraft #43; etcd-raft #124",
		},
		snapshotOverConflict: {
			Name: "snapshot-over-conflict", Group: Snapshots, Needs: kinds(trace.Append, trace.Commit, trace.Snapshot), Fields: trace.LacksStored,
			Text: "A snapshot is installed by a node whose log holds entries that differ from the committed ones.",
			Bug:  "hashicorp #697: a livelock; OpenRaft #1892",
		},
		snapshotNotNeeded: {
			Name: "snapshot-not-needed", Group: Snapshots, Needs: kinds(trace.Append, trace.Receive), Fields: trace.LacksStored,
			Text: "A snapshot reaches a node whose log already holds the snapshot's last entry, or more.",
			Bug:  "camunda #6092: an older snapshot deletes newer entries",
		},
	}
}

func restarts() map[id]Situation {
	return map[id]Situation{
		crashBeforePersist: {
			Name: "crash-before-persist", Group: Restart, Needs: kinds(trace.Start, trace.Append, trace.Persist), Fields: trace.LacksStored,
			Text: "A node crashes with entries in its log that are not durable yet.",
			Bug:  "goraft 3f98381: no sync before the commit",
		},
		crashBeforeAck: {
			Name: "crash-before-ack", Group: Restart, Needs: kinds(trace.Start, trace.RoleChange, trace.Persist, trace.Send), Fields: trace.LacksStored,
			Text: "A follower crashes when entries are durable, before it has acknowledged them.",
			Bug:  "etcd #13766: applied again after a restart",
		},
		crashBeforeVoteDurable: {
			Name: "crash-before-vote-durable", Group: Restart, Needs: kinds(trace.Start, trace.Grant, trace.Persist), Fields: trace.LacksStored,
			Text: "A node crashes when it has decided on a vote that is not durable yet.",
			Bug:  "goraft: messages leave before the persist; sofa-jraft #1241: term and vote in two writes",
		},
		askedAgainAfterRestart: {
			Name: "asked-again-after-restart", Group: Restart, Needs: kinds(trace.Start, trace.Receive), Fields: trace.LacksStored,
			Text: "A node that voted and was restarted is asked for its vote by another candidate of that term.",
			Bug:  "goraft; akka-raft #62: the vote is not kept",
		},
		restartWithUncommitted: {
			Name: "restart-with-uncommitted", Group: Restart, Needs: kinds(trace.Start, trace.Commit), Fields: trace.LacksStored,
			Text: "A node restarts with entries in its log that no node has committed.",
			Bug:  "etcd #14370; OpenRaft: recovery ends at an older commit",
		},
		restartThenTruncated: {
			Name: "restart-then-truncated", Group: Restart, Needs: kinds(trace.Start, trace.Truncate), Fields: trace.LacksStored,
			Text: "Entries that a node found on its disk when it was restarted are truncated.",
			Bug:  "etcd #5230: a torn tail; braft 10cd9e3",
		},
		majorityRestartedInTerm: {
			Name: "majority-restarted-in-term", Group: Restart, Needs: kinds(trace.Start), Fields: trace.LacksStored,
			Text: "A majority of the members restarts with the same stored term.",
			Bug:  "akka-raft #62; goraft 3f98381",
		},
		allDown: {
			Name: "all-down", Group: Restart, Needs: kinds(trace.Start, trace.Send),
			Text: "All members are down at the same time.",
			Bug:  "redisraft #43; goraft 3f98381; etcd #6378: reordered writes",
		},
	}
}

func partitions() map[id]Situation {
	return map[id]Situation{
		twoLeaders: {
			Name: "two-leaders", Group: Partition, Needs: kinds(trace.RoleChange, trace.Send),
			Text: "A leader goes on to act as one after a leader of a higher term was elected.",
			Bug:  "consul #54; redisraft #17",
		},
		leaderWithoutQuorum: {
			Name: "leader-without-quorum", Group: Partition, Needs: kinds(trace.RoleChange),
			Text: "A leader steps down in its own term because it no longer hears from a quorum.",
			Bug:  "hashicorp #666; leaderships that flap under a partial partition (decentralizedthoughts, December 2020)",
		},
		caughtUpByLog: {
			Name: "caught-up-by-log", Group: Partition, Needs: kinds(trace.Start, trace.Append, trace.Commit), Fields: trace.LacksStored,
			Text: "A node that missed 1,000 committed entries or more catches up without a snapshot.",
			Bug:  "etcd-raft 8ecce32: entries skipped",
		},
	}
}

func memberships() map[id]Situation {
	return map[id]Situation{
		configDuringElection: {
			Name: "config-during-election", Group: Membership, Needs: kinds(trace.RoleChange, trace.Commit, trace.Config),
			Text: "A candidate stands while a new configuration is in a log and not committed.",
			Bug:  "the bug of single-server changes (raft-dev, 2015); etcd #7280",
		},
		configRolledBack: {
			Name: "config-rolled-back", Group: Membership, Needs: kinds(trace.Config),
			Text: "A node returns to an earlier configuration because the entry of the new one is truncated.",
			Bug:  "etcd-raft e515a67; ScyllaDB #31158",
		},
	}
}
