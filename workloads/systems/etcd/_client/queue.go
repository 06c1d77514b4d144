package main

import (
	"context"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"squall.invalid/client/goclient"
)

// queue carries out operations on queues, as etcd's own recipe has them. A value is a key
// below its queue's, and the order is that in which they were created, so an enqueue is one put.
// A dequeue reads the oldest, and deletes it if it is still there: what is put in meanwhile
// comes after it, so it is then the oldest still.
func (c *conn) queue(ctx context.Context, op goclient.Op) ([]byte, error) {
	folder := op.Key + "/"
	switch op.Func {
	case "enqueue":
		value, ok := goclient.Text(op.In)
		if !ok {
			return nil, goclient.Fail("the value to enqueue is not a string: %s", op.In)
		}
		_, err := c.etcd.Put(ctx, folder+value, "")
		return nil, err
	case "dequeue":
		var out []byte
		oldest := clientv3.OpGet(folder, c.get(clientv3.WithFirstCreate()...)...)
		_, err := c.update(ctx, []clientv3.Op{oldest}, func(found []*clientv3.GetResponse) (change, error) {
			if out = []byte("null"); len(found[0].Kvs) == 0 { // now, whatever there was before others came first
				return change{}, nil
			}
			key := string(found[0].Kvs[0].Key)
			out = goclient.AppendText(nil, strings.TrimPrefix(key, folder))
			return change{[]clientv3.Cmp{unchanged(key, found[0])}, []clientv3.Op{clientv3.OpDelete(key)}}, nil
		})
		return out, err
	}
	return nil, goclient.Fail("queues have no %q", op.Func)
}
