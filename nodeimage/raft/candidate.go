package raft

// candidate is the role of a node that wants to lead. It first asks whether it
// could win (the pre-vote), which disturbs nobody and changes no term. To the
// outside a node in that phase is still a follower, without a leader; only a
// majority's consent makes it campaign, and only that is a "candidate".
type candidate struct {
	c           *core
	campaigning bool            // false: pre-vote
	answers     map[NodeID]bool // granted; the first answer of each member counts
}

func (cd *candidate) kind() Role {
	if cd.campaigning {
		return Candidate
	}
	return Follower
}

func (*candidate) leave() {}

// toPreCandidate begins a pre-vote: no leader was heard for an election timeout.
func (c *core) toPreCandidate() {
	c.leader = 0
	cd := &candidate{c: c, answers: map[NodeID]bool{}}
	c.become(cd, reasonTimeout)
	c.resetElectionTimer()
	cd.ask(MsgPreVote, c.term+1)
	cd.count(c.id, true)
}

// toCandidate begins a campaign. The node's own vote counts when it is
// durable, like any other.
func (c *core) toCandidate(reason string) {
	c.leader = 0
	c.castVote(c.term+1, c.id, c.log.lastMark())
	cd := &candidate{c: c, campaigning: true, answers: map[NodeID]bool{}}
	c.become(cd, reason)
	c.countElections++
	c.resetElectionTimer()
	cd.ask(MsgVote, c.term)
	c.send(&Message{Type: MsgVoteReply, To: c.id})
}

func (cd *candidate) ask(kind MessageType, term uint64) {
	last := cd.c.log.lastMark()
	for _, id := range cd.c.cfg.Members {
		if id != cd.c.id {
			cd.c.send(&Message{Type: kind, To: id, Term: term, Index: last.Index, LogTerm: last.Term})
		}
	}
}

func (cd *candidate) handle(t task) {
	c := cd.c
	switch t := t.(type) {
	case *propose:
		c.refuse(t, ErrNotLeader)
	case *read:
		c.failReads([]*read{t}, ErrNotLeader)
	case receive:
		c.deliver(t.m)
	case electionTimeout:
		if c.electionDue(t.gen) {
			c.toPreCandidate()
		}
	default:
		c.common(t)
	}
}

func (cd *candidate) message(m *Message) {
	c := cd.c
	switch m.Type {
	case MsgPreVote:
		c.answerPreVote(m)
	case MsgVote:
		c.answerVote(m)
		if c.vote == m.From {
			// Somebody is a step ahead, and has this pre-candidate's vote.
			c.toFollower(c.term, 0, reasonVoted)
		}
	case MsgPreVoteReply:
		if !cd.campaigning && (m.Reject || m.Term == c.term+1) {
			cd.count(m.From, !m.Reject)
		}
	case MsgVoteReply:
		if cd.campaigning {
			cd.count(m.From, !m.Reject)
		}
	case MsgAppend, MsgHeartbeat, MsgSnapshot:
		c.toFollower(c.term, m.From, reasonFollowing)
		c.role.message(m)
	}
}

// count takes an answer of the current term (or pre-vote) into the tally.
func (cd *candidate) count(from NodeID, granted bool) {
	if _, answered := cd.answers[from]; !answered {
		cd.answers[from] = granted
		cd.c.steps.counts(from, !cd.campaigning, granted)
	}
	switch {
	case !cd.won():
	case cd.campaigning:
		cd.c.toLeader()
	default:
		cd.c.toCandidate(reasonPreVoteWon)
	}
}

func (cd *candidate) won() bool {
	n := 0
	for _, granted := range cd.answers {
		if granted {
			n++
		}
	}
	return n >= cd.c.quorum
}
