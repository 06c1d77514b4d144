package raft

import "time"

// loopTimer puts a task on the queue when its deadline has passed. Moving the
// deadline later, which every append does, costs nothing: the clock's timer
// runs on, and is set again when it expires too early.
//
// A clock may be set while the timer runs. Forward is simple: the deadline has
// passed. Set back, the deadline lies further ahead than the whole timeout; it
// is then brought back to that as soon as the clock's timer expires, so that a
// node waits for one timeout more and not for as long as the clock was wrong.
type loopTimer struct {
	clock    Clock
	post     func(gen uint64)
	timeout  time.Duration // what the deadline was made of
	deadline time.Duration

	gen     uint64 // of the clock's timer that counts; others are late ones
	set     bool
	expires time.Duration
	timer   Timer
	late    time.Duration // how long after its deadline it was seen to have expired
}

// reset moves the deadline to d from now.
func (t *loopTimer) reset(d time.Duration) {
	t.timeout, t.deadline = d, t.clock.Now()+d
	if t.set && t.expires <= t.deadline {
		return
	}
	t.stop()
	t.start()
}

func (t *loopTimer) start() {
	now := t.clock.Now()
	wait := min(max(t.deadline-now, 0), t.timeout) // it may have been set back since
	t.gen++
	t.set, t.expires = true, now+wait
	gen := t.gen
	t.timer = t.clock.AfterFunc(wait, func() { t.post(gen) })
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
	now := t.clock.Now()
	if now >= t.deadline {
		t.late = now - t.deadline
		return true
	}
	t.deadline = min(t.deadline, now+t.timeout)
	t.start()
	return false
}

// since is how long ago the moment was. A moment that lies ahead was noted
// before the clock was set back: it counts as now from here on, or what is
// measured from it would stand still for as long as the clock was wrong.
func (c *core) since(moment *time.Duration) time.Duration {
	now := c.cfg.Clock.Now()
	*moment = min(*moment, now)
	return now - *moment
}
