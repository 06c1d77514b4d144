package main

import (
	"context"
	"encoding/json"

	clientv3 "go.etcd.io/etcd/client/v3"

	"squall.invalid/client/goclient"
)

// register carries out operations on registers: a key each, which is not there while the
// register holds nothing.
func (c *conn) register(ctx context.Context, op goclient.Op) ([]byte, error) {
	switch op.Func {
	case "read":
		r, err := c.etcd.Get(ctx, op.Key, c.get()...)
		if err != nil {
			return nil, readError{err}
		}
		return valueOf((*clientv3.GetResponse)(r)), nil
	case "write":
		value, ok := goclient.Text(op.In)
		if !ok {
			return nil, goclient.Fail("the value to write is not a string: %s", op.In)
		}
		r, err := c.etcd.Put(ctx, op.Key, value, clientv3.WithPrevKV())
		if err != nil {
			return nil, err
		}
		return heldBefore(r), nil
	case "delete":
		_, err := c.etcd.Delete(ctx, op.Key)
		return nil, err
	case "cas":
		return c.cas(ctx, op)
	}
	return nil, goclient.Fail("registers have no %q", op.Func)
}

func (c *conn) cas(ctx context.Context, op goclient.Op) ([]byte, error) {
	var pair []json.RawMessage
	if err := json.Unmarshal(op.In, &pair); err != nil || len(pair) != 2 {
		return nil, goclient.Fail("a cas of %s, which is not what is expected and what to store", op.In)
	}
	holds := clientv3.Compare(clientv3.CreateRevision(op.Key), "=", 0)
	if expect, some := goclient.Text(pair[0]); some {
		holds = clientv3.Compare(clientv3.Value(op.Key), "=", expect)
	}
	store := clientv3.OpDelete(op.Key)
	if value, some := goclient.Text(pair[1]); some {
		store = clientv3.OpPut(op.Key, value)
	}
	r, err := c.onlyIf(ctx, []clientv3.Cmp{holds}, store, clientv3.OpGet(op.Key))
	switch {
	case err != nil:
		return nil, err
	case r.Succeeded:
		return []byte("true"), nil
	}
	found := valueOf((*clientv3.GetResponse)(r.Responses[0].GetResponseRange()))
	return append(append([]byte(`{"found":`), found...), '}'), nil
}

// heldBefore is the value that a put replaced, in the same step, as JSON.
func heldBefore(r *clientv3.PutResponse) []byte {
	if r.PrevKv == nil {
		return []byte("null")
	}
	return goclient.AppendText(nil, string(r.PrevKv.Value))
}

// valueOf is the value of the key that was read, as JSON.
func valueOf(r *clientv3.GetResponse) []byte {
	if len(r.Kvs) == 0 {
		return []byte("null")
	}
	return goclient.AppendText(nil, string(r.Kvs[0].Value))
}
