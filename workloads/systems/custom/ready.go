package custom

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"time"

	"squall/workloads/systems"
)

// readier is a part of a system that says when a node takes clients.
type readier struct{ *base }

var _ systems.Readier = readier{}

// ReadyWithin is how long it may take until all nodes are ready.
func (r readier) ReadyWithin() time.Duration { return r.made.ready.within }

// ReadyLine is what a line of its output matches then.
func (r readier) ReadyLine() *regexp.Regexp { return r.made.ready.line }

// Ready looks once whether a node takes clients. The error says what was seen instead.
func (r readier) Ready(ctx context.Context, node systems.Node) error {
	ready := r.made.ready
	at := net.JoinHostPort(node.Addr.String(), ready.port)
	if ready.http == nil {
		conn, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", at)
		if err != nil {
			return fmt.Errorf("port %s: %w", ready.port, plainDial(err))
		}
		return conn.Close()
	}
	p := &pool{addr: at}
	defer p.close()
	req, err := ready.http.make(at, r.nodeValues(node, r.run.Args))
	if err != nil {
		return err
	}
	asked := req.Method + " " + req.URL.RequestURI() + " at port " + ready.port
	a, err := p.exchange(ctx, req, defaultMaxBody<<10)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", asked, err)
	case !ready.http.done.holds(a):
		return fmt.Errorf("%s: %w", asked, a.complaint())
	}
	return nil
}
