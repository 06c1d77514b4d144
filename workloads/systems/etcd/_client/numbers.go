package main

import (
	"context"
	"strconv"

	clientv3 "go.etcd.io/etcd/client/v3"

	"squall.invalid/client/goclient"
)

// counter carries out operations on counters: a key each, which is not there while the
// counter is 0. etcd adds nothing itself: a client reads, and writes the sum if nobody came
// first.
func (c *conn) counter(ctx context.Context, op goclient.Op) ([]byte, error) {
	switch op.Func {
	case "read":
		r, err := c.etcd.Get(ctx, op.Key, c.get()...)
		if err != nil {
			return nil, readError{err}
		}
		n, err := numberIn((*clientv3.GetResponse)(r), 0)
		return strconv.AppendInt(nil, n, 10), err
	case "add":
		by, err := strconv.ParseInt(string(op.In), 10, 64)
		if err != nil {
			return nil, goclient.Fail("an add of %s, which is no whole number", op.In)
		}
		_, err = c.addTo(ctx, op.Key, by)
		return nil, err
	}
	return nil, goclient.Fail("counters have no %q", op.Func)
}

// addTo adds to a counter, and is what it comes to.
func (c *conn) addTo(ctx context.Context, key string, by int64) (sum int64, err error) {
	_, err = c.update(ctx, []clientv3.Op{clientv3.OpGet(key, c.get()...)}, func(found []*clientv3.GetResponse) (change, error) {
		n, err := numberIn(found[0], 0)
		sum = n + by
		return change{[]clientv3.Cmp{unchanged(key, found[0])}, []clientv3.Op{clientv3.OpPut(key, strconv.FormatInt(sum, 10))}}, err
	})
	return sum, err
}

// numberIn is the number that a key holds; absent where it is not there.
func numberIn(found *clientv3.GetResponse, absent int64) (int64, error) {
	if len(found.Kvs) == 0 {
		return absent, nil
	}
	n, err := strconv.ParseInt(string(found.Kvs[0].Value), 10, 64)
	if err != nil {
		return 0, goclient.Fail("%s: %w", found.Kvs[0].Key, err)
	}
	return n, nil
}

// monotonic carries out operations on numbers that grow. A number is the version of a key:
// how often it was written, which etcd counts in the same step.
func (c *conn) monotonic(ctx context.Context, op goclient.Op) ([]byte, error) {
	if op.Func != "read" && op.Func != "increase" {
		return nil, goclient.Fail("numbers that grow have no %q", op.Func)
	}
	if c.transactions == unchecked {
		return c.grownUnchecked(ctx, op)
	}
	if op.Func == "read" {
		r, err := c.etcd.Get(ctx, op.Key, c.get()...)
		switch {
		case err != nil:
			return nil, readError{err}
		case len(r.Kvs) == 0:
			return []byte("0"), nil
		}
		return strconv.AppendInt(nil, r.Kvs[0].Version, 10), nil
	}
	r, err := c.etcd.Put(ctx, op.Key, "", clientv3.WithPrevKV())
	switch {
	case err != nil:
		return nil, err
	case r.PrevKv == nil:
		return []byte("1"), nil
	}
	return strconv.AppendInt(nil, r.PrevKv.Version+1, 10), nil
}

// grownUnchecked counts in the value of the key, as a counter.
func (c *conn) grownUnchecked(ctx context.Context, op goclient.Op) ([]byte, error) {
	if op.Func == "read" {
		return c.counter(ctx, op)
	}
	n, err := c.addTo(ctx, op.Key, 1)
	return strconv.AppendInt(nil, n, 10), err
}

// uniqueIDs carries out requests for ids. An id is the revision of a put, which etcd gives
// to no other.
func (c *conn) uniqueIDs(ctx context.Context, op goclient.Op) ([]byte, error) {
	if op.Func != "generate" {
		return nil, goclient.Fail("ids have no %q", op.Func)
	}
	var id int64
	if c.transactions == unchecked {
		n, err := c.addTo(ctx, op.Key, 1)
		if err != nil {
			return nil, err
		}
		id = n
	} else {
		r, err := c.etcd.Put(ctx, op.Key, "")
		if err != nil {
			return nil, err
		}
		id = r.Header.Revision
	}
	return goclient.AppendText(nil, strconv.FormatInt(id, 10)), nil
}
