package kv

import (
	"encoding/binary"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// at is a command on a lock at a lease time.
func at(lease time.Duration, op Op, name, owner string, token uint64, ttl time.Duration) []byte {
	return append(appendTime(nil, lease), appendLock(nil, op, name, owner, token, ttl)...)
}

// granted takes a lock that has to be free, and returns the token.
func (s *script) granted(lease time.Duration, name, owner string, ttl time.Duration) uint64 {
	s.t.Helper()
	return binary.BigEndian.Uint64([]byte(s.ok(at(lease, OpAcquire, name, owner, 0, ttl))))
}

// refused applies a command on a lock that has to find another holder.
func (s *script) refused(raw []byte, want Holder) {
	s.t.Helper()
	r := s.do(raw)
	got, err := decodeHolder(r.value)
	if r.status != statusCompareFailed || err != nil || got != want {
		s.t.Fatalf("%+v: holder %+v, %v; want %+v", r, got, err, want)
	}
}

func TestLocks(t *testing.T) {
	s := newScript(t)
	if token := s.granted(100, "a", "x", 10); token != 1 {
		t.Errorf("the first token is %d", token)
	}
	s.refused(at(105, OpAcquire, "a", "y", 0, 10), Holder{"x", 1, 5})
	s.refused(at(105, OpAcquire, "a", "x", 0, 10), Holder{"x", 1, 5}) // not twice either
	s.refused(at(105, OpRelease, "a", "y", 1, 0), Holder{"x", 1, 5})
	s.refused(at(105, OpRelease, "a", "x", 2, 0), Holder{"x", 1, 5})
	s.refused(at(105, OpKeepAlive, "a", "y", 1, 50), Holder{"x", 1, 5})
	s.ok(at(109, OpKeepAlive, "a", "x", 1, 10))
	s.refused(at(118, OpAcquire, "a", "y", 0, 10), Holder{"x", 1, 1})
	s.refused(at(50, OpAcquire, "a", "y", 0, 10), Holder{"x", 1, 1}) // time does not go back
	if token := s.granted(119, "a", "y", 0); token != 2 {
		t.Errorf("the second token is %d", token)
	}
	s.refused(at(120, OpRelease, "a", "x", 1, 0), Holder{"y", 2, 0})
	s.refused(at(120, OpKeepAlive, "a", "x", 1, 10), Holder{"y", 2, 0})
	s.refused(at(1e18, OpAcquire, "a", "x", 0, 10), Holder{"y", 2, 0}) // it does not end by itself
	s.ok(at(1e18, OpRelease, "a", "y", 2, 0))
	s.refused(at(1e18, OpRelease, "a", "y", 2, 0), Holder{})
	if token := s.granted(1e18, "b", "x", 10); token != 3 {
		t.Errorf("the third token, of another lock, is %d", token)
	}
	s.refused(at(1e18+10, OpKeepAlive, "b", "x", 3, 10), Holder{}) // over
	s.refused(at(1e18+10, OpRelease, "b", "x", 3, 0), Holder{})
	if held := s.m.Stats(); held.Locks != 0 {
		t.Errorf("%d locks are left", held.Locks)
	}
}

func TestLocksBound(t *testing.T) {
	s := newScript(t)
	for i := range MaxLocks {
		s.granted(1, fmt.Sprint("lock ", i), "x", time.Duration(10*(1-i%2))) // every other one for ever
	}
	if r := s.do(at(5, OpAcquire, "one more", "x", 0, 0)); r.code != CodeTooMany || r.status != statusFailed {
		t.Errorf("one lock too many: %+v", r)
	}
	if token := s.granted(11, "one more", "x", 0); token != MaxLocks+1 {
		t.Errorf("token %d after %d grants", token, MaxLocks)
	}
	if held := s.m.Stats(); held.Locks != MaxLocks/2+1 {
		t.Errorf("%d locks are left after half of the leases have ended", held.Locks)
	}
}

// lockState is a state machine's lease time that the test sets.
type lockState struct{ lease time.Duration }

func (s *lockState) LeaseTime() time.Duration { return s.lease }

func TestLeaseClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &lockState{lease: 1000}
		c := &leaseClock{clock: newPlainClock(), state: state}
		want := func(term uint64, lease time.Duration) {
			t.Helper()
			if got := c.read(term); got != lease {
				t.Fatalf("lease time %d in term %d, want %d", got, term, lease)
			}
		}
		time.Sleep(time.Hour) // it does not lead: no time passes
		want(0, 1000)
		time.Sleep(time.Hour)
		want(3, 1000) // where the state stands
		time.Sleep(50)
		want(3, 1050)
		state.lease = 1020 // its own commands are applied
		time.Sleep(50)
		want(3, 1100)
		state.lease = 2000 // an earlier leader's command, applied late
		want(3, 2000)
		time.Sleep(time.Hour)
		want(5, 2000) // it led again meanwhile, and does not know for how long
		time.Sleep(5)
		want(0, 2000) // it leads no more
		state.lease = 2005
		now := c.clock.Now()
		want(7, 2005)
		c.clock.Bend(now, now-time.Hour, 1) // set back: it stands still, and goes on
		want(7, 2005)
		time.Sleep(5)
		want(7, 2010)
		c.clock.Bend(c.clock.True(), c.clock.Now(), 0)
		time.Sleep(time.Hour)
		want(7, 2010)
		c.clock.Bend(c.clock.True(), c.clock.Now()+3*MaxTTL, 1)
		want(7, 2010+MaxTTL)
		state.lease = maxLeaseTime
		time.Sleep(5)
		want(7, maxLeaseTime)
	})
}
