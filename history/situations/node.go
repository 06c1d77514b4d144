package situations

import (
	"math/bits"

	"squall/history/trace"
)

// maxNodes bounds how many nodes are followed; events of others are passed over.
const maxNodes = 64

// set is a set of nodes, by their places in Tracker.nodes.
type set uint64

func (s set) has(at int) bool { return s>>at&1 != 0 }
func (s set) len() int        { return bits.OnesCount64(uint64(s)) }

// node is what is known of a node.
type node struct {
	id   trace.NodeID
	at   int // its place in Tracker.nodes
	boot int
	seen int64 // the time of its newest event
	dark bool  // what it did last is not known

	started  bool // its log is known from the beginning of a boot on
	term     uint64
	role     trace.Role
	roleTerm uint64       // in which it took that role
	leader   trace.NodeID // as far as it knows
	vote     struct {
		term uint64
		peer trace.NodeID
	}
	log     terms
	commit  uint64
	members set // of its configuration
	old     set // of the former one, while a joint one is in force
	config  uint64

	durable     trace.Mark // the end of its log on disk
	durableTerm uint64
	durableVote trace.NodeID
	unacked     bool // as a follower: something is durable and not acknowledged yet

	atStart struct { // what it had stored when it was restarted
		last uint64 // the index of the last entry; 0 when it was not restarted
		term uint64
		vote trace.NodeID
	}
	away struct{ from, to int64 } // when it was down for the last time

	// As a leader.
	firstCommit bool   // it has committed an entry of its term
	readsCame   bool   // before that
	doubled     bool   // it acted although there was a successor
	outranked   bool   // reads were served although there was a successor
	figure8     bool   // an entry of an older term was on a quorum
	roundBegun  uint64 // the newest round of reads
	roundDone   uint64

	// As a follower.
	receiving trace.Mark // the snapshot on its way here
	differed  bool       // from it, when the log was replaced
	behind    uint64     // it lags: what was committed when it began to catch up

	sent  uint64 // the number of its newest message in this boot
	asked struct{ now, earlier set }
	peers []peer // by their places in Tracker.nodes
}

// peer is what a node had to do with another.
type peer struct {
	voteTerm  uint64 // of the newest request for a vote
	refusal   refusal
	rejected  uint64 // as a leader: the index of the entry that a rejected append named, plus 1
	acked     uint64 // as a leader: the furthest acknowledgement
	ackedTerm uint64
	// high is the highest number of a message received from it in its boot highBoot.
	high     uint64
	highBoot int
}

// refusal is why a vote would have to be refused.
type refusal uint8

const (
	noRefusal refusal = iota
	logRefusal
	votedRefusal
)

// of is what n had to do with the node at a place.
func (n *node) of(at int) *peer {
	for at >= len(n.peers) {
		n.peers = append(n.peers, peer{})
	}
	return &n.peers[at]
}

func (n *node) leads() bool { return n.role == trace.Leader }

// succeeded says whether n leads a term that is over elsewhere.
func (t *Tracker) succeeded(n *node) bool { return n.leads() && n.roleTerm < t.term }

// quorum says whether a set has a quorum of n's configuration.
func (n *node) quorum(s set) bool {
	return majority(n.members, s) && (n.old == 0 || majority(n.old, s))
}

func majority(of, s set) bool { return of != 0 && (of&s).len() > of.len()/2 }
