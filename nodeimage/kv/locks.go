package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync/atomic"
	"time"
)

// MaxLocks is how many locks may be held at once.
const MaxLocks = 10_000

// maxLeaseTime is where the lease time ends: after 36 years of leaders' time.
const maxLeaseTime = time.Duration(1 << 60)

// lock is a lock that is held, or was until its lease ended and nobody has asked
// for it since.
type lock struct {
	owner string
	token uint64
	ends  time.Duration // lease time; never: not by itself
	hash  uint64
}

// never is the end of a lease that does not end by itself.
const never = time.Duration(math.MaxInt64)

// lockTable is the state of all locks. It changes by [Machine.Apply] alone; the
// lease time may be read beside it.
type lockTable struct {
	held   map[string]lock
	shared bool         // a snapshot reads held: copy before writing
	now    atomic.Int64 // the lease time, nanoseconds; it never goes back
	token  uint64       // the last one that was granted
	sum    uint64       // of the hashes in held
	count  atomic.Int64
}

// LeaseTime is the time that leases go by, as far as commands were applied.
func (m *Machine) LeaseTime() time.Duration { return time.Duration(m.locks.now.Load()) }

// locking carries out a command on a lock, at its lease time. The time never
// goes back: what an earlier leader has put into the log counts.
func (m *Machine) locking(c *command) response {
	t := &m.locks
	now := max(time.Duration(t.now.Load()), c.rest.time)
	t.now.Store(int64(now))
	old, held := t.held[string(c.key)]
	if held && now >= old.ends {
		t.drop(string(c.key), old)
		held = false
	}
	if c.op == OpAcquire {
		if held {
			return response{status: statusCompareFailed, value: old.holder(now)}
		}
		return t.grant(c, now)
	}
	switch {
	case !held:
		return response{status: statusCompareFailed}
	case old.owner != string(c.value) || old.token != c.rest.token:
		return response{status: statusCompareFailed, value: old.holder(now)}
	case c.op == OpRelease:
		t.drop(string(c.key), old)
	default:
		t.hold(string(c.key), old.owner, old.token, ending(now, c.rest.ttl))
	}
	return response{status: statusOK}
}

// grant gives a lock that nobody holds.
func (t *lockTable) grant(c *command, now time.Duration) response {
	if len(t.held) >= MaxLocks {
		t.dropEnded(now)
	}
	if len(t.held) >= MaxLocks {
		return noEffect(CodeTooMany, fmt.Sprintf("%d locks are held, and no more can be", MaxLocks))
	}
	t.token++
	t.hold(string(c.key), string(c.value), t.token, ending(now, c.rest.ttl))
	return response{status: statusOK, value: Some(string(binary.BigEndian.AppendUint64(nil, t.token)))}
}

func ending(now, ttl time.Duration) time.Duration {
	if ttl == 0 {
		return never
	}
	return now + ttl
}

// hold notes who holds a lock.
func (t *lockTable) hold(name, owner string, token uint64, ends time.Duration) {
	t.own()
	l := lock{owner: owner, token: token, ends: ends}
	l.hash = hashBytes(mix(hashBytes(lockSeed, []byte(name)), token, uint64(ends)), []byte(owner))
	t.sum += l.hash - t.held[name].hash
	t.held[name] = l
	t.count.Store(int64(len(t.held)))
}

// drop forgets the holder of a lock.
func (t *lockTable) drop(name string, old lock) {
	t.own()
	delete(t.held, name)
	t.sum -= old.hash
	t.count.Store(int64(len(t.held)))
}

// dropEnded drops all locks whose lease has ended.
func (t *lockTable) dropEnded(now time.Duration) {
	t.own()
	for name, l := range t.held {
		if now >= l.ends {
			t.drop(name, l)
		}
	}
}

func (t *lockTable) own() {
	if t.shared {
		t.held = maps.Clone(t.held)
		t.shared = false
	}
}

// hash is a hash of all that the table holds; 0 when no lock was ever used.
func (t *lockTable) hash() uint64 {
	if now := t.now.Load(); now != 0 || t.token != 0 {
		return t.sum + mix(lockSeed, uint64(now), t.token)
	}
	return t.sum
}

const lockSeed = 0xC13FA9A902A6328F

// Holder is who holds a lock.
type Holder struct {
	Owner string // "": nobody
	Token uint64 // 0: nobody holds it
	// Left is how much of the lease was left when the server answered, by the
	// leader's clock; 0: it does not end by itself.
	Left time.Duration
}

// holder is the lock's holder, encoded: token (u64), what is left (u64,
// nanoseconds; 0: for ever), owner.
func (l *lock) holder(now time.Duration) Value {
	left := l.ends - now
	if l.ends == never {
		left = 0
	}
	b := binary.BigEndian.AppendUint64(nil, l.token)
	b = binary.BigEndian.AppendUint64(b, uint64(left))
	return Some(string(append(b, l.owner...)))
}

// decodeHolder reads a holder; that of an absent value is nobody.
func decodeHolder(v Value) (Holder, error) {
	if !v.Present {
		return Holder{}, nil
	}
	b := []byte(v.Data)
	if len(b) < 16 {
		return Holder{}, errTruncated
	}
	h := Holder{Token: binary.BigEndian.Uint64(b), Owner: v.Data[16:]}
	left := binary.BigEndian.Uint64(b[8:])
	if h.Token == 0 || left > uint64(MaxTTL) || len(h.Owner) > MaxName {
		return Holder{}, errors.New("a holder that cannot be")
	}
	h.Left = time.Duration(left)
	return h, nil
}
