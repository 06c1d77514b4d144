package driver

import (
	"context"
	"errors"
	"sync"

	"squall/history"
	"squall/internal/declare"
	"squall/workloads/systems"
)

// resendingFake is a fake whose clients send again what is not answered.
type resendingFake struct{ *fake }

func (resendingFake) Resends(declare.Args) bool { return true }

// fakeOnce is one operation of a session, fakeAnswer what it was answered.
type fakeOnce struct{ session, number int }

type fakeAnswer struct {
	swapped bool
	found   history.Value
}

type fakeSession struct {
	id int
	mu sync.Mutex
	n  int
}

func (c *fakeClient) Register(ctx context.Context) (systems.Session, error) {
	s := &fakeSession{}
	err := c.serve(ctx, func(_, _ store) {
		c.f.sessions++
		s.id = c.f.sessions
	})
	return s, err
}

func (s *fakeSession) Begin() systems.Once {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return fakeOnce{s.id, s.n}
}

// errForgotten is the answer to what is sent in a session that is not known.
var errForgotten = &systems.Error{Certain: true, Forgotten: true, Err: errors.New("no such session")}

// forget makes it forget all sessions that there are.
func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgotten = f.sessions
}

func (o fakeOnce) On(c systems.Client) systems.Client { return onceClient{c.(*fakeClient), o} }
func (fakeOnce) End()                                 {}

// onceClient carries out one operation, once.
type onceClient struct {
	*fakeClient
	once fakeOnce
}

// do is do, unless the session is not known.
func (c onceClient) do(ctx context.Context, apply func(from, to store)) error {
	known := true
	err := c.fakeClient.do(ctx, func(from, to store) {
		if known = c.once.session > c.f.forgotten; known {
			apply(from, to)
		}
	})
	if err == nil && !known {
		return errForgotten
	}
	return err
}

// first carries out what was not carried out yet. The fake's lock is held.
func (c onceClient) first(apply func() fakeAnswer) fakeAnswer {
	a, done := c.f.applied[c.once]
	if done {
		c.f.again++
	}
	if !done || c.f.repeats {
		a = apply()
		c.f.applied[c.once] = a
	}
	return a
}

func (c onceClient) Write(ctx context.Context, key string, value history.Value) error {
	return c.do(ctx, func(_, to store) {
		c.first(func() fakeAnswer { to[key] = value; return fakeAnswer{} })
	})
}

func (c onceClient) CAS(ctx context.Context, key string, expect, value history.Value) (swapped bool, found history.Value, err error) {
	err = c.do(ctx, func(_, to store) {
		a := c.first(func() (a fakeAnswer) {
			if a.found = c.f.data[key]; a.found == expect {
				to[key], a.swapped = value, true
			}
			return a
		})
		swapped, found = a.swapped, a.found
	})
	return swapped, found, err
}
