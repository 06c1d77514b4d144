package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"squall.invalid/client/goclient"
)

// watch carries out operations of the workload of watches: writes, and pieces of what a
// watch tells.
func (c *conn) watch(ctx context.Context, op goclient.Op) ([]byte, error) {
	switch op.Func {
	case "write":
		value, ok := goclient.Text(op.In)
		if !ok {
			return nil, goclient.Fail("the value to write is not a string: %s", op.In)
		}
		r, err := c.etcd.Put(ctx, op.Key, value)
		if err != nil {
			return nil, err
		}
		return strconv.AppendInt(nil, r.Header.Revision, 10), nil
	case "txn":
		return c.writeAll(ctx, op.In)
	case "watch":
		r := request{key: op.Key}
		if err := json.Unmarshal(op.In, &r); err != nil || r.From < 1 {
			return nil, goclient.Fail("a watch of %s, which is not a watcher and where it begins", op.In)
		}
		out, err := c.tell(ctx, r)
		if err != nil {
			return nil, readError{err}
		}
		return out, nil
	}
	return nil, goclient.Fail("watches have no %q", op.Func)
}

// writeAll stores pairs of keys and values in one transaction.
func (c *conn) writeAll(ctx context.Context, in []byte) ([]byte, error) {
	var pairs [][]string
	if err := json.Unmarshal(in, &pairs); err != nil {
		return nil, goclient.Fail("a txn of %s: %w", in, err)
	}
	ops := make([]clientv3.Op, len(pairs))
	for i, p := range pairs {
		if len(p) != 2 {
			return nil, goclient.Fail("a txn of %s, which is not all keys and values", in)
		}
		ops[i] = clientv3.OpPut(p[0], p[1])
	}
	r, err := c.etcd.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return nil, err
	}
	return strconv.AppendInt(nil, r.Header.Revision, 10), nil
}

// request is what a piece of a watch is asked for.
type request struct {
	key    string
	As     string // the watcher
	From   int64  // the first revision
	Most   int    // events, about
	WaitMs int64
	Until  int64 // wait for everything up to this revision; 0: for anything
}

var errNothingHeard = errors.New("neither an event nor a revision was heard of in time")

// tell answers with what a watcher's stream has from where its last answer ended. One that
// does not stand there, or has ended, is opened anew.
func (c *conn) tell(ctx context.Context, r request) ([]byte, error) {
	s := c.takeStream(r.key, r.As, r.From)
	if s == nil {
		var err error
		if s, err = c.openStream(ctx, r.key, r.From); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.WaitMs)*time.Millisecond)
	defer cancel()
	found, err := c.read(ctx, s, r)
	if err != nil {
		if errors.Is(err, errNothingHeard) {
			c.keepStream(r.key, r.As, s)
		} else {
			s.end()
		}
		return nil, err
	}
	if r.Until > 0 || found.compacted {
		s.end() // it has done what it was for
	} else {
		c.keepStream(r.key, r.As, s)
	}
	return found.append(nil), nil
}

// piece is what an answer says: that these are all events up to before next.
type piece struct {
	next      int64
	events    []*clientv3.Event
	compacted bool
}

// read takes from a stream what was asked for.
func (c *conn) read(ctx context.Context, s *stream, r request) (piece, error) {
	ask := time.NewTicker(max(time.Duration(r.WaitMs)*time.Millisecond/4, time.Millisecond))
	defer ask.Stop()
	s.news = false
	for {
		if p, ok := s.piece(r); ok {
			return p, nil
		}
		select {
		case w, open := <-s.told:
			if p, over, err := s.hear(w, open); over || err != nil {
				return p, err
			}
			s.hearMore(r.Most)
		case <-ask.C:
			s.askProgress(ctx)
		case <-ctx.Done():
			return piece{}, errNothingHeard
		}
	}
}

// append writes a piece as an answer.
func (p piece) append(out []byte) []byte {
	out = strconv.AppendInt(append(out, `{"next":`...), p.next, 10)
	out = append(out, `,"events":[`...)
	for i, e := range p.events {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(append(out, '['), e.Kv.ModRevision, 10)
		out = goclient.AppendText(append(out, ','), string(e.Kv.Key))
		if out = append(out, ','); e.Type == clientv3.EventTypePut {
			out = append(goclient.AppendText(out, string(e.Kv.Value)), ']')
		} else { // that the key was deleted
			out = append(out, "null]"...)
		}
	}
	if out = append(out, ']'); p.compacted {
		out = append(out, `,"compacted":true`...)
	}
	return append(out, '}')
}

// endedError is what ended a stream.
func endedError(err error) error {
	if err == nil {
		return errors.New("the watch ended")
	}
	return fmt.Errorf("the watch ended: %s", textOf(err))
}
