package main

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"
)

// unread is how long a stream is kept that nobody reads: etcd's client keeps all that
// comes for it.
const unread = 2 * time.Second

// stream is one watch of etcd's, which is open below the answers of a watcher. Whoever
// took it has it to himself.
type stream struct {
	etcd *clientv3.Client
	ctx  context.Context // by which etcd's client knows the stream
	told clientv3.WatchChan
	end  context.CancelFunc
	idle *time.Timer

	next    int64             // all before this revision was answered
	events  []*clientv3.Event // that came and were not answered yet, as they came
	reached int64             // all up to this revision has come
	news    bool              // the node has told of that since the last request
}

// streams are the open streams of a connection, by watcher.
type streams map[string]*stream

func streamName(key, as string) string { return as + "\x00" + key }

// takeStream is the stream of a watcher if it stands at a revision.
func (c *conn) takeStream(key, as string, at int64) *stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[streamName(key, as)]
	if s == nil {
		return nil
	}
	delete(c.streams, streamName(key, as))
	if !s.idle.Stop() || s.next != at {
		s.end()
		return nil
	}
	return s
}

// keepStream keeps a stream until the watcher asks for more, in place of any other of it.
func (c *conn) keepStream(key, as string, s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		s.end()
		return
	}
	if other := c.streams[streamName(key, as)]; other != nil {
		other.idle.Stop()
		other.end()
	}
	if c.streams == nil {
		c.streams = streams{}
	}
	c.streams[streamName(key, as)] = s
	s.idle = time.AfterFunc(unread, s.end)
}

// endStreams ends all streams, and those that are kept from now on.
func (c *conn) endStreams() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, s := range c.streams {
		s.idle.Stop()
		s.end()
	}
	clear(c.streams)
}

// opening is how long the opening of a stream may take.
const opening = time.Second

// opened counts the streams of all connections.
var opened atomic.Uint64

// streamContext makes etcd's client open a stream of its own for a watch, unless they are
// to share one: it has a stream for each set of metadata. How far a stream has come is told
// to all of its watches, and a watch that is just being opened may then hear of revisions
// before their events (etcd 3.7.3).
func (c *conn) streamContext(ctx context.Context) context.Context {
	ctx = clientv3.WithRequireLeader(ctx)
	if c.sharedStreams {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "squall-watch", strconv.FormatUint(opened.Add(1), 10))
}

// openStream begins a watch at a revision. A node that knows of no leader ends it.
func (c *conn) openStream(ctx context.Context, prefix string, from int64) (*stream, error) {
	ctx, cancel := context.WithTimeout(ctx, opening)
	defer cancel()
	whole, end := context.WithCancel(context.Background())
	inTime := context.AfterFunc(ctx, end) // etcd's client waits until the node has the watch
	whole = c.streamContext(whole)
	told := c.etcd.Watch(whole, prefix, clientv3.WithPrefix(), clientv3.WithRev(from), clientv3.WithFragment())
	if !inTime() {
		end()
		return nil, errNothingHeard
	}
	return &stream{etcd: c.etcd, ctx: whole, told: told, end: end, next: from}, nil
}

// askProgress asks how far the watch has come, which the stream then tells. A stream that
// is being made anew is not waited for longer than ctx lasts.
func (s *stream) askProgress(ctx context.Context) {
	ask, cancel := context.WithCancel(s.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	// An error means that there is no such stream any more, and that is told, too.
	_ = s.etcd.RequestProgress(ask)
}

// hear takes what the stream tells. over says that the answer is p.
func (s *stream) hear(w clientv3.WatchResponse, open bool) (p piece, over bool, err error) {
	switch {
	case !open:
		return p, false, endedError(nil)
	case w.CompactRevision != 0:
		return piece{next: max(w.CompactRevision, s.next), compacted: true}, true, nil
	case w.Err() != nil:
		return p, false, endedError(w.Err())
	case w.IsProgressNotify():
		s.reached, s.news = max(s.reached, w.Header.Revision), true
	}
	s.events = append(s.events, w.Events...)
	return p, false, nil
}

// hearMore takes what has come besides, until there are so many events. What ends the
// stream is heard of next time.
func (s *stream) hearMore(most int) {
	for len(s.events) < most {
		select {
		case w, open := <-s.told:
			if !open || w.Canceled || w.CompactRevision != 0 {
				ended := make(chan clientv3.WatchResponse, 1)
				ended <- w
				close(ended)
				s.told = ended
				return
			}
			_, _, _ = s.hear(w, open)
		default:
			return
		}
	}
}

// piece is the answer, if enough has come for one.
func (s *stream) piece(r request) (p piece, ok bool) {
	n := len(s.events)
	last := max(s.reached, s.next-1)
	if n > 0 {
		last = max(last, s.events[n-1].Kv.ModRevision)
	}
	switch {
	case r.Until == 0 && (n > 0 || s.news):
		p = piece{next: last + 1, events: s.events}
	case r.Until > 0 && last >= r.Until:
		p.next = r.Until + 1
		for _, e := range s.events {
			if e.Kv.ModRevision <= r.Until {
				p.events = append(p.events, e)
			}
		}
	case r.Until > 0 && n > 0 && n >= r.Most:
		p = piece{next: s.events[n-1].Kv.ModRevision + 1, events: s.events}
	default:
		return p, false
	}
	s.next, s.events = p.next, nil
	return p, true
}
