package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// How reads are carried out.
const (
	// A mark is written to the stream first, and then all is read that is before it:
	// see synced.
	readSynced = "synced"
	// The node that leads the stream answers, or one that still believes that it does.
	readLeader = "leader"
	// Any node that keeps the stream answers with what it has.
	readDirect = "direct"
)

// message is one of the stream.
type message struct {
	subject string
	seq     uint64
	deleted bool // of a key-value bucket: it says that there is no value any more
	data    string
}

// get asks for messages.
type get struct {
	Seq   uint64 `json:"seq,omitempty"`
	Next  string `json:"next_by_subj,omitempty"` // from Seq on: the first whose subject matches
	Last  string `json:"last_by_subj,omitempty"`
	Batch int    `json:"batch,omitempty"` // at most so many, if the node knows of batches
}

// errNone is the answer that there is no such message.
var errNone = errors.New("no message found")

// errGone is the answer that there is no stream. It was created, so whoever hears that
// takes everything in it for lost.
var errGone = errors.New("the stream is gone")

// errOdd is an answer that is not what was asked for.
var errOdd = errors.New("the answer is not what was asked for")

// fetch gets messages as reads are carried out, in their order; none are errNone. Fewer
// than there are may come.
func (c *conn) fetch(ctx context.Context, g get) ([]message, error) {
	if c.reads == readLeader {
		return c.fetchLeader(ctx, g)
	}
	if g.Next != "" {
		g.Batch = c.batch
	}
	found, err := c.fetchDirect(ctx, g)
	if errors.Is(err, nats.ErrNoResponders) && c.gone(ctx) {
		err = errGone
	}
	return found, err
}

// streamNotFound is the code of the error that there is no such stream.
const streamNotFound = 10059

// messageNotFound is the code of the error that there is no such message.
const messageNotFound = 10037

// gone finds out whether the cluster says that there is no stream.
func (c *conn) gone(ctx context.Context) bool {
	res, err := c.nc.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+c.stream.Name, nil)
	if err != nil {
		return false
	}
	var info struct {
		Error struct {
			Code int `json:"err_code"`
		}
	}
	return json.Unmarshal(res.Data, &info) == nil && info.Error.Code == streamNotFound
}

// fetchLeader asks the leader for one message.
func (c *conn) fetchLeader(ctx context.Context, g get) ([]message, error) {
	ask, err := json.Marshal(g)
	if err != nil {
		return nil, err
	}
	res, err := c.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+c.stream.Name, ask)
	if err != nil {
		return nil, err
	}
	var said struct {
		Error *struct {
			Code int    `json:"err_code"`
			Text string `json:"description"`
		}
		Message *struct {
			Subject string
			Seq     uint64
			Hdrs    []byte
			Data    []byte
		}
	}
	if err := json.Unmarshal(res.Data, &said); err != nil {
		return nil, err
	}
	switch {
	case said.Error != nil && said.Error.Code == messageNotFound:
		return nil, errNone
	case said.Error != nil && said.Error.Code == streamNotFound:
		return nil, errGone
	case said.Error != nil:
		return nil, errors.New(said.Error.Text)
	case said.Message == nil:
		return nil, errOdd
	}
	hdr, err := nats.DecodeHeadersMsg(said.Message.Hdrs)
	if err != nil && len(said.Message.Hdrs) > 0 {
		return nil, err
	}
	return []message{{said.Message.Subject, said.Message.Seq, deletes(hdr), string(said.Message.Data)}}, nil
}

// deletes tells whether a message deletes a key.
func deletes(h nats.Header) bool { return h.Get("KV-Operation") != "" }

// fetchDirect asks whichever node keeps the stream: the one that it is connected to, if it
// is one of them.
func (c *conn) fetchDirect(ctx context.Context, g get) ([]message, error) {
	ask, err := json.Marshal(g)
	if err != nil {
		return nil, err
	}
	inbox := c.nc.NewInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer sub.Unsubscribe()
	if err := c.nc.PublishRequest("$JS.API.DIRECT.GET."+c.stream.Name, inbox, ask); err != nil {
		return nil, err
	}
	var found []message
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // the end of a batch
			return found, nil
		case "404":
			return nil, errNone
		case "503":
			return nil, nats.ErrNoResponders
		default:
			return nil, fmt.Errorf("status %s: %s", status, m.Header.Get("Description"))
		}
		seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		if err != nil {
			return nil, errOdd
		}
		// Each message of a batch names the one before, so none can get lost on the way.
		before := m.Header.Get("Nats-Last-Sequence")
		if n := len(found); before != "" && n > 0 && before != strconv.FormatUint(found[n-1].seq, 10) {
			return nil, errOdd
		}
		found = append(found, message{m.Header.Get("Nats-Subject"), seq, deletes(m.Header), string(m.Data)})
		if m.Header.Get("Nats-Num-Pending") == "" {
			return found, nil // a node that knows of no batches, or was asked for none
		}
	}
}

// Subjects of a key: its values, and its marks.
func (c *conn) values(key string) string { return c.prefix + key + ".value" }
func (c *conn) marks(key string) string  { return c.prefix + key + ".mark" }
func (c *conn) all(key string) string    { return c.prefix + key + ".*" }

// since are the values of a key from a message on.
func (c *conn) since(ctx context.Context, key string, from func(mark uint64) uint64) ([]message, error) {
	r := &reading{conn: c, key: key}
	var err error
	if c.reads == readSynced {
		err = r.synced(ctx, from)
	} else {
		r.last = from(0) - 1
		err = r.skim(ctx, c.fetch, c.values(key), math.MaxUint64)
	}
	if errors.Is(err, errGone) {
		return nil, nil
	}
	return r.values, err
}

// synced takes at least all values that there were when it was called.
//
// Every node has a beginning of the stream, and adds to its end alone. So whoever answers
// that a message is the next of a subject has all before it, and it does not matter that the
// next answer may be another node's. The answer that there is none says nothing: the walk
// has to arrive at a message that was acknowledged after the read began.
func (r *reading) synced(ctx context.Context, from func(mark uint64) uint64) error {
	mark, err := r.publish(ctx, &nats.Msg{Subject: r.marks(r.key)})
	switch {
	case err != nil && isNoStream(err) && r.gone(ctx):
		return errGone
	case err != nil:
		return fmt.Errorf("writing a mark: %w", err)
	}
	r.last = from(mark) - 1
	// Most marks are between values, and need not be read.
	if err := r.skim(ctx, r.fetch, r.conn.values(r.key), math.MaxUint64); err != nil {
		return err
	}
	// The leader has what it acknowledged; other nodes may get to know of it a second later.
	for wait := time.Millisecond; ; {
		if err := r.skim(ctx, r.fetchLeader, r.all(r.key), mark); err != nil || r.last >= mark {
			return err
		}
		if err := pause(ctx, &wait); err != nil {
			return fmt.Errorf("the leader does not have message %d, which was acknowledged: %w", mark, err)
		}
	}
}

// reading is a walk along the messages of a key.
type reading struct {
	*conn
	key    string
	last   uint64 // the number of the last message that was seen
	values []message
}

// take notes the next message.
func (r *reading) take(m message) {
	if r.last = m.seq; m.subject == r.conn.values(r.key) {
		r.values = append(r.values, m)
		r.seen.add(r.key, m.seq)
	}
}

// leap takes the values that were seen before, if they still follow each other, all at the
// same time: one after the other takes long.
func (r *reading) leap(ctx context.Context) {
	at := append([]uint64{r.last}, r.seen.after(r.key, r.last)...)
	next := make([][]message, len(at))
	var asking sync.WaitGroup
	for i, seq := range at {
		asking.Go(func() { next[i], _ = r.fetch(ctx, get{Seq: seq + 1, Next: r.conn.values(r.key)}) })
	}
	asking.Wait()
	for i := range at {
		if len(next[i]) == 0 || at[i] != r.last {
			return // where skim goes on, and meets the error again
		}
		r.take(next[i][0])
	}
}

// skim takes the messages of a subject until there are no more of them, or one of that
// number or a later one was taken.
func (r *reading) skim(ctx context.Context, fetch func(context.Context, get) ([]message, error), subject string, until uint64) error {
	if r.batch == 0 && subject == r.conn.values(r.key) {
		r.leap(ctx)
	}
	for r.last < until {
		found, err := fetch(ctx, get{Seq: r.last + 1, Next: subject})
		switch {
		case errors.Is(err, errNone), err == nil && len(found) == 0:
			return nil
		case err != nil:
			return err
		}
		for _, m := range found {
			r.take(m)
		}
	}
	return nil
}

// pause waits, and the next time for longer.
func pause(ctx context.Context, wait *time.Duration) error {
	t := time.NewTimer(*wait/2 + rand.N(*wait))
	defer t.Stop()
	*wait = min(2**wait, 100*time.Millisecond)
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// seen are the numbers of values that were found or acknowledged, by their keys. They tell
// where to look, and are never taken for granted: what is lost is to be missed.
type seen struct {
	mu   sync.Mutex
	seqs map[string][]uint64 // ascending
}

func (s *seen) add(key string, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seqs == nil {
		s.seqs = map[string][]uint64{}
	}
	if i, has := slices.BinarySearch(s.seqs[key], seq); !has {
		s.seqs[key] = slices.Insert(s.seqs[key], i, seq)
	}
}

// after are those of a key that come after one.
func (s *seen) after(key string, seq uint64) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := slices.BinarySearch(s.seqs[key], seq+1)
	return slices.Clone(s.seqs[key][i:])
}

// latest is the last one of a key; 0: there is none.
func (s *seen) latest(key string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.seqs[key]); n > 0 {
		return s.seqs[key][n-1]
	}
	return 0
}
