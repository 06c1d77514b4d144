package main

import (
	"context"
	"encoding/json"
	"strconv"

	clientv3 "go.etcd.io/etcd/client/v3"

	"squall.invalid/client/goclient"
)

// bank carries out operations on accounts: a key each, which is not there while the account
// holds what it did at first.
func (c *conn) bank(ctx context.Context, op goclient.Op) ([]byte, error) {
	var in struct {
		of
		From, To, Amount int64
		Bank             of
	}
	if err := json.Unmarshal(op.In, &in); err != nil {
		return nil, goclient.Fail("a %s of %s: %w", op.Func, op.In, err)
	}
	switch op.Func {
	case "read":
		return c.balances(ctx, in.of)
	case "transfer":
		b := in.Bank
		_, err := c.update(ctx, []clientv3.Op{c.account(in.From), c.account(in.To)}, func(found []*clientv3.GetResponse) (change, error) {
			from, err := numberIn(found[0], in.Bank.Each)
			if err != nil {
				return change{}, err
			}
			to, err := numberIn(found[1], in.Bank.Each)
			if err != nil {
				return change{}, err
			}
			if from < in.Amount && !b.Overdraw {
				return change{}, goclient.Fail("the account does not hold as much")
			}
			return change{
				holds: []clientv3.Cmp{unchanged(account(in.From), found[0]), unchanged(account(in.To), found[1])},
				then: []clientv3.Op{
					clientv3.OpPut(account(in.From), strconv.FormatInt(from-in.Amount, 10)),
					clientv3.OpPut(account(in.To), strconv.FormatInt(to+in.Amount, 10)),
				},
			}, nil
		})
		return nil, err
	}
	return nil, goclient.Fail("banks have no %q", op.Func)
}

// of is the bank that an operation is about.
type of struct {
	Accounts, Each int64
	Overdraw       bool
}

func account(i int64) string { return "account-" + strconv.FormatInt(i, 10) }

// account reads one.
func (c *conn) account(i int64) clientv3.Op { return clientv3.OpGet(account(i), c.get()...) }

// balances answers with what all accounts hold, at one moment.
func (c *conn) balances(ctx context.Context, b of) ([]byte, error) {
	reads := make([]clientv3.Op, b.Accounts)
	for i := range reads {
		reads[i] = c.account(int64(i))
	}
	found, err := c.readAll(ctx, reads)
	if err != nil {
		return nil, err
	}
	out := []byte{'['}
	for i, r := range found {
		if i > 0 {
			out = append(out, ',')
		}
		n, err := numberIn(r, b.Each)
		if err != nil {
			return nil, err
		}
		out = strconv.AppendInt(out, n, 10)
	}
	return append(out, ']'), nil
}
