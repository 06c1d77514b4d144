package kv

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"squall/nodeimage/raft"
)

// Clock is the node's time. It is CLOCK_MONOTONIC, absolute, so that the times
// of all processes on a host compare; but it can be bent, to see what a node
// does whose clock is wrong. While it is not, that costs one load of a pointer.
//
// By this clock go the waits that stand for passing time in the protocols:
// Raft's election timeout, heartbeats, quorum check and resending; how long a
// request lives ([Config.RequestTimeout]), here and where it was forwarded to;
// and how long it waits for a leader ([Config.LeaderWait]).
//
// True time stay:
//   - the trace and the metrics ([Clock.True]): what is recorded must hold;
//   - the connections' timeouts, pings and pauses between dials. They belong to
//     the network below the protocols, and half of them are the kernel's, whose
//     clock is right; bent, they would make every clock fault a network fault;
//   - how often it is looked whether a wait is over (retryEvery, expireEvery):
//     a resolution and no wait, the waits looked at are bent;
//   - the end of the process: a node whose clock stands still can be stopped.
type Clock struct {
	start time.Time // its monotonic reading is what counts
	base  time.Duration
	bent  atomic.Pointer[bend] // nil: it is not

	mu     sync.Mutex // no bend while a timer is made, or expires
	timers map[*clockTimer]struct{}
}

var _ raft.Clock = (*Clock)(nil)

// bend is the line that a bent clock follows: at true time mono it shows
// clock, and from there it runs rate times as fast, or stands still.
type bend struct {
	mono, clock time.Duration
	rate        float64
}

// NewClock reads the machine's clock once; from there on it follows Go's own
// monotonic clock, which is the same one but cheaper to read.
func NewClock() (*Clock, error) {
	var best *Clock
	shortest := time.Duration(-1)
	for range 5 { // the attempt that was interrupted least wins
		before := time.Now()
		base, err := monotonic()
		if err != nil {
			return nil, fmt.Errorf("read the monotonic clock: %w", err)
		}
		took := time.Since(before)
		if shortest < 0 || took < shortest {
			shortest = took
			best = &Clock{start: before, base: base - took/2, timers: make(map[*clockTimer]struct{})}
		}
	}
	return best, nil
}

// newPlainClock is a clock that counts from now, for what needs no absolute
// time.
func newPlainClock() *Clock {
	return &Clock{start: time.Now(), timers: make(map[*clockTimer]struct{})}
}

// True is the machine's CLOCK_MONOTONIC, however the clock is bent.
func (c *Clock) True() time.Duration { return c.base + time.Since(c.start) }

// Now is what the clock shows.
func (c *Clock) Now() time.Duration { return c.shows(c.True()) }

// at is what the clock shows at a moment that was just read of Go's clock.
func (c *Clock) at(moment time.Time) time.Duration { return c.shows(c.base + moment.Sub(c.start)) }

func (c *Clock) shows(mono time.Duration) time.Duration {
	b := c.bent.Load()
	if b == nil {
		return mono
	}
	return b.at(mono)
}

// since is how long before now the moment was. A moment that lies ahead was
// noted before the clock was set back: it counts as now from here on, or what
// waits for it would wait for as long as the clock was wrong.
func since(moment *time.Duration, now time.Duration) time.Duration {
	*moment = min(*moment, now)
	return now - *moment
}

// far is a time that does not come.
const far = time.Duration(1 << 62)

func clamp(ns float64) time.Duration {
	return time.Duration(math.Min(math.Max(ns, -float64(far)), float64(far)))
}

func (b *bend) at(mono time.Duration) time.Duration {
	if b.rate == 1 {
		return mono + (b.clock - b.mono) // to the nanosecond
	}
	return b.clock + clamp(b.rate*float64(mono-b.mono))
}

// until is how much true time passes from mono until the clock shows due;
// never tells that it does not. It may be some nanoseconds short.
func (b *bend) until(due, mono time.Duration) (wait time.Duration, never bool) {
	if b == nil {
		return max(due-mono, 0), false
	}
	left := due - b.at(mono)
	if left <= 0 {
		return 0, false
	}
	if b.rate == 0 {
		return 0, true
	}
	return max(clamp(math.Ceil(float64(left)/b.rate)), 1), false
}

// Bend makes the clock show clock at true time mono, and from there run rate
// times as fast; 0 makes it stand still. With mono equal to clock and a rate of
// 1 it shows true time again. What pending timers wait for comes sooner, later
// or at once by that, as if the machine's own clock had been set.
//
// There is one exception. When the clock is set right again, no timer waits
// longer than it would had it been made then: else a node whose clock was an
// hour ahead would wait for that hour, long after the fault is over.
func (c *Clock) Bend(mono, clock time.Duration, rate float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b *bend
	if mono != clock || rate != 1 {
		b = &bend{mono, clock, rate}
	}
	c.bent.Store(b)
	now := c.Now()
	for t := range c.timers {
		if b == nil {
			t.due = min(t.due, now+t.asked)
		}
		t.arm()
	}
}

// AfterFunc is [time.AfterFunc] by this clock.
func (c *Clock) AfterFunc(d time.Duration, f func()) raft.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &clockTimer{clock: c, f: f, asked: d, due: c.Now() + d}
	c.timers[t] = struct{}{}
	t.arm()
	return t
}

// clockTimer is a pending AfterFunc. The clock's mutex guards it.
type clockTimer struct {
	clock      *Clock
	f          func()
	asked, due time.Duration // by the clock
	timer      *time.Timer   // nil before it was armed first
}

// arm sets Go's timer to when the clock shows due.
func (t *clockTimer) arm() {
	wait, never := t.clock.bent.Load().until(t.due, t.clock.True())
	switch {
	case never && t.timer == nil:
	case never:
		t.timer.Stop()
	case t.timer == nil:
		t.timer = time.AfterFunc(wait, t.expire)
	default:
		t.timer.Reset(wait)
	}
}

// expire is called at the time for which the timer was armed, or for which it
// was before it was armed anew.
func (t *clockTimer) expire() {
	c := t.clock
	c.mu.Lock()
	_, pending := c.timers[t]
	early := pending && c.Now() < t.due
	if early {
		t.arm()
	} else {
		delete(c.timers, t)
	}
	c.mu.Unlock()
	if pending && !early {
		t.f()
	}
}

// Stop reports whether it kept the function from being called.
func (t *clockTimer) Stop() bool {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, pending := c.timers[t]; !pending {
		return false
	}
	delete(c.timers, t)
	if t.timer != nil {
		t.timer.Stop()
	}
	return true
}
