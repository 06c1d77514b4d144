package main

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"squall.invalid/client/goclient"
)

// txn carries out a transaction of reads of lists and appends to them, as one of etcd's:
// it reads what was appended before it, and what it has appended itself.
//
// An element is a key below its list's, and lists are in the order in which their keys
// were created, which is etcd's order of everything: its revision. A transaction has
// one revision, so the value of an element is its place among those of its transaction.
func (c *conn) txn(ctx context.Context, op goclient.Op) ([]byte, error) {
	steps, err := stepsOf(op.In)
	if err != nil {
		return nil, err
	}
	ops := make([]clientv3.Op, len(steps))
	reads := true
	for i, s := range steps {
		if s.appends {
			reads = false
			ops[i] = clientv3.OpPut(s.list+"/"+s.element, strconv.Itoa(i))
		} else {
			ops[i] = clientv3.OpGet(s.list+"/", c.get(clientv3.WithPrefix())...)
		}
	}
	r, err := c.etcd.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		if reads {
			err = readError{err}
		}
		return nil, err
	}
	out := []byte{'['}
	for i, s := range steps {
		if i > 0 {
			out = append(out, ',')
		}
		out = s.answer(out, (*clientv3.GetResponse)(r.Responses[i].GetResponseRange()))
	}
	return append(out, ']'), nil
}

// step is one operation of a transaction.
type step struct {
	appends       bool
	list, element string
}

// stepsOf reads a list of ["append", list, element] and ["r", list, null].
func stepsOf(in []byte) ([]step, error) {
	var said [][3]*string
	if err := json.Unmarshal(in, &said); err != nil {
		return nil, goclient.Fail("a transaction of %s: %w", in, err)
	}
	steps := make([]step, len(said))
	for i, s := range said {
		switch {
		case s[0] == nil || s[1] == nil || *s[0] != "r" && (*s[0] != "append" || s[2] == nil):
			return nil, goclient.Fail("a transaction of %s, which has neither reads nor appends alone", in)
		case *s[0] == "r":
			steps[i] = step{list: *s[1]}
		default:
			steps[i] = step{true, *s[1], *s[2]}
		}
	}
	return steps, nil
}

// answer appends what was asked for with what was found.
func (s step) answer(out []byte, found *clientv3.GetResponse) []byte {
	if s.appends {
		out = goclient.AppendText(append(out, `["append",`...), s.list)
		out = goclient.AppendText(append(out, ','), s.element)
		return append(out, ']')
	}
	slices.SortFunc(found.Kvs, func(a, b *mvccpb.KeyValue) int {
		place := func(kv *mvccpb.KeyValue) int {
			n, _ := strconv.Atoi(string(kv.Value))
			return n
		}
		return cmp.Or(cmp.Compare(a.CreateRevision, b.CreateRevision), cmp.Compare(place(a), place(b)))
	})
	out = append(goclient.AppendText(append(out, `["r",`...), s.list), ",["...)
	for i, kv := range found.Kvs {
		if i > 0 {
			out = append(out, ',')
		}
		out = goclient.AppendText(out, strings.TrimPrefix(string(kv.Key), s.list+"/"))
	}
	return append(out, "]]"...)
}
