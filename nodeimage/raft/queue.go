package raft

import "sync"

// queue is the one blocking queue of a node. It is a list under a lock and
// not a channel because its owner takes everything at once: that is what turns
// many waiting proposals into one append and one fsync.
type queue struct {
	mu     sync.Mutex
	filled sync.Cond
	tasks  []task
	bound  int // for offer
	closed bool
}

func newQueue(bound int) *queue {
	q := &queue{bound: bound}
	q.filled.L = &q.mu
	return q
}

// put adds a task of the node's own: a timer's expiry or the answer of one of
// its workers. There are only ever a few of those, so put ignores the bound;
// it must, for losing one would hang the node.
func (q *queue) put(t task) bool { return q.add(t, false) }

// offer adds a task from outside, unless the queue is full or closed.
func (q *queue) offer(t task) bool { return q.add(t, true) }

func (q *queue) add(t task, bounded bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || bounded && len(q.tasks) >= q.bound {
		return false
	}
	q.tasks = append(q.tasks, t)
	if len(q.tasks) == 1 {
		q.filled.Signal()
	}
	return true
}

// take waits for tasks and returns all there are, in order; nothing once the
// queue is closed. It uses spare for the tasks to come.
func (q *queue) take(spare []task) []task {
	clear(spare)
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.tasks) == 0 && !q.closed {
		q.filled.Wait()
	}
	taken := q.tasks
	q.tasks = spare[:0]
	return taken
}

// close refuses further tasks and returns those that were never taken.
func (q *queue) close() []task {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	left := q.tasks
	q.tasks = nil
	q.filled.Broadcast()
	return left
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}
