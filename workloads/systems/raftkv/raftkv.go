// Package raftkv is squall's own replicated key-value server, in nodeimage/kv, as a
// system under test.
package raftkv

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"squall/history"
	"squall/nodeimage/kv"
	"squall/workloads/bank"
	"squall/workloads/listappend"
	"squall/workloads/lock"
	"squall/workloads/register"
	"squall/workloads/rw"
	"squall/workloads/set"
	"squall/workloads/systems"
)

// System is squall's own server. Its servers are squall-node, write every Raft trace
// event, go by a clock that can be bent, take rules for their messages, and take trials.
type System struct{}

var (
	_ systems.System        = System{}
	_ systems.ParamChecker  = System{}
	_ systems.Tracer        = System{}
	_ systems.ClockBender   = System{}
	_ systems.MessageRuler  = System{}
	_ systems.ByteChecker   = System{}
	_ systems.NodeRunner    = System{}
	_ systems.ElectionTimer = System{}
	_ systems.TrialTaker    = System{}
	_ systems.Available     = System{}
	_ systems.Resender      = System{}
)

// Name is "raftkv".
func (System) Name() string { return "raftkv" }

// Describe is one line for people.
func (System) Describe() string {
	return "squall's own key-value server on its own Raft: ReadIndex reads, write-ahead log, snapshots"
}

// WritesTrace marks a systems.Tracer.
func (System) WritesTrace() {}

// ChecksBytes marks a systems.ByteChecker: each message has a checksum.
func (System) ChecksBytes() {}

// BendsClock marks a systems.ClockBender.
func (System) BendsClock() {}

// RulesMessages marks a systems.MessageRuler.
func (System) RulesMessages() {}

// RunsSquallNode marks a systems.NodeRunner.
func (System) RunsSquallNode() {}

// Dial connects to one node.
func (System) Dial(ctx context.Context, node systems.Node) (systems.Client, error) {
	port := node.Port
	if port == 0 {
		port = kv.DefaultClientPort
	}
	c, err := kv.Dial(ctx, netip.AddrPortFrom(node.Addr, port).String())
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			err = errno // "connection refused": the history names the node already
		}
		return nil, &systems.Error{Certain: true, Lost: true, Err: err}
	}
	return client{c}, nil
}

// Prototype has the interfaces of every workload that squall knows.
func (System) Prototype() systems.Client { return client{} }

var (
	_ register.Replacer = client{}
	_ lock.Client       = client{}
	_ set.Client        = client{}
	_ listappend.Client = client{}
	_ rw.Client         = client{}
	_ bank.Client       = client{}

	_ systems.ReplicaTeller = client{}
	_ systems.SessionClient = client{}
)

// client is the server's own client, by the names of this package.
type client struct{ kv *kv.Client }

func (c client) Read(ctx context.Context, key string) (history.Value, error) {
	data, found, err := c.kv.Get(ctx, key)
	return history.Value{Data: data, Present: found}, errorOf(err)
}

func (c client) Write(ctx context.Context, key string, value history.Value) error {
	if !value.Present {
		return c.Delete(ctx, key)
	}
	return errorOf(c.kv.Put(ctx, key, value.Data))
}

// Replace stores a value; none is stored by Write.
func (c client) Replace(ctx context.Context, key string, value history.Value) (history.Value, error) {
	old, err := c.kv.Replace(ctx, key, value.Data)
	return history.Value(old), errorOf(err)
}

func (c client) CAS(ctx context.Context, key string, expect, value history.Value) (bool, history.Value, error) {
	if !value.Present {
		return false, history.None, &systems.Error{Certain: true, Err: errors.New("raftkv has no compare-and-delete")}
	}
	swapped, found, err := c.kv.CAS(ctx, key, kv.Value(expect), value.Data)
	return swapped, history.Value(found), errorOf(err)
}

func (c client) Delete(ctx context.Context, key string) error {
	return errorOf(c.kv.Delete(ctx, key))
}

// Acquire takes a lock without a lease.
func (c client) Acquire(ctx context.Context, key, owner string) (uint64, string, error) {
	token, holder, err := c.kv.Acquire(ctx, key, owner, 0)
	return token, holder.Owner, errorOf(err)
}

func (c client) Release(ctx context.Context, key, owner string, token uint64) (bool, error) {
	released, _, err := c.kv.Release(ctx, key, owner, token)
	return released, errorOf(err)
}

// Add appends to a list, which makes a set of it as long as nothing is added twice.
func (c client) Add(ctx context.Context, key, element string) error {
	return errorOf(c.kv.Append(ctx, key, element))
}

func (c client) Elements(ctx context.Context, key string) ([]string, error) {
	elements, _, err := c.kv.List(ctx, key)
	return elements, errorOf(err)
}

// Transact carries out a transaction without conditions.
func (c client) Transact(ctx context.Context, ops []listappend.Op) ([][]string, error) {
	t := kv.Txn{Then: make([]kv.TxnOp, len(ops))}
	for i, op := range ops {
		t.Then[i] = kv.TxnOp{Op: kv.OpList, Key: op.Key}
		if op.Append {
			t.Then[i] = kv.TxnOp{Op: kv.OpAppend, Key: op.Key, Value: op.Element}
		}
	}
	r, err := c.kv.Txn(ctx, t)
	if err != nil {
		return nil, errorOf(err)
	}
	lists := make([][]string, len(r.Results))
	for i := range r.Results {
		lists[i] = r.Results[i].List
	}
	return lists, nil
}

// ReadWrite carries out a transaction without conditions.
func (c client) ReadWrite(ctx context.Context, ops []rw.Op) ([]history.Value, error) {
	t := kv.Txn{Then: make([]kv.TxnOp, len(ops))}
	for i, op := range ops {
		t.Then[i] = kv.TxnOp{Op: kv.OpGet, Key: op.Key}
		if op.Writes {
			t.Then[i] = kv.TxnOp{Op: kv.OpPut, Key: op.Key, Value: op.Value}
		}
	}
	r, err := c.kv.Txn(ctx, t)
	if err != nil {
		return nil, errorOf(err)
	}
	found := make([]history.Value, len(r.Results))
	for i := range r.Results {
		found[i] = history.Value(r.Results[i].Value)
	}
	return found, nil
}

// SwapAll carries out a transaction with a condition for each register that is expected to
// hold something, or not to be there.
func (c client) SwapAll(ctx context.Context, expect, store []bank.Balance) (bool, error) {
	t := kv.Txn{If: make([]kv.Condition, len(expect)), Then: make([]kv.TxnOp, len(store))}
	for i, b := range expect {
		t.If[i] = kv.Condition{Key: b.Key, Value: kv.Value(b.Value)}
	}
	for i, b := range store {
		t.Then[i] = kv.TxnOp{Op: kv.OpPut, Key: b.Key, Value: b.Value.Data}
	}
	r, err := c.kv.Txn(ctx, t)
	return r.Held, errorOf(err)
}

// Position is the index of the last log entry that the node's own state holds.
func (c client) Position(ctx context.Context) (uint64, error) {
	at, err := c.kv.Applied(ctx)
	return at, errorOf(err)
}

// Digest sums up the node's own state: keys, lists, locks, sessions and their answers.
func (c client) Digest(ctx context.Context, at uint64) (systems.Digest, error) {
	sum, err := c.kv.Digest(ctx, at)
	return systems.Digest{Sum: fmt.Sprintf("%016x", sum)}, errorOf(err)
}

func (c client) Close() error { return c.kv.Close() }

// errorOf says in this package's terms what an error of the client means.
func errorOf(err error) error {
	if err == nil {
		return nil
	}
	var e *kv.Error
	lost := errors.As(err, &e) && (e.Code == kv.CodeConnLost || e.Code == kv.CodeNotSent)
	forgotten := errors.As(err, &e) && (e.Code == kv.CodeNoSession || e.Code == kv.CodeForgotten)
	return &systems.Error{Certain: kv.Certain(err), Lost: lost, Forgotten: forgotten, Err: err}
}
