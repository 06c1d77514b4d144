package orchestrator

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"squall/workloads/driver"
	"squall/workloads/systems"
)

// lineWatch waits for a line in the output of one node's servers.
type lineWatch struct {
	expr  *regexp.Regexp
	heads lineHeads
	seen  chan struct{} // closed when the line has come
	over  bool
}

func newLineWatch(expr *regexp.Regexp) *lineWatch {
	return &lineWatch{expr: expr, seen: make(chan struct{})}
}

// take reads a piece of the output. It is called by one goroutine.
func (w *lineWatch) take(data []byte) {
	if w.over {
		return
	}
	w.heads.take(data, func(line []byte) bool {
		if w.expr.Match(line) {
			w.over = true
			close(w.seen)
		}
		return !w.over
	})
}

// awaitReadyLines waits until every server has written the line that says that it is
// ready, of a system whose servers do.
func (r *run) awaitReadyLines(ctx context.Context, readier systems.Readier) error {
	if readier == nil || readier.ReadyLine() == nil {
		return nil
	}
	r.cfg.Progress.Phase("waiting until all nodes are ready")
	wait, cancel := context.WithTimeout(ctx, readier.ReadyWithin())
	defer cancel()
	for i, n := range r.nodes.all {
		select {
		case <-n.readyLine.seen:
			continue
		case <-wait.Done():
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var silent []string
		for _, n := range r.nodes.all[i:] {
			select {
			case <-n.readyLine.seen:
			default:
				silent = append(silent, n.Name())
			}
		}
		log := filepath.Join(r.dir, nodesDir, n.Name(), serverLog)
		return fmt.Errorf("not ready within %v: no line of the output of %s matches %q; correct the pattern, or allow more time (its log: %s)%s",
			readier.ReadyWithin(), strings.Join(silent, ", "), readier.ReadyLine(), log, lastLines(log))
	}
	return nil
}

// awaitReady waits until the driver has found every node ready, of a system that says
// when they are.
func (r *run) awaitReady(ctx context.Context, readier systems.Readier) error {
	if readier == nil || readier.ReadyLine() != nil {
		return nil
	}
	r.cfg.Progress.Phase("waiting until all nodes are ready")
	wait, cancel := context.WithTimeout(ctx, readier.ReadyWithin())
	defer cancel()
	err := r.loader.await(wait, driver.EventAllReady)
	if err == nil || wait.Err() == nil || ctx.Err() != nil {
		return err
	}
	waiting := r.loader.said(driver.EventWaiting)
	node, _, _ := strings.Cut(waiting, ":")
	ends := ""
	for _, n := range r.nodes.all {
		if n.Name() == node {
			log := filepath.Join(r.dir, nodesDir, node, serverLog)
			ends = fmt.Sprintf(" (its log: %s)%s", log, lastLines(log))
		}
	}
	return fmt.Errorf("not ready within %v: %s%s", readier.ReadyWithin(), waiting, ends)
}
