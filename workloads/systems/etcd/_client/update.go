package main

import (
	"context"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"

	"squall.invalid/client/goclient"
)

// How operations are carried out that etcd has no single request for, and transactions.
const (
	// whole has a transaction as one of etcd's. What depends on what was read is written
	// on the condition that this is still so.
	whole = "whole"
	// compared has transactions, too, read first and write then, on that condition.
	compared = "compared"
	// unchecked has everything read first and written then, on no condition.
	unchecked = "unchecked"
)

// attempts is how often an update is tried at most. One that comes to nothing has changed
// nothing.
const attempts = 16

// change is what becomes of what was read: what must still hold for it, and what is
// written then.
type change struct {
	holds []clientv3.Cmp
	then  []clientv3.Op
}

// update reads at one moment, and writes what becomes of what was found if that is still
// there, from the beginning until it is. Without anything to write it is done, and the
// response is nil.
//
// Each attempt is answered before the next begins: whatever ends in an error ends the
// operation, so that it is never written twice, and none is called failed that may have been
// written.
func (c *conn) update(ctx context.Context, reads []clientv3.Op, become func(found []*clientv3.GetResponse) (change, error)) (*clientv3.TxnResponse, error) {
	for range attempts {
		found, err := c.readAll(ctx, reads)
		if err != nil {
			return nil, err
		}
		to, err := become(found)
		if err != nil || len(to.then) == 0 {
			return nil, err
		}
		if c.transactions == unchecked {
			to.holds = nil
		}
		nothingSent(ctx)
		r, err := c.etcd.Txn(ctx).If(to.holds...).Then(to.then...).Commit()
		if err != nil || r.Succeeded {
			return r, err
		}
	}
	return nil, goclient.Fail("others came first, %d times", attempts)
}

// readAll reads at one moment.
func (c *conn) readAll(ctx context.Context, reads []clientv3.Op) ([]*clientv3.GetResponse, error) {
	if len(reads) == 0 {
		return nil, nil
	}
	r, err := c.etcd.Txn(ctx).Then(reads...).Commit()
	if err != nil {
		return nil, readError{err}
	}
	found := make([]*clientv3.GetResponse, len(r.Responses))
	for i := range found {
		found[i] = (*clientv3.GetResponse)(r.Responses[i].GetResponseRange())
		found[i].Header = r.Header // which has the revision of that moment
	}
	return found, nil
}

// unchanged holds while a key is as it was found: there, with its last revision, or not.
func unchanged(key string, found *clientv3.GetResponse) clientv3.Cmp {
	revision := int64(0)
	if len(found.Kvs) > 0 {
		revision = found.Kvs[0].ModRevision
	}
	return clientv3.Compare(clientv3.ModRevision(key), "=", revision)
}

// noneSince holds while nothing below a prefix was written since it was read.
func noneSince(prefix string, found *clientv3.GetResponse) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(prefix), "<", found.Header.Revision+1).WithPrefix()
}

// onlyIf writes on conditions, or else reads.
func (c *conn) onlyIf(ctx context.Context, holds []clientv3.Cmp, then clientv3.Op, otherwise ...clientv3.Op) (*clientv3.TxnResponse, error) {
	if c.transactions != unchecked {
		return c.etcd.Txn(ctx).If(holds...).Then(then).Else(otherwise...).Commit()
	}
	r, err := c.etcd.Txn(ctx).If(holds...).Else(otherwise...).Commit()
	switch {
	case err != nil:
		return nil, readError{err}
	case !r.Succeeded:
		return r, nil
	}
	nothingSent(ctx)
	return c.etcd.Txn(ctx).Then(then).Commit()
}

// nothingSent notes that all requests so far were answered, and changed nothing.
func nothingSent(ctx context.Context) {
	if sent, ok := ctx.Value(sentKey{}).(*atomic.Bool); ok {
		sent.Store(false)
	}
}
