package driver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"squall/workloads/systems"
)

// readiness waits until every node is ready, and tells of those that are not.
type readiness struct {
	readier systems.Readier
	tell    func(waiting string)
	timeout time.Duration // of one look

	mu      sync.Mutex
	waiting map[string]string // what was seen last of a node that is not ready, by its name
}

// run returns when all nodes are ready, or when ctx has ended: then it is false.
func (r *readiness) run(ctx context.Context, nodes []systems.Node) bool {
	r.waiting = map[string]string{}
	var all sync.WaitGroup
	for _, node := range nodes {
		all.Go(func() { r.node(ctx, node) })
	}
	all.Wait()
	return ctx.Err() == nil
}

func (r *readiness) node(ctx context.Context, node systems.Node) {
	for rest := restFirst; ; rest = min(2*rest, restMost) {
		look, cancel := context.WithTimeout(ctx, r.timeout)
		err := r.readier.Ready(look, node)
		cancel()
		if ctx.Err() != nil {
			return
		}
		r.saw(node.Name, err)
		if err == nil {
			return
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
			return
		}
	}
}

// saw notes what was seen of a node. What is new is told.
func (r *readiness) saw(node string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.waiting, node)
		return
	}
	text := err.Error()
	if len(text) > maxErrorText {
		text = text[:maxErrorText]
	}
	if r.waiting[node] == text {
		return
	}
	r.waiting[node] = text
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(r.waiting)) {
		lines = append(lines, fmt.Sprintf("%s: %s", name, r.waiting[name]))
	}
	r.tell(strings.Join(lines, "; "))
}

// awaitReady waits until every node is ready. The only command that it obeys is to quit.
func (d *driver) awaitReady(ctx context.Context, lines <-chan line) (ready bool, err error) {
	r := &readiness{readier: d.readier, timeout: d.cfg.ConnectTimeout, tell: func(waiting string) {
		// When the status stream is broken, the next event ends the driver.
		_ = d.status.emit(Event{Event: EventWaiting, Time: d.clock.now(), Text: waiting})
	}}
	how, err := d.before(ctx, lines, func(ctx context.Context) string {
		if !r.run(ctx, d.cfg.Nodes) {
			return ""
		}
		return "ready"
	})
	if err != nil || how == "" {
		return false, err
	}
	return true, d.status.emit(d.rec.event(EventAllReady))
}
