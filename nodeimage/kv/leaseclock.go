package kv

import (
	"sync"
	"time"
)

// leaseClock is where a leader takes the lease time from that it puts into the
// log. While it leads, the time runs by the node's clock; it begins where the
// state machine stands when the leadership does. So clocks of different nodes
// are never compared, and between two leaders the time stands still.
type leaseClock struct {
	clock *Clock
	state interface{ LeaseTime() time.Duration }

	mu   sync.Mutex
	term uint64        // of the leadership; 0: it does not lead
	seen time.Duration // when it was read last, by the node's clock
	at   time.Duration // the lease time then
}

// read is the lease time; term is that in which the node leads, 0 when it does
// not. A clock that is set back makes the time stand still, for that reading.
func (l *leaseClock) read(term uint64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if term != l.term || term == 0 {
		l.term, l.seen, l.at = term, now, 0
	}
	// No lease is longer than MaxTTL: a clock that jumps further ends them all.
	passed := min(max(now-l.seen, 0), MaxTTL)
	l.seen = now
	// The state may hold more than this leader knew when it began: commands of
	// earlier leaders, applied since. All of them are older than its reading.
	l.at = min(max(l.at, l.state.LeaseTime())+passed, maxLeaseTime)
	return l.at
}
