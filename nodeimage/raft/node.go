package raft

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Node is one running member of a Raft cluster.
type Node struct {
	cfg     Config
	queue   *queue
	workers *workers
	pending atomic.Int64 // proposals and reads without an answer
	done    chan struct{}
	failed  chan struct{}

	mu     sync.Mutex
	status Status
	match  []uint64 // leader only: in the order of cfg.Members
	err    error
}

// Start recovers the node from its storage and starts its event loop. The
// errors are those of the configuration and of the storage.
func Start(cfg Config) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, queue: newQueue(cfg.MaxPending + queueSlack),
		done: make(chan struct{}), failed: make(chan struct{}),
	}
	st, err := cfg.Storage.Load()
	if err != nil {
		return nil, fmt.Errorf("raft: load the log: %w", err)
	}
	a := &applier{cfg: &n.cfg, pending: &n.pending}
	if st.Snapshot != nil {
		if err := a.restore(st.Snapshot); err != nil {
			return nil, err
		}
	}
	n.workers = startWorkers(cfg.Storage, a, n.queue.put)
	c, err := newCore(cfg, &st, n.workers, func(t task) { n.queue.put(t) }, &n.pending)
	if err != nil {
		n.workers.stop()
		return nil, err
	}
	a.steps = c.steps.applier()
	h := handlerOf(c)
	h.start()
	n.publish(c)
	go n.run(c, h)
	return n, nil
}

// handler is what the event loop hands the tasks to.
type handler interface {
	start()        // called once, before the first task
	handle(t task) // one task after another
	flush()        // after each bunch of them
}

var _ handler = (*core)(nil)

// run is the event loop: it takes what is on the queue, lets the role handle
// one task after another, and then acts on all of them together.
func (n *Node) run(c *core, h handler) {
	defer close(n.done)
	var tasks []task
	for c.role.kind() != Stopped {
		tasks = n.queue.take(tasks)
		for _, t := range tasks {
			h.handle(t)
		}
		h.flush()
		n.publish(c)
	}
	for _, t := range n.queue.close() {
		h.handle(t)
	}
	n.workers.stop()
	if c.err != nil {
		close(n.failed)
	}
}

// Propose replicates command, which must not be changed afterwards. done is
// called exactly once: with the state machine's result and nil, or with one of
// ErrNotLeader, ErrBusy, ErrStopped, ErrSuperseded (certain: no effect) or
// ErrUnknown. done must not block; it may be called before Propose returns.
//
// When this node loses its leadership, a proposal that is in its log waits
// until it is known whether the next leader keeps it. That may take long: a
// caller that cannot wait has to give up by itself.
func (n *Node) Propose(command []byte, done func(result any, err error)) {
	if err := n.enter(&propose{command: command, done: done}); err != nil {
		done(nil, err)
	}
}

// Read is a linearizable read barrier (ReadIndex). done(nil) is called on the
// goroutine that applies entries, so within done the state machine may be read
// and holds everything that was acknowledged before Read was called. On an
// error (ErrNotLeader, ErrBusy, ErrStopped, ErrUnknown: leadership was lost)
// nothing may be read. done is called exactly once and must not block.
func (n *Node) Read(done func(err error)) {
	if err := n.enter(&read{done: done}); err != nil {
		done(err)
	}
}

// Inspect calls done on the goroutine that applies entries, so that within done the
// state machine may be looked at, with the last entry that it holds. It asks no other
// node: what it holds may be old. On an error, ErrStopped, nothing may be looked at.
// done is called exactly once, and applying waits for it.
func (n *Node) Inspect(done func(at LogMark, err error)) {
	if !n.workers.applies.offer(&inspectState{done}) {
		done(LogMark{}, ErrStopped)
	}
}

// enter puts a client call on the queue, if there is room for one more.
func (n *Node) enter(t task) error {
	if n.pending.Add(1) > int64(n.cfg.MaxPending) {
		n.pending.Add(-1)
		return ErrBusy
	}
	if n.queue.offer(t) {
		return nil
	}
	n.pending.Add(-1)
	if n.queue.isClosed() {
		return ErrStopped
	}
	return ErrBusy
}

// Receive hands over a message from another member. It never blocks; when the
// queue is full the message is dropped, as a network would.
func (n *Node) Receive(m *Message) {
	if m.From != n.cfg.ID { // nobody else speaks for this node
		n.queue.offer(receive{m})
	}
}

// Leader is the leader that this node knows of (0: none) and the term.
func (n *Node) Leader() (leader NodeID, term uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status.Leader, n.status.Term
}

// Status is safe to call from any goroutine.
func (n *Node) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.status
	if s.Role == Leader {
		s.Match = make(map[NodeID]uint64, len(n.match))
		for i, id := range n.cfg.Members {
			s.Match[id] = n.match[i]
		}
	}
	return s
}

// publish makes the core's state visible to Status.
func (n *Node) publish(c *core) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = c.err
	n.status = Status{
		ID: c.id, Role: c.role.kind(), Term: c.term, Leader: c.leader,
		FirstIndex: c.log.base.Index + 1, LastIndex: c.log.last(),
		CommitIndex: c.log.commit, Applied: c.applied, SnapshotIndex: c.snap.Index,
		Proposals: c.countProposals, Reads: c.countReads,
		Elections: c.countElections, TermsAsLeader: c.countLeaderTerms,
	}
	n.match = n.match[:0]
	if l, ok := c.role.(*leader); ok {
		for _, id := range c.cfg.Members {
			match := l.match
			if id != c.id {
				match = l.follower(id).match
			}
			n.match = append(n.match, match)
		}
	}
}

// Stop ends the event loop and every goroutine, and waits for them. Proposals
// under way report ErrUnknown. The storage stays open: it is the caller's.
func (n *Node) Stop() {
	n.queue.put(stop{})
	<-n.done
}

// Failed is closed when the node stopped by itself because its storage failed
// (or because another member broke the protocol).
func (n *Node) Failed() <-chan struct{} { return n.failed }

// Err says why Failed was closed.
func (n *Node) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}
