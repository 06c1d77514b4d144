package driver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"squall/history"
	"squall/workloads/systems"
)

// replicasEvery is how often nodes are asked how far they are, until all are far enough.
const replicasEvery = 50 * time.Millisecond

// comparison compares the copies of the replicated state that nodes have, when nobody
// changes it any more.
type comparison struct {
	links   [][]*link
	bound   time.Duration // for all nodes to be equally far
	timeout time.Duration // of one question
}

// run waits until every node has come as far as the first of them, and has each sum its
// copy up at that position. When the bound is over, those that answer are compared where
// the last of them is.
func (c *comparison) run(ctx context.Context) *history.Replicas {
	waiting, cancel := context.WithTimeoutCause(ctx, c.bound, fmt.Errorf("the node had not come so far within %v", c.bound))
	defer cancel()
	far := uint64(0) // where all are to be compared; 0: not known yet
	for {
		found := c.positions(waiting)
		least, most, all := extent(found)
		if far == 0 {
			far = most
		}
		if all && least >= far {
			if c.digests(waiting, found, far); whole(found) {
				return &history.Replicas{At: far, Of: found}
			}
			far = 0 // a node cannot look back so far, say
		}
		select {
		case <-time.After(replicasEvery):
			continue
		case <-waiting.Done():
		}
		found = c.positions(ctx)
		least, most, _ = extent(found)
		c.digests(ctx, found, least)
		late := &history.Replicas{At: least, Of: found}
		if far = min(far, most); far > least {
			late.Wanted = far
		}
		return late
	}
}

// extent is the least and the greatest position of the nodes that told theirs, and
// whether all have.
func extent(found []history.Replica) (least, most uint64, all bool) {
	all, some := true, false
	for _, r := range found {
		if r.Err != "" {
			all = false
			continue
		}
		if !some {
			least = r.Position
		}
		some = true
		least, most = min(least, r.Position), max(most, r.Position)
	}
	return least, most, all
}

// whole reports whether every node has told a sum, and all of the same.
func whole(found []history.Replica) bool {
	for _, r := range found {
		if r.Err != "" || r.Basis != found[0].Basis {
			return false
		}
	}
	return true
}

// positions asks every node how far it is.
func (c *comparison) positions(ctx context.Context) []history.Replica {
	found := make([]history.Replica, len(c.links))
	var nodes sync.WaitGroup
	for i, conns := range c.links {
		nodes.Go(func() {
			found[i].Node = conns[0].node.Name
			found[i].Err = c.ask(ctx, conns[0], func(ctx context.Context, t systems.ReplicaTeller) (err error) {
				found[i].Position, err = t.Position(ctx)
				return err
			})
		})
	}
	nodes.Wait()
	return found
}

// digests asks every node that told its position for its sum.
func (c *comparison) digests(ctx context.Context, found []history.Replica, at uint64) {
	var nodes sync.WaitGroup
	for i, conns := range c.links {
		if found[i].Err != "" {
			continue
		}
		nodes.Go(func() {
			found[i].Err = c.ask(ctx, conns[0], func(ctx context.Context, t systems.ReplicaTeller) error {
				d, err := t.Digest(ctx, at)
				if err == nil { // what comes with an error means nothing
					found[i].Digest, found[i].Basis = d.Sum, d.Basis
				}
				return err
			})
		})
	}
	nodes.Wait()
}

// ask puts one question to a node; the answer is why it was not answered.
func (c *comparison) ask(ctx context.Context, l *link, question func(context.Context, systems.ReplicaTeller) error) string {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("timeout: no answer in %v", c.timeout))
	defer cancel()
	conn, err := l.get(ctx)
	if err == nil {
		teller, ok := conn.client.(systems.ReplicaTeller)
		if !ok {
			return "it cannot be asked"
		}
		err = question(ctx, teller)
		l.heard(conn, err)
	}
	if err == nil {
		return ""
	}
	return errorText(ctx, err)
}
