package kv

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"squall/nodeimage/raft"
)

// consensus is what the server needs of its Raft node.
type consensus interface {
	Propose(command []byte, done func(result any, err error))
	Read(done func(err error))
	Leader() (leader raft.NodeID, term uint64)
	Status() raft.Status
	inspector
}

// reader is what may be read of the state machine within consensus.Read.
type reader interface {
	Query(c *command) response
	LeaseTime() time.Duration
	// Digest may be called within consensus.Inspect.
	Digest() uint64
}

// forwarder sends requests to other nodes.
type forwarder interface {
	// forward sends a request, born at that time of the node's clock, to a node
	// and calls done once with the answer, or when its life is over. It reports
	// false, and done is never called, when the node cannot be reached.
	forward(to raft.NodeID, op Op, raw []byte, born, life time.Duration, done func(response)) bool
	// abandonAllBut ends every request under way to another node than leader
	// with CodeLeaderMoved; an answer that still comes is too late.
	abandonAllBut(leader raft.NodeID)
}

// retryEvery is how often it is looked whether a waiting request has a leader
// to go to, and whether forwarded ones have lost theirs.
const retryEvery = 10 * time.Millisecond

// router decides where a request is carried out.
type router struct {
	self       raft.NodeID
	node       consensus
	state      reader
	others     forwarder
	leaderWait time.Duration // how long a request waits for a leader
	timeout    time.Duration // the life of a request
	metrics    *metrics
	clock      *Clock
	leases     *leaseClock

	mu      sync.Mutex
	waiting []*request
	stopped bool
}

func newRouter(self raft.NodeID, node consensus, state reader, others forwarder, m *metrics, clock *Clock) *router {
	return &router{self: self, node: node, state: state, others: others, metrics: m, clock: clock,
		leases: &leaseClock{clock: clock, state: state}}
}

// route carries a request out, here or at the leader. It does not block.
func (r *router) route(q *request) {
	if q.cmd.op == OpDigest {
		r.inspect(q)
		return
	}
	switch leader, term := r.node.Leader(); {
	case leader == r.self:
		r.submit(q, term)
	case leader == 0:
		r.park(q, "no leader is known")
	case q.forwarded():
		// Sent on once already: going further could go round in circles.
		q.answer(noEffect(CodeNotLeader, fmt.Sprintf("n%d was asked; it follows n%d", r.self, leader)))
	default:
		r.pass(q, leader)
	}
}

// submit gives the request to this node's consensus, as the leader of that term.
func (r *router) submit(q *request, term uint64) {
	if _, ok := q.hand(); !ok {
		return
	}
	if q.cmd.op.Reads() {
		r.node.Read(func(err error) {
			if err != nil {
				r.refused(q, err)
				return
			}
			q.answer(r.state.Query(&q.cmd))
		})
		return
	}
	entry := q.raw
	if q.cmd.op.timed() {
		entry = append(appendTime(make([]byte, 0, 9+len(q.raw)), r.leases.read(term)), q.raw...)
	}
	r.node.Propose(entry, func(result any, err error) {
		if err != nil {
			r.refused(q, err)
			return
		}
		q.answer(outcome(result))
	})
}

// outcome is the answer for what the state machine returned.
func outcome(result any) response {
	if r, ok := result.(response); ok {
		return r
	}
	return response{status: statusUnknown, code: CodeInternal, text: fmt.Sprintf("the state machine returned %T", result)}
}

// refused answers, or parks, a request that the consensus did not carry out.
func (r *router) refused(q *request, err error) {
	switch {
	case errors.Is(err, raft.ErrNotLeader):
		q.takeBack()
		r.park(q, "leadership moved on")
	case errors.Is(err, raft.ErrBusy):
		q.answer(noEffect(CodeBusy, ""))
	case errors.Is(err, raft.ErrStopped):
		q.answer(noEffect(CodeStopped, ""))
	case errors.Is(err, raft.ErrSuperseded):
		q.answer(noEffect(CodeSuperseded, ""))
	case errors.Is(err, raft.ErrUnknown):
		q.answer(uncertain(q.cmd.op, CodeLeaderLost, ""))
	default:
		q.answer(uncertain(q.cmd.op, CodeInternal, err.Error()))
	}
}

// pass sends the request to the leader.
func (r *router) pass(q *request, leader raft.NodeID) {
	born, ok := q.hand()
	if !ok {
		return
	}
	done := func(resp response) {
		if resp.code == CodeLeaderMoved && q.cmd.op.Reads() {
			q.takeBack() // it had no effect: the next leader may answer it
			r.route(q)
			return
		}
		q.answer(resp)
	}
	sent := r.others.forward(leader, q.cmd.op, q.raw, born, r.timeout, done)
	if !sent {
		q.takeBack()
		r.park(q, fmt.Sprintf("the leader n%d cannot be reached", leader))
		return
	}
	r.metrics.forwarded.Add(1)
}

// park keeps a request that has nowhere to go until a leader can be reached,
// or its patience ends. Without the wait, clients would get failures by the ten
// thousand a second for as long as there is no leader.
func (r *router) park(q *request, why string) {
	if q.age() >= r.leaderWait {
		q.answer(noEffect(CodeNotLeader, why))
		return
	}
	r.mu.Lock()
	stopped := r.stopped
	if !stopped {
		r.waiting = append(r.waiting, q)
	}
	r.mu.Unlock()
	if stopped {
		q.answer(noEffect(CodeStopped, ""))
	}
}

// run looks after parked and forwarded requests until stop is closed.
func (r *router) run(stop <-chan struct{}) {
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			r.failWaiting()
			return
		case <-ticker.C:
		}
		// A leader that was cut off or paused keeps its requests for as long as
		// TCP hopes. Once another leads, nobody needs to wait for that.
		leader, term := r.node.Leader()
		if leader != 0 {
			r.others.abandonAllBut(leader)
		}
		if leader != r.self {
			term = 0
		}
		r.leases.read(term) // so that the time runs from when the leadership began
		for _, q := range r.takeWaiting() {
			r.route(q)
		}
	}
}

func (r *router) takeWaiting() []*request {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.waiting
	r.waiting = nil
	return taken
}

func (r *router) failWaiting() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	for _, q := range r.takeWaiting() {
		q.answer(noEffect(CodeStopped, ""))
	}
}
