package kv

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// quick is a cluster that elects fast and takes snapshots often, so that nodes
// that come back need one.
func quick(cfg *Config) {
	cfg.Heartbeat, cfg.ElectionMin, cfg.ElectionMax = 20*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond
	cfg.SnapshotEvery, cfg.SnapshotKeep = 50, 10
	cfg.RequestTimeout = time.Second
}

// dialler returns clients of the nodes in turn, beginning with one of its own.
type dialler struct {
	c       *cluster
	first   int
	clients []*Client // by node; nil: none
}

func (d *dialler) client(ctx context.Context, attempt int) (*Client, error) {
	if d.clients == nil {
		d.clients = make([]*Client, len(d.c.cfgs))
	}
	at := (d.first + attempt) % len(d.clients)
	if old := d.clients[at]; old != nil {
		select {
		case <-old.Done():
		default:
			return old, nil
		}
	}
	fresh, err := Dialer{Timeout: 2 * time.Second}.Dial(ctx, d.c.cfgs[at].ClientAddr)
	if err == nil {
		d.clients[at] = fresh
	}
	return fresh, err
}

func (d *dialler) close() {
	for _, c := range d.clients {
		if c != nil {
			c.Close()
		}
	}
}

// session registers a session, at whatever node there is.
func (d *dialler) session(t *testing.T) *Session {
	t.Helper()
	var session *Session
	attempt := 0
	eventually(t, "a session", func() bool {
		c, err := d.client(t.Context(), attempt)
		attempt++
		if err == nil {
			session, err = c.Register(t.Context())
		}
		return err == nil
	})
	return session
}

// TestAppliedOnceAcrossFailover has clients append elements, and take a lock for
// each, and send again what is not answered, while one leader after another is
// stopped: every element must be there once, in each client's order, and no two
// clients may hold the lock at once.
func TestAppliedOnceAcrossFailover(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, quick)
	c.leader()
	const workers = 4
	var wg sync.WaitGroup
	var done atomic.Int64
	var holders, lastToken atomic.Int64
	stop := make(chan struct{})
	counts := make([]int, workers)
	for i := range workers {
		wg.Go(func() {
			w := &appender{t: t, d: &dialler{c: c, first: i % 3}, name: fmt.Sprint("w", i), holders: &holders, lastToken: &lastToken}
			defer w.d.close()
			w.session = w.d.session(t)
			for {
				select {
				case <-stop:
					return
				default:
				}
				w.step(fmt.Sprintf("%s-%d", w.name, counts[i]))
				counts[i]++
				done.Add(1)
			}
		})
	}
	for range 3 {
		progress(t, &done)
		at := c.leader()
		c.stop(at)
		c.leader()
		progress(t, &done)
		c.restart(at)
	}
	close(stop)
	wg.Wait()
	c.leader()
	checkAppended(t, dialServer(t, c.cfgs[0].ClientAddr, time.Minute), counts)
	c.sameState()
}

func progress(t *testing.T, done *atomic.Int64) {
	t.Helper()
	before := done.Load()
	eventually(t, "progress", func() bool { return done.Load() >= before+20 })
}

// checkAppended checks that the list holds every element of every worker once.
func checkAppended(t *testing.T, client *Client, counts []int) {
	t.Helper()
	elements, _, err := client.List(t.Context(), "list")
	if err != nil {
		t.Fatal(err)
	}
	for i, count := range counts {
		var mine, want []string
		for _, e := range elements {
			if len(e) > 3 && e[:3] == fmt.Sprintf("w%d-", i) {
				mine = append(mine, e)
			}
		}
		for n := range count {
			want = append(want, fmt.Sprintf("w%d-%d", i, n))
		}
		if !slices.Equal(mine, want) {
			t.Errorf("of w%d there are %q, want 0 to %d", i, mine, count-1)
		}
	}
}

// appender appends elements, holding a lock.
type appender struct {
	t                  *testing.T
	d                  *dialler
	session            *Session
	name               string
	holders, lastToken *atomic.Int64
}

func (w *appender) step(element string) {
	ctx := w.t.Context()
	token := w.lock(ctx)
	if n := w.holders.Add(1); n != 1 {
		w.t.Errorf("%d clients hold the lock", n)
	}
	if last := w.lastToken.Swap(int64(token)); last >= int64(token) {
		w.t.Errorf("token %d after %d", token, last)
	}
	w.do(func(ctx context.Context, c *Client) error { return c.Append(ctx, "list", element) })
	w.holders.Add(-1)
	w.do(func(ctx context.Context, c *Client) error {
		released, holder, err := c.Release(ctx, "lock", w.name, token)
		if err == nil && !released {
			w.t.Errorf("%s cannot release its lock: %+v holds it", w.name, holder)
		}
		return err
	})
}

// lock takes the lock, however long that lasts.
func (w *appender) lock(ctx context.Context) (token uint64) {
	for token == 0 {
		w.do(func(ctx context.Context, c *Client) (err error) {
			token, _, err = c.Acquire(ctx, "lock", w.name, 0)
			return err
		})
		if token == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	return token
}

func (w *appender) do(op func(context.Context, *Client) error) {
	if err := w.session.Retry(w.t.Context(), w.d.client, op); err != nil {
		w.t.Errorf("%s: %v", w.name, err)
	}
}

// TestEverythingSurvives gives a cluster something of every kind, has one node
// miss so much that it gets a snapshot, restarts all, and changes the leader:
// each time everything has to be there still.
func TestEverythingSurvives(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, quick)
	away := (c.leader() + 1) % 3
	c.stop(away)
	ctx := t.Context()
	d := &dialler{c: c, first: (away + 1) % 3}
	defer d.close()
	k := &expectation{t: t, d: d, session: d.session(t)}
	k.once = k.session.Begin()
	k.must(func(ctx context.Context, c *Client) error { return c.With(k.once).Append(ctx, "list", "once") })
	k.must(func(ctx context.Context, c *Client) error {
		_, err := c.Txn(ctx, Txn{If: []Condition{{Key: "s"}}, Then: []TxnOp{{Op: OpPut, Key: "s", Value: "1"}, {Op: OpPut, Key: "s2", Value: "1"}}})
		return err
	})
	k.must(func(ctx context.Context, c *Client) (err error) {
		k.token, _, err = c.Acquire(ctx, "lock", "me", 0)
		return err
	})
	for i := range 150 { // more than the log keeps behind a snapshot
		k.must(func(ctx context.Context, c *Client) error { return c.Put(ctx, fmt.Sprint("key-", i%10), "v") })
	}
	c.restart(away)
	eventually(t, "the node that was away has got a snapshot", func() bool {
		st := c.servers[away].Status()
		return st.SnapshotIndex > 0 && st.Applied == st.LastIndex && st.LastIndex > 150
	})
	k.check(ctx)
	for i := range c.servers { // one after the other, so that the leader changes
		c.stop(i)
		c.leader()
		k.check(ctx)
		c.restart(i)
		c.leader()
	}
	for i := range c.servers {
		c.stop(i)
	}
	for i := range c.servers {
		c.restart(i)
	}
	c.leader()
	k.check(ctx)
	c.sameState()
}

// expectation is what a cluster has to hold.
type expectation struct {
	t       *testing.T
	d       *dialler
	session *Session
	once    *Once
	token   uint64
}

// must does an operation that may be done twice, until it goes well.
func (k *expectation) must(op func(context.Context, *Client) error) {
	k.t.Helper()
	attempt := 0
	eventually(k.t, "an operation goes well", func() bool {
		c, err := k.d.client(k.t.Context(), attempt)
		attempt++
		return err == nil && op(k.t.Context(), c) == nil
	})
}

// check asks every node that there is.
func (k *expectation) check(ctx context.Context) {
	k.t.Helper()
	for i, s := range k.d.c.servers {
		if s == nil {
			continue
		}
		k.d.first = i
		k.must(func(ctx context.Context, c *Client) error { return c.With(k.once).Append(ctx, "list", "once") })
		k.must(func(ctx context.Context, c *Client) error {
			elements, _, err := c.List(ctx, "list")
			if err == nil && !slices.Equal(elements, []string{"once"}) {
				k.t.Errorf("the list is %q", elements)
			}
			return err
		})
		k.must(func(ctx context.Context, c *Client) error {
			_, holder, err := c.Acquire(ctx, "lock", "other", 0)
			if err == nil && holder != (Holder{"me", k.token, 0}) {
				k.t.Errorf("the lock is held by %+v, want token %d", holder, k.token)
			}
			return err
		})
		k.must(func(ctx context.Context, c *Client) error {
			res, err := c.Txn(ctx, Txn{If: []Condition{{Key: "s"}}, Else: []TxnOp{{Op: OpGet, Key: "s"}, {Op: OpGet, Key: "s2"}}})
			if err == nil && (res.Held || res.Results[0].Value != Some("1") || res.Results[1].Value != Some("1")) {
				k.t.Errorf("transaction: %+v", res)
			}
			return err
		})
	}
}

// TestLeasesGoByTheLeadersClock has the clock of a node that leads alone jump:
// a lease ends, and what the restarted node says of another one is no less than
// what was left.
func TestLeasesGoByTheLeadersClock(t *testing.T) {
	t.Parallel()
	clock, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	c := startCluster(t, 1, func(cfg *Config) { cfg.Clock = clock })
	c.leader()
	ctx := t.Context()
	acquire := func(owner string) (token uint64, holder Holder) {
		t.Helper()
		token, holder, err := dialServer(t, c.cfgs[0].ClientAddr, time.Minute).Acquire(ctx, "lock", owner, 10*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return token, holder
	}
	if token, _ := acquire("x"); token != 1 {
		t.Fatalf("token %d", token)
	}
	clock.Bend(clock.True(), clock.Now()+4*time.Hour, 1)
	if _, holder := acquire("y"); holder.Owner != "x" || holder.Left > 6*time.Hour || holder.Left < 5*time.Hour {
		t.Errorf("after four of ten hours: %+v", holder)
	}
	c.stop(0)
	clock.Bend(0, 0, 1) // and it is right again
	c.restart(0)
	c.leader()
	if _, holder := acquire("y"); holder.Owner != "x" || holder.Left > 6*time.Hour || holder.Left < 5*time.Hour {
		t.Errorf("after a restart: %+v", holder)
	}
	clock.Bend(clock.True(), clock.Now()+6*time.Hour, 1)
	if token, holder := acquire("y"); token != 2 {
		t.Errorf("after ten hours: token %d, %+v", token, holder)
	}
}
