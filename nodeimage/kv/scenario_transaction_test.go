package kv

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"squall/nodeimage/mutants/scenario"
)

var _ = scenarios.Add(scenario.Set{
	"early-txn-reads": transactionReadsAtItsPlace,
	"last-condition":  transactionWantsAllConditions,
})

// transactionWantsAllConditions has a transaction with a condition that does not hold,
// wherever that stands among others.
func transactionWantsAllConditions(t *testing.T) {
	solo, state := answering(1)
	nodes := startFakes(t, []consensus{&fakeNode{leader: 1, read: solo.read, propose: solo.propose}}, []*Machine{state}, nil)
	c := dialServer(t, nodes[0].ClientAddr(), time.Minute)
	for _, key := range []string{"a", "b"} {
		if err := c.Put(t.Context(), key, "1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, wrong := range []int{0, 1} {
		conditions := []Condition{{Key: "a", Value: Some("1")}, {Key: "b", Value: Some("1")}}
		conditions[wrong].Value = Some("2")
		res, err := c.Txn(t.Context(), Txn{If: conditions, Then: []TxnOp{{Op: OpPut, Key: "c", Value: "1"}}})
		if _, found, got := c.Get(t.Context(), "c"); err != nil || got != nil || res.Held || found {
			t.Errorf("condition %d does not hold, and the transaction was carried out: %+v, %v, %v", wrong+1, res, err, got)
		}
	}
}

// transactionReadsAtItsPlace holds a transaction back that is on its way to
// the log, and lets a write go first: what the transaction reads, that write
// has to be in.
func transactionReadsAtItsPlace(t *testing.T) {
	solo, state := answering(1)
	held := make(chan func(), 1)
	node := &fakeNode{leader: 1, read: solo.read, propose: func(command []byte, done func(any, error)) {
		if Op(command[0]) == OpTxn {
			held <- func() { solo.propose(command, done) }
			return
		}
		solo.propose(command, done)
	}}
	nodes := startFakes(t, []consensus{node}, []*Machine{state}, nil)
	c := dialServer(t, nodes[0].ClientAddr(), time.Minute)
	write := func(value string) {
		t.Helper()
		res, err := c.Txn(t.Context(), Txn{Then: []TxnOp{{Op: OpGet, Key: "a"}}}) // it only reads: nothing is held
		if err != nil || !res.Held {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b"} {
			if err := c.Put(t.Context(), key, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Append(t.Context(), "l", value); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	result := make(chan error, 1)
	go func() {
		res, err := c.Txn(context.Background(), Txn{If: []Condition{{Key: "a", Value: Some("2")}}, Then: []TxnOp{
			{Op: OpGet, Key: "b"}, {Op: OpAppend, Key: "l", Value: "mine"}, {Op: OpList, Key: "l"}}})
		switch {
		case err != nil:
		case !res.Held || len(res.Results) != 3:
			err = fmt.Errorf("it has not seen the write to a: %+v", res)
		case res.Results[0].Value != Some("2"):
			err = fmt.Errorf("it has read b as %+v", res.Results[0].Value)
		case !slices.Equal(res.Results[2].List, []string{"1", "2", "mine"}):
			err = fmt.Errorf("it has read l as %q", res.Results[2].List)
		}
		result <- err
	}()
	proceed := await(t, held, "the transaction")
	write("2")
	proceed()
	if err := <-result; err != nil {
		t.Error(err)
	}
}
