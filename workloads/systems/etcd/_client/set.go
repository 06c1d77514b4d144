package main

import (
	"context"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"squall.invalid/client/goclient"
)

// set carries out operations on sets. An element is a key below its set's, so an add is
// one put, and a read one range, at one revision.
func (c *conn) set(ctx context.Context, op goclient.Op) ([]byte, error) {
	folder := op.Key + "/"
	switch op.Func {
	case "add":
		element, ok := goclient.Text(op.In)
		if !ok {
			return nil, goclient.Fail("the element to add is not a string: %s", op.In)
		}
		_, err := c.etcd.Put(ctx, folder+element, "")
		return nil, err
	case "read":
		r, err := c.etcd.Get(ctx, folder, c.get(clientv3.WithPrefix(), clientv3.WithKeysOnly())...)
		if err != nil {
			return nil, readError{err}
		}
		out := []byte{'['}
		for i, kv := range r.Kvs {
			if i > 0 {
				out = append(out, ',')
			}
			out = goclient.AppendText(out, strings.TrimPrefix(string(kv.Key), folder))
		}
		return append(out, ']'), nil
	}
	return nil, goclient.Fail("sets have no %q", op.Func)
}
