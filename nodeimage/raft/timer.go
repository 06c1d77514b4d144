package raft

import "time"

// loopTimer puts a task on the queue when its deadline has passed. Moving the
// deadline later, which every append does, costs nothing: the clock's timer
// runs on, and is set again when it expires too early.
type loopTimer struct {
	clock    Clock
	post     func(gen uint64)
	deadline time.Duration

	gen     uint64 // of the clock's timer that counts; others are late ones
	set     bool
	expires time.Duration
	timer   Timer
}

// reset moves the deadline to d from now.
func (t *loopTimer) reset(d time.Duration) {
	t.deadline = t.clock.Now() + d
	if t.set && t.expires <= t.deadline {
		return
	}
	t.stop()
	t.start()
}

func (t *loopTimer) start() {
	t.gen++
	t.set, t.expires = true, t.deadline
	gen := t.gen
	t.timer = t.clock.AfterFunc(max(t.deadline-t.clock.Now(), 0), func() { t.post(gen) })
}

// stop cancels the deadline.
func (t *loopTimer) stop() {
	if t.set {
		t.timer.Stop()
		t.set = false
	}
}

// expired says whether the expiry that the task of that generation tells of
// means that the deadline has passed.
func (t *loopTimer) expired(gen uint64) bool {
	if !t.set || gen != t.gen {
		return false
	}
	t.set = false
	if t.clock.Now() < t.deadline {
		t.start()
		return false
	}
	return true
}
