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

// lists carries out a transaction of reads of lists and appends to them, as one of etcd's:
// it reads what was appended before it, and what it has appended itself.
//
// An element is a key below its list's, and lists are in the order in which their keys
// were created, which is etcd's order of everything: its revision. A transaction has
// one revision, so the value of an element is its place among those of its transaction.
func (c *conn) lists(ctx context.Context, op goclient.Op) ([]byte, error) {
	steps, err := stepsOf(op.In)
	if err != nil {
		return nil, err
	}
	found, err := c.listsAtOnce(ctx, steps)
	if err != nil {
		return nil, err
	}
	out := []byte{'['}
	for i, s := range steps {
		if i > 0 {
			out = append(out, ',')
		}
		out = s.answer(out, found[i])
	}
	return append(out, ']'), nil
}

// listsAtOnce carries out steps, and is what each found: nothing for an append.
func (c *conn) listsAtOnce(ctx context.Context, steps []step) ([][]string, error) {
	if c.transactions != whole {
		return c.listsFirst(ctx, steps)
	}
	ops := make([]clientv3.Op, len(steps))
	reads := true
	for i, s := range steps {
		if reads = reads && !s.appends; s.appends {
			ops[i] = s.put(i)
		} else {
			ops[i] = c.list(s.list)
		}
	}
	r, err := c.etcd.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		if reads {
			err = readError{err}
		}
		return nil, err
	}
	found := make([][]string, len(steps))
	for i, s := range steps {
		found[i] = s.elements(r.Responses[i].GetResponseRange().GetKvs())
	}
	return found, nil
}

// listsFirst reads all lists that the steps read, and then appends, if nobody has
// appended to those since.
func (c *conn) listsFirst(ctx context.Context, steps []step) (lists [][]string, err error) {
	var reads, puts []clientv3.Op
	for i, s := range steps {
		if s.appends {
			puts = append(puts, s.put(i))
		} else {
			reads = append(reads, c.list(s.list))
		}
	}
	_, err = c.update(ctx, reads, func(found []*clientv3.GetResponse) (change, error) {
		to := change{then: puts}
		lists = make([][]string, len(steps))
		own := map[string][]string{}
		for i, s := range steps {
			if s.appends {
				own[s.list] = append(own[s.list], s.element)
				continue
			}
			lists[i] = append(s.elements(found[0].Kvs), own[s.list]...)
			to.holds = append(to.holds, noneSince(s.folder(), found[0]))
			found = found[1:]
		}
		return to, nil
	})
	return lists, err
}

func (c *conn) list(name string) clientv3.Op {
	return clientv3.OpGet(step{list: name}.folder(), c.get(clientv3.WithPrefix())...)
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

func (s step) folder() string { return s.list + "/" }

// put appends the element, as the i-th operation of a transaction.
func (s step) put(i int) clientv3.Op {
	return clientv3.OpPut(s.folder()+s.element, strconv.Itoa(i))
}

// elements are those of a list that was found, in their order.
func (s step) elements(found []*mvccpb.KeyValue) []string {
	slices.SortFunc(found, func(a, b *mvccpb.KeyValue) int {
		place := func(kv *mvccpb.KeyValue) int {
			n, _ := strconv.Atoi(string(kv.Value))
			return n
		}
		return cmp.Or(cmp.Compare(a.CreateRevision, b.CreateRevision), cmp.Compare(place(a), place(b)))
	})
	elements := make([]string, len(found))
	for i, kv := range found {
		elements[i] = strings.TrimPrefix(string(kv.Key), s.folder())
	}
	return elements
}

// answer appends what was asked for with what was found.
func (s step) answer(out []byte, found []string) []byte {
	if s.appends {
		out = goclient.AppendText(append(out, `["append",`...), s.list)
		out = goclient.AppendText(append(out, ','), s.element)
		return append(out, ']')
	}
	out = append(goclient.AppendText(append(out, `["r",`...), s.list), ",["...)
	for i, e := range found {
		if i > 0 {
			out = append(out, ',')
		}
		out = goclient.AppendText(out, e)
	}
	return append(out, "]]"...)
}
