package custom

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"squall/history"
	"squall/history/objects"
	"squall/workloads/listappend"
	"squall/workloads/lock"
	"squall/workloads/register"
	"squall/workloads/set"
	"squall/workloads/systems"
)

// The functions of clients, as a description names them.
const (
	fnRead, fnWrite, fnCAS, fnCreate, fnDelete = "read", "write", "cas", "create", "delete"
	fnAdd, fnElements                          = "add", "elements"
	fnAppend, fnList                           = "append", "list"
	fnAcquire, fnRelease                       = "acquire", "release"
	fnTransact                                 = "transactions" // of several operations of append and list
)

// store is what a description says of a client: over HTTP, or in the protocol of Redis.
type store interface {
	// can reports whether the store has a function.
	can(function string) bool
	// takes reports whether the description lets it take a workload.
	takes(workload string) bool
	// at is the port of every node.
	at() string
	// open connects to a node, with these variables.
	open(ctx context.Context, addr, port string, base vars) (backend, error)
}

// backend carries out functions on one node.
type backend interface {
	store
	// call carries out a function, once. The error is read with systems.Certain.
	call(ctx context.Context, function string, v vars) (reply, error)
	// transact carries out several operations on lists, all at one moment, where can
	// says that it can do transactions.
	transact(ctx context.Context, ops []listappend.Op) ([][]string, error)
	// leader asks the node who leads, and returns what was found.
	leader(ctx context.Context) (history.Value, error)
	close()
}

// reply is an answer that was understood.
type reply struct {
	refused bool
	value   func() (history.Value, error) // what was asked for; of an answer that refuses, what it found
	list    func() ([]string, error)
	tells   bool // it refuses, and says what it found
}

// client is a connection to a node, for the workloads whose functions the store has.
type client struct{ backend }

var (
	_ systems.Selective = client{}
	_ systems.Lacking   = client{}
	_ register.Client   = client{}
	_ set.Client        = client{}
	_ listappend.Client = client{}
	_ lock.Client       = client{}
)

// needed are the functions without which a store cannot serve a workload.
func needed() map[string][]string {
	return map[string][]string{
		"register": {fnRead, fnWrite},
		"set":      {fnAdd, fnElements},
		"append":   {fnAppend, fnList},
		"lock":     {fnAcquire, fnRelease},
	}
}

// Serves reports whether the store has the functions of a workload.
func (c client) Serves(workload string) bool {
	functions, known := needed()[workload]
	known = known && c.takes(workload)
	for _, f := range functions {
		known = known && c.can(f)
	}
	return known
}

// Lacks are functions of a workload that the store does not have, and the workload can
// do without.
func (c client) Lacks(workload string) []history.Func {
	switch {
	case workload == "register" && !c.can(fnCAS):
		return []history.Func{history.CAS}
	case workload == "append" && !c.can(fnTransact):
		return []history.Func{objects.Txn}
	}
	return nil
}

// Close ends the connection.
func (c client) Close() error {
	c.close()
	return nil
}

// incomprehensible is an answer that says that all went well, and does not hold what it
// must.
func incomprehensible(function string, err error) error {
	return &systems.Error{Err: fmt.Errorf("the answer to %s: %w", function, err)}
}

// Read is the function read.
func (c client) Read(ctx context.Context, key string) (history.Value, error) {
	r, err := c.call(ctx, fnRead, vars{"key": key})
	if err != nil {
		return history.None, err
	}
	value, err := r.value()
	if err != nil {
		return history.None, incomprehensible(fnRead, err)
	}
	return value, nil
}

// Write is the function write.
func (c client) Write(ctx context.Context, key string, value history.Value) error {
	if !value.Present {
		return c.Delete(ctx, key)
	}
	_, err := c.call(ctx, fnWrite, vars{"key": key, "value": value.Data})
	return err
}

// Delete is the function delete.
func (c client) Delete(ctx context.Context, key string) error {
	if !c.can(fnDelete) {
		return missing(fnDelete)
	}
	_, err := c.call(ctx, fnDelete, vars{"key": key})
	return err
}

func missing(function string) error {
	return &systems.Error{Certain: true, Err: fmt.Errorf("the client's description has no function %s", function)}
}

// CAS is the function cas, or create where nothing is expected. One that was refused,
// by a store that does not say what it found, has failed for certain.
func (c client) CAS(ctx context.Context, key string, expect, value history.Value) (bool, history.Value, error) {
	function, v := fnCAS, vars{"key": key, "value": value.Data}
	switch {
	case expect.Present:
		v["expect"] = expect.Data
	case c.can(fnCreate):
		function = fnCreate
	}
	if !c.can(function) {
		return false, history.None, missing(function)
	}
	r, err := c.call(ctx, function, v)
	switch {
	case err != nil:
		return false, history.None, err
	case !r.refused:
		return true, history.None, nil
	case !r.tells:
		return false, history.None, &systems.Error{Certain: true, Err: errors.New("refused: the key holds something else")}
	}
	found, err := r.value()
	if err != nil {
		return false, history.None, &systems.Error{Certain: true, Err: fmt.Errorf("refused, and what it found cannot be read: %w", err)}
	}
	return false, found, nil
}

// Add is the function add.
func (c client) Add(ctx context.Context, key, element string) error {
	_, err := c.call(ctx, fnAdd, vars{"key": key, "element": element})
	return err
}

// Elements is the function elements.
func (c client) Elements(ctx context.Context, key string) ([]string, error) {
	return c.listOf(ctx, fnElements, key)
}

func (c client) listOf(ctx context.Context, function, key string) ([]string, error) {
	r, err := c.call(ctx, function, vars{"key": key})
	if err != nil {
		return nil, err
	}
	list, err := r.list()
	if err != nil {
		return nil, incomprehensible(function, err)
	}
	return list, nil
}

// Transact is the function append, or list, or several of them at one moment.
func (c client) Transact(ctx context.Context, ops []listappend.Op) ([][]string, error) {
	switch {
	case len(ops) != 1 && c.can(fnTransact):
		return c.transact(ctx, ops)
	case len(ops) != 1:
		return nil, &systems.Error{Certain: true, Err: errors.New("the client's description has no transactions of several operations")}
	}
	if op := ops[0]; op.Append {
		_, err := c.call(ctx, fnAppend, vars{"key": op.Key, "element": op.Element})
		return [][]string{nil}, err
	}
	list, err := c.listOf(ctx, fnList, ops[0].Key)
	return [][]string{list}, err
}

// Acquire is the function acquire.
func (c client) Acquire(ctx context.Context, key, owner string) (uint64, string, error) {
	r, err := c.call(ctx, fnAcquire, vars{"key": key, "owner": owner})
	switch {
	case err != nil:
		return 0, "", err
	case r.refused && !r.tells:
		return 0, "", &systems.Error{Certain: true, Err: errors.New("refused: the lock is held")}
	}
	value, err := r.value()
	if err != nil {
		return 0, "", incomprehensible(fnAcquire, err)
	}
	if r.refused {
		return 0, value.Data, nil
	}
	token, err := strconv.ParseUint(value.Data, 10, 64)
	if err != nil || token == 0 {
		return 0, "", incomprehensible(fnAcquire, fmt.Errorf("%.60q is no fencing token, a whole number above 0", value.Data))
	}
	return token, "", nil
}

// Release is the function release.
func (c client) Release(ctx context.Context, key, owner string, token uint64) (bool, error) {
	r, err := c.call(ctx, fnRelease, vars{"key": key, "owner": owner, "token": strconv.FormatUint(token, 10)})
	return err == nil && !r.refused, err
}

// leaderClient is a client of a store of which it is known how to find out who leads.
type leaderClient struct {
	client
	is    string
	names map[string]string // what a node may be called, to its name
	node  string            // that is asked
}

var _ systems.LeaderTeller = leaderClient{}

// Leader asks the node who leads.
func (c leaderClient) Leader(ctx context.Context) (string, error) {
	found, err := c.leader(ctx)
	switch {
	case err != nil || !found.Present:
		return "", err
	case c.is == "":
		return c.names[found.Data], nil
	case found.Data == c.is:
		return c.node, nil
	}
	return "", nil
}
