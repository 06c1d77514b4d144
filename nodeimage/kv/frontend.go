package kv

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// frontend accepts clients and looks after their sessions.
type frontend struct {
	router  *router
	metrics *metrics
	log     *slog.Logger

	stop     chan struct{}
	wg       sync.WaitGroup
	mu       sync.Mutex
	stopped  bool
	sessions map[*session]struct{}
	closers  map[io.Closer]struct{} // listeners, and connections before their hello
}

func newFrontend(r *router, m *metrics, log *slog.Logger) *frontend {
	f := &frontend{
		router: r, metrics: m, log: log,
		stop:     make(chan struct{}),
		sessions: make(map[*session]struct{}),
		closers:  make(map[io.Closer]struct{}),
	}
	f.wg.Go(func() { r.run(f.stop) })
	f.wg.Go(f.expire)
	return f
}

// hold notes what has to be closed when the frontend stops; it closes c at once
// when that has happened already. Each hold is followed by a release.
func (f *frontend) hold(c io.Closer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		c.Close()
		return false
	}
	f.closers[c] = struct{}{}
	return true
}

func (f *frontend) release(c io.Closer) {
	f.mu.Lock()
	delete(f.closers, c)
	f.mu.Unlock()
}

// accept hands every connection to handle, on a goroutine of its own and held
// (see hold), until the frontend stops.
func (f *frontend) accept(ln net.Listener, handle func(net.Conn)) {
	if !f.hold(ln) {
		return
	}
	f.wg.Go(func() {
		defer f.release(ln)
		defer ln.Close()
		for {
			conn, err := ln.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				// Out of file descriptors, say: that may pass.
				f.log.Warn("cannot accept a connection", "addr", ln.Addr().String(), "err", err)
				select {
				case <-f.stop:
					return
				case <-time.After(50 * time.Millisecond):
				}
				continue
			}
			if !f.hold(conn) {
				return
			}
			f.wg.Go(func() {
				defer f.release(conn)
				defer conn.Close()
				handle(conn)
			})
		}
	})
}

// serveClient speaks with a client from its hello on.
func (f *frontend) serveClient(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(helloTimeout))
	from := conn.RemoteAddr().String()
	var hello [helloBody]byte
	version, err := readHello(conn, hello[:], clientMagic)
	switch {
	case errors.Is(err, errStranger):
		f.log.Warn("connection closed: it does not speak the client protocol", "client", from, "err", err)
		return
	case f.metrics.noteDamage(f.log, err, "client", from):
		return
	case err != nil:
		f.log.Debug("client left before its hello", "client", from, "err", err)
		return
	}
	verdict := welcome
	if version != ProtocolVersion {
		f.log.Warn("connection closed: protocol version not known", "client", from, "version", version)
		verdict = wrongVersion
	}
	if _, err := conn.Write(shortHello(clientMagic, verdict)); err != nil || verdict != welcome {
		return
	}
	conn.SetDeadline(time.Time{})
	tuneConn(conn, sessionWriteTimeout)
	f.metrics.clients.Add(1)
	defer f.metrics.clients.Add(-1)
	f.serve(conn, false)
}

// serve runs the session on a connection whose hellos were said.
func (f *frontend) serve(conn net.Conn, fromNode bool) {
	s := newSession(conn, fromNode, f.metrics, f.log, f.router.clock)
	f.mu.Lock()
	if f.stopped {
		f.mu.Unlock()
		return
	}
	// From here on the session says how the connection ends.
	delete(f.closers, conn)
	f.sessions[s] = struct{}{}
	f.mu.Unlock()
	s.serve(f.router.route)
	f.mu.Lock()
	delete(f.sessions, s)
	f.mu.Unlock()
}

// expire answers requests that are too old.
func (f *frontend) expire() {
	ticker := time.NewTicker(expireEvery)
	defer ticker.Stop()
	var sessions []*session
	for {
		select {
		case <-f.stop:
			return
		case <-ticker.C:
			f.mu.Lock()
			for s := range f.sessions {
				sessions = append(sessions, s)
			}
			f.mu.Unlock()
			for i, s := range sessions {
				s.expire(f.router.timeout)
				sessions[i] = nil
			}
			sessions = sessions[:0]
		}
	}
}

// refuse stops taking connections and requests.
func (f *frontend) refuse() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return
	}
	f.stopped = true
	close(f.stop)
	for c := range f.closers {
		c.Close()
	}
}

// close refuses, sends the answers given so far, and waits for the goroutines.
func (f *frontend) close() {
	f.refuse()
	f.mu.Lock()
	for s := range f.sessions {
		s.drain()
	}
	// A client that does not take its answers now has had its time.
	hurry := time.AfterFunc(500*time.Millisecond, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for s := range f.sessions {
			s.conn.Close()
		}
	})
	f.mu.Unlock()
	f.wg.Wait()
	hurry.Stop()
}
