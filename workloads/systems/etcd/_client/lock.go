package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"squall.invalid/client/goclient"
)

// lock carries out operations on locks: a key with a lease, which is there while the
// lock is held, as etcd's own package for locks has it. The token is the revision at
// which it was created.
func (c *conn) lock(ctx context.Context, op goclient.Op) ([]byte, error) {
	switch op.Func {
	case "acquire":
		owner, ok := goclient.Text(op.In)
		if !ok {
			return nil, goclient.Fail("an owner who is not a string: %s", op.In)
		}
		return c.acquire(ctx, op.Key, owner)
	case "release":
		var pair []json.RawMessage
		if err := json.Unmarshal(op.In, &pair); err != nil || len(pair) != 2 {
			return nil, goclient.Fail("a release by %s, which is not an owner and a token", op.In)
		}
		owner, ok := goclient.Text(pair[0])
		token, err := strconv.ParseInt(string(pair[1]), 10, 64)
		if !ok || err != nil {
			return nil, goclient.Fail("a release by %s, which is not an owner and a token", op.In)
		}
		return c.release(ctx, op.Key, owner, token)
	}
	return nil, goclient.Fail("locks have no %q", op.Func)
}

// acquire answers with the token, or with who holds the lock.
func (c *conn) acquire(ctx context.Context, key, owner string) ([]byte, error) {
	lease, err := c.leased(ctx)
	if err != nil {
		return nil, readError{err} // of a lease alone nobody takes notice
	}
	free := []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(key), "=", 0)}
	r, err := c.onlyIf(ctx, free, clientv3.OpPut(key, owner, clientv3.WithLease(lease)), clientv3.OpGet(key))
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound): // it has ended, which every node finds alike
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.lease == lease {
			c.lease = 0
		}
		return nil, goclient.Fail("%w", err)
	case err != nil:
		return nil, err
	case r.Succeeded:
		return strconv.AppendInt(nil, r.Header.Revision, 10), nil
	}
	return valueOf((*clientv3.GetResponse)(r.Responses[0].GetResponseRange())), nil
}

func (c *conn) release(ctx context.Context, key, owner string, token int64) ([]byte, error) {
	held := []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(key), "=", token), clientv3.Compare(clientv3.Value(key), "=", owner)}
	r, err := c.onlyIf(ctx, held, clientv3.OpDelete(key))
	if err != nil {
		return nil, err
	}
	return strconv.AppendBool(nil, r.Succeeded), nil
}

// leased is the lease of this connection's locks, which is kept alive while the
// connection is.
func (c *conn) leased(ctx context.Context) (clientv3.LeaseID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lease != 0 {
		return c.lease, nil
	}
	granted, err := c.etcd.Grant(ctx, int64(c.settings.lease.Seconds()))
	if err != nil {
		return 0, err
	}
	alive, err := c.etcd.KeepAlive(context.Background(), granted.ID)
	if err != nil {
		return 0, err
	}
	go func() {
		for range alive { // until the connection ends, or the lease has
		}
	}()
	c.lease = granted.ID
	return c.lease, nil
}
