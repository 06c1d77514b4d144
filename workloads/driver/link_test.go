package driver

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"squall/workloads/systems"
)

// slowDialer connects when it is let, and not after the attempt's end.
type slowDialer struct {
	*fake
	let   chan struct{}
	began int
}

func (d *slowDialer) Dial(ctx context.Context, node systems.Node) (systems.Client, error) {
	d.began++
	select {
	case <-d.let:
		return d.fake.Dial(ctx, node)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// slowLink is a link to a node that takes its time to accept.
func slowLink(t *testing.T) (*link, *slowDialer) {
	t.Helper()
	c, err := newClock()
	if err != nil {
		t.Fatal(err)
	}
	d := &slowDialer{fake: newFake(0, testNodes(1)...), let: make(chan struct{})}
	return &link{dialer: d, node: testNodes(1)[0], clock: c, work: registers(), timeout: time.Second, silence: time.Minute}, d
}

// got is what came of link.get.
type got struct {
	conn *connection
	err  error
}

func getLater(ctx context.Context, l *link) <-chan got {
	ch := make(chan got, 1)
	go func() {
		conn, err := l.get(ctx)
		ch <- got{conn, err}
	}()
	return ch
}

// Who loses patience with an attempt to connect does not end it for the others.
func TestADialOutlivesItsFirstCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := slowLink(t)
		ctx, cancel := context.WithCancel(t.Context())
		first := getLater(ctx, l)
		synctest.Wait()
		second := getLater(t.Context(), l)
		synctest.Wait()
		cancel()
		if g := <-first; !errors.Is(g.err, errConnect) || !errors.Is(g.err, context.Canceled) {
			t.Errorf("who gave up got %v, %v", g.conn, g.err)
		}
		synctest.Wait()
		close(d.let)
		if g := <-second; g.err != nil || g.conn == nil || d.began != 1 {
			t.Errorf("who waited on got %v, %v, of %d attempts", g.conn, g.err, d.began)
		}
		l.close()
	})
}

// An attempt ends when its time is up, for all who wait, though they have more.
func TestADialHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := slowLink(t)
		begin := time.Now()
		g := <-getLater(t.Context(), l)
		if took := time.Since(begin); !errors.Is(g.err, errConnect) || took != l.timeout {
			t.Errorf("%v after %v, want an error after %v", g.err, took, l.timeout)
		}
		l.close()
	})
}

// The end of the link is that of an attempt that nobody waits for any more.
func TestCloseEndsADial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := slowLink(t)
		ctx, cancel := context.WithCancel(t.Context())
		first := getLater(ctx, l)
		synctest.Wait()
		cancel()
		<-first
		begin := time.Now()
		l.close()
		if took := time.Since(begin); took != 0 || l.dialing != nil {
			t.Errorf("it took %v, and an attempt is under way: %v", took, l.dialing != nil)
		}
		if _, err := l.get(t.Context()); !errors.Is(err, errConnect) {
			t.Errorf("a closed link connects: %v", err)
		}
	})
}
