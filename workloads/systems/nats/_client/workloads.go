package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"squall.invalid/client/goclient"
)

// certain is an error of an operation that reads, or of what an operation reads first: it
// changed nothing.
func certain(err error) error {
	if err == nil {
		return nil
	}
	return &goclient.Error{Certain: true, Err: err}
}

var errNoText = goclient.Fail("what to store is not a string")

func isNoStream(err error) bool { return errors.Is(err, jetstream.ErrNoStreamResponse) }

// set are the functions of the workload set.
func (c *conn) set() map[string]operation {
	return map[string]operation{"add": c.add, "read": c.elements}
}

// add publishes an element. It has no id to tell copies by: it is sent once.
func (c *conn) add(ctx context.Context, op goclient.Op) ([]byte, error) {
	element, ok := goclient.Text(op.In)
	if !ok {
		return nil, errNoText
	}
	return nil, c.put(ctx, op.Key, &nats.Msg{Data: []byte(element)})
}

// elements reads the stream from its beginning.
func (c *conn) elements(ctx context.Context, op goclient.Op) ([]byte, error) {
	found, err := c.since(ctx, op.Key, func(uint64) uint64 { return 1 })
	if err != nil {
		return nil, certain(err)
	}
	out := []byte{'['}
	for i, m := range found {
		if i > 0 {
			out = append(out, ',')
		}
		out = goclient.AppendText(out, m.data)
	}
	return append(out, ']'), nil
}

// register are the functions of the workload register.
func (c *conn) register() map[string]operation {
	return map[string]operation{"read": c.readKey, "write": c.write, "cas": c.cas, "delete": c.delete}
}

// value is what a key holds.
type value struct {
	data *string // nil: nothing
	seq  uint64  // of the message that says so; 0: none does
}

func (v value) of(m message) value {
	if m.deleted {
		return value{seq: m.seq}
	}
	return value{&m.data, m.seq}
}

// current is what a key holds.
func (c *conn) current(ctx context.Context, key string) (v value, err error) {
	if c.reads != readSynced {
		found, err := c.fetch(ctx, get{Last: c.values(key)})
		switch {
		case errors.Is(err, errNone), errors.Is(err, errGone):
			return v, nil
		case err != nil:
			return v, err
		case len(found) != 1:
			return v, errOdd
		}
		return v.of(found[0]), nil
	}
	known := c.seen.latest(key)
	from := max(known, 1)
	found, err := c.since(ctx, key, func(mark uint64) uint64 {
		if from > mark {
			from = 1 // the message that was seen is lost: its number is given anew
		}
		return from
	})
	if err == nil && from > 1 && (len(found) == 0 || found[0].seq != from) {
		found, err = c.since(ctx, key, func(uint64) uint64 { return 1 })
	}
	if err != nil || len(found) == 0 {
		return v, err
	}
	last := found[len(found)-1]
	return v.of(last), nil
}

func (c *conn) readKey(ctx context.Context, op goclient.Op) ([]byte, error) {
	v, err := c.current(ctx, op.Key)
	if err != nil {
		return nil, certain(err)
	}
	return v.json(), nil
}

// json is the value as JSON.
func (v value) json() []byte {
	if v.data == nil {
		return []byte("null")
	}
	return goclient.AppendText(nil, *v.data)
}

func (c *conn) write(ctx context.Context, op goclient.Op) ([]byte, error) {
	data, ok := goclient.Text(op.In)
	if !ok {
		return nil, errNoText
	}
	return nil, c.put(ctx, op.Key, &nats.Msg{Data: []byte(data)})
}

// delete writes what a bucket's client writes to delete a key.
func (c *conn) delete(ctx context.Context, op goclient.Op) ([]byte, error) {
	return nil, c.put(ctx, op.Key, &nats.Msg{Header: nats.Header{"KV-Operation": {"DEL"}}})
}

func (c *conn) put(ctx context.Context, key string, m *nats.Msg, opts ...jetstream.PublishOpt) error {
	m.Subject = c.values(key)
	seq, err := c.publish(ctx, m, opts...)
	if err == nil {
		c.seen.add(key, seq)
	}
	return err
}

// cas writes a value if the key holds what is expected: if its last message still is the one
// that said so.
func (c *conn) cas(ctx context.Context, op goclient.Op) ([]byte, error) {
	var in [2]*string
	if err := json.Unmarshal(op.In, &in); err != nil || in[1] == nil {
		return nil, goclient.Fail("cas takes what is expected and what to store")
	}
	v, err := c.current(ctx, op.Key)
	if err != nil {
		return nil, certain(err)
	}
	if (v.data == nil) != (in[0] == nil) || v.data != nil && *v.data != *in[0] {
		return append(append([]byte(`{"found":`), v.json()...), '}'), nil
	}
	err = c.put(ctx, op.Key, &nats.Msg{Data: []byte(*in[1])}, jetstream.WithExpectLastSequencePerSubject(v.seq))
	if err != nil {
		return nil, err
	}
	return []byte("true"), nil
}
