package custom

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync"

	"squall/history"
	"squall/workloads/listappend"
	"squall/workloads/systems"
)

// httpStore is a description of a client over HTTP that was made ready.
type httpStore struct {
	calls     map[string]*httpCall
	port      string // of every node
	maxBody   int64
	redirects bool
	asks      *httpCall // who leads; nil: nobody knows
	asksAt    string    // its port
}

// mostRedirects is how many redirects are followed, where they are at all.
const mostRedirects = 3

// httpConn is a connection to one node over HTTP.
type httpConn struct {
	*httpStore
	base vars // of the node
	main *pool
	ask  *pool // for who leads; the same where the port is

	mu     sync.Mutex
	others map[string]*pool // that redirects led to
}

func (s *httpStore) at() string { return s.port }

// takes reports whether the store takes a workload: any for which it has functions.
func (s *httpStore) takes(string) bool { return true }

// open connects to a node.
func (s *httpStore) open(ctx context.Context, addr, port string, base vars) (backend, error) {
	at := func(port string) string { return addr + ":" + port }
	c := &httpConn{httpStore: s, base: base, main: &pool{addr: at(port)}}
	c.ask = c.main
	if s.asks != nil && s.asksAt != "" && s.asksAt != port {
		c.ask = &pool{addr: at(s.asksAt)}
	}
	w, err := c.main.take(ctx)
	if err != nil {
		return nil, err
	}
	c.main.put(w)
	return c, nil
}

func (s *httpStore) can(function string) bool { return s.calls[function] != nil }

func (c *httpConn) close() {
	c.main.close()
	c.ask.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.others {
		p.close()
	}
}

// with are the variables of the node, and some more.
func (c *httpConn) with(v vars) vars {
	all := maps.Clone(c.base)
	maps.Copy(all, v)
	return all
}

// call carries out a function.
func (c *httpConn) call(ctx context.Context, function string, v vars) (reply, error) {
	call := c.calls[function]
	if call == nil {
		return reply{}, missing(function)
	}
	a, err := c.send(ctx, c.main, call, c.with(v))
	if err != nil {
		return reply{}, err
	}
	r := reply{value: func() (history.Value, error) { return call.value.value(a) }, list: func() ([]string, error) { return call.value.list(a) }}
	switch {
	case call.refused.holds(a):
		r.refused, r.tells = true, call.tellsFound
		r.value = func() (history.Value, error) { return call.found.value(a) }
		return r, nil
	case call.absent.holds(a):
		r.value = func() (history.Value, error) { return history.None, nil }
		r.list = func() ([]string, error) { return nil, nil }
		return r, nil
	case call.done.holds(a):
		return r, nil
	case call.fail.holds(a):
		return reply{}, &systems.Error{Certain: true, Err: a.complaint()}
	}
	return reply{}, &systems.Error{Err: a.complaint()}
}

// complaint is an answer as an error.
func (a *answer) complaint() error {
	text := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	if len(a.body) > 0 {
		text += fmt.Sprintf(": %.100q", a.body)
	}
	return errors.New(text)
}

// send sends the request of a call, and follows redirects where it shall.
func (c *httpConn) send(ctx context.Context, to *pool, call *httpCall, v vars) (*answer, error) {
	req, err := call.make(to.addr, v)
	if err != nil {
		return nil, &systems.Error{Certain: true, Err: err}
	}
	a, err := to.exchange(ctx, req, c.maxBody)
	for n := 0; err == nil && c.redirects && n < mostRedirects; n++ {
		next, redirect, bad := redirected(req, a)
		switch {
		case bad != nil:
			return nil, &systems.Error{Err: bad}
		case !redirect:
			return a, nil
		}
		if req, err = call.make(next.Host, v); err != nil {
			return nil, &systems.Error{Certain: true, Err: err}
		}
		req.URL = next
		a, err = c.other(next.Host).exchange(ctx, req, c.maxBody)
	}
	return a, err
}

// redirected is where an answer sends the client, with the same request.
func redirected(req *http.Request, a *answer) (to *url.URL, redirect bool, err error) {
	switch a.status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, false, nil
	}
	to, err = req.URL.Parse(a.header.Get("Location"))
	switch {
	case err != nil || a.header.Get("Location") == "":
		return nil, false, fmt.Errorf("a redirect to %q, which is no address", cut(a.header.Get("Location")))
	case to.Scheme != "http":
		return nil, false, fmt.Errorf("a redirect to %q, and only http can be followed", cut(to.String()))
	case to.Port() == "":
		to.Host += ":80"
	}
	return to, true, nil
}

// other is the connections to an address that a redirect led to.
func (c *httpConn) other(addr string) *pool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if addr == c.main.addr {
		return c.main
	}
	if c.others == nil {
		c.others = map[string]*pool{}
	}
	if c.others[addr] == nil {
		c.others[addr] = &pool{addr: addr}
	}
	return c.others[addr]
}

// transact is not asked for: can knows of no transactions.
func (c *httpConn) transact(context.Context, []listappend.Op) ([][]string, error) {
	return nil, missing(fnTransact)
}

// leader asks the node who leads.
func (c *httpConn) leader(ctx context.Context) (history.Value, error) {
	a, err := c.send(ctx, c.ask, c.asks, c.base)
	if err != nil {
		return history.None, err
	}
	if !c.asks.done.holds(a) {
		return history.None, nil // it does not know, or is not ready
	}
	return c.asks.value.value(a)
}
