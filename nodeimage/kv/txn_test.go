package kv

import (
	"reflect"
	"strings"
	"testing"
)

// txn applies a transaction and returns what it led to.
func (s *script) txn(t Txn) TxnResult {
	s.t.Helper()
	op := OpTxn
	if t.readOnly() {
		op = OpReadTxn
	}
	r := s.do(appendTxn(nil, op, &t))
	if r.status != statusOK && r.status != statusCompareFailed {
		s.t.Fatalf("%+v: %+v", t, r)
	}
	results, err := decodeResults(r.value.Data)
	if err != nil {
		s.t.Fatal(err)
	}
	return TxnResult{Held: r.status == statusOK, Results: results}
}

func (s *script) wantTxn(t Txn, want TxnResult) {
	s.t.Helper()
	if got := s.txn(t); !reflect.DeepEqual(got, want) {
		s.t.Errorf("%+v:\ngot  %+v\nwant %+v", t, got, want)
	}
}

func TestTransactions(t *testing.T) {
	s := newScript(t)
	s.wantTxn(Txn{}, TxnResult{Held: true, Results: []OpResult{}})
	s.wantTxn(Txn{Then: []TxnOp{
		{Op: OpGet, Key: "s"}, {Op: OpPut, Key: "s", Value: "1"}, {Op: OpGet, Key: "s"},
		{Op: OpList, Key: "l"}, {Op: OpAppend, Key: "l", Value: "a"}, {Op: OpAppend, Key: "l"}, {Op: OpList, Key: "l"},
		{Op: OpDelete, Key: "s"}, {Op: OpGet, Key: "s"}, {Op: OpPut, Key: "s"}, {Op: OpGet, Key: "s"},
	}}, TxnResult{Held: true, Results: []OpResult{
		{}, {}, {Value: Some("1")},
		{}, {}, {}, {List: []string{"a", ""}},
		{}, {}, {}, {Value: Some("")},
	}})
	branches := Txn{Then: []TxnOp{{Op: OpAppend, Key: "log", Value: "then"}, {Op: OpGet, Key: "s"}},
		Else: []TxnOp{{Op: OpAppend, Key: "log", Value: "else"}}}
	for _, c := range []struct {
		name string
		cond []Condition
		held bool
	}{
		{"value", []Condition{{Key: "s", Value: Some("")}}, true},
		{"other value", []Condition{{Key: "s", Value: Some("1")}}, false},
		{"absent", []Condition{{Key: "none"}}, true},
		{"not absent", []Condition{{Key: "s"}}, false},
		{"a list is not absent", []Condition{{Key: "l"}}, false},
		{"empty is not absent", []Condition{{Key: "none", Value: Some("")}}, false},
		{"all", []Condition{{Key: "s", Value: Some("")}, {Key: "none"}}, true},
		{"not all", []Condition{{Key: "none"}, {Key: "s", Value: Some("x")}}, false},
	} {
		txn := branches
		txn.If = c.cond
		before := len(s.logged())
		got := s.txn(txn)
		after := s.logged()
		want, results := "then", 2
		if !c.held {
			want, results = "else", 1
		}
		if got.Held != c.held || len(got.Results) != results || len(after) != before+1 || after[before] != want {
			t.Errorf("%s: %+v, and the log is %q", c.name, got, after)
		}
	}
}

// logged is the list "log"; it may not exist.
func (s *script) logged() []string {
	s.t.Helper()
	elements, err := decodeList(s.ok(listed("log")))
	if err != nil {
		s.t.Fatal(err)
	}
	return elements
}

// TestTransactionFailsWhole has the last operation fail after every kind of
// change: nothing may be left of them.
func TestTransactionFailsWhole(t *testing.T) {
	s := newScript(t)
	s.ok(put("s", "1"))
	s.ok(appendTo("l", "a"))
	changes := []TxnOp{
		{Op: OpPut, Key: "s", Value: "2"}, {Op: OpDelete, Key: "s"}, {Op: OpPut, Key: "s", Value: "3"},
		{Op: OpPut, Key: "new", Value: "x"}, {Op: OpAppend, Key: "l", Value: "b"}, {Op: OpDelete, Key: "l"},
		{Op: OpPut, Key: "l", Value: "a string now"}, {Op: OpAppend, Key: "new list", Value: "x"},
	}
	for _, last := range []TxnOp{{Op: OpList, Key: "l"}, {Op: OpAppend, Key: "s", Value: "x"}, {Op: OpGet, Key: "new list"}} {
		s.fails(CodeWrongKind, appendTxn(nil, OpTxn, &Txn{Then: append(changes[:len(changes):len(changes)], last)}))
	}
	s.fails(CodeWrongKind, appendTxn(nil, OpTxn, &Txn{If: []Condition{{Key: "none"}, {Key: "l", Value: Some("")}}, Then: changes}))
	if got := s.m.Stats(); got.Keys != 2 || got.Bytes != 5 {
		t.Errorf("%+v", got)
	}
}

func TestTransactionAnswerBound(t *testing.T) {
	s := newScript(t)
	s.ok(put("big", strings.Repeat("x", MaxValue)))
	twice := Txn{Then: []TxnOp{{Op: OpPut, Key: "k", Value: "v"}, {Op: OpGet, Key: "big"}, {Op: OpGet, Key: "big"}}}
	s.fails(CodeTooLarge, appendTxn(nil, OpTxn, &twice))
	s.ok(put("big", strings.Repeat("x", MaxValue-100)))
	s.txn(twice)
}

func TestTransactionChecks(t *testing.T) {
	many := make([]TxnOp, MaxTxnItems+1)
	for i := range many {
		many[i] = TxnOp{Op: OpGet, Key: "k"}
	}
	for name, txn := range map[string]Txn{
		"too many operations": {Then: many},
		"too many in else":    {Else: many},
		"too many conditions": {If: make([]Condition, MaxTxnItems+1)},
		"long key":            {Then: []TxnOp{{Op: OpGet, Key: strings.Repeat("k", MaxKey+1)}}},
		"long key to compare": {If: []Condition{{Key: strings.Repeat("k", MaxKey+1)}}},
		"big value":           {Then: []TxnOp{{Op: OpPut, Value: strings.Repeat("k", MaxValue+1)}}},
		"big element":         {Then: []TxnOp{{Op: OpAppend, Value: strings.Repeat("k", MaxElement+1)}}},
		"compare-and-set":     {Then: []TxnOp{{Op: OpCAS}}},
		"within itself":       {Then: []TxnOp{{Op: OpTxn}}},
		"a lock":              {Else: []TxnOp{{Op: OpAcquire}}},
	} {
		if txn.check() == nil {
			t.Errorf("%s: the client lets it pass", name)
		}
		if _, err := decodeCommand(appendTxn(nil, OpTxn, &txn)); err == nil {
			t.Errorf("%s: the server lets it pass", name)
		}
	}
	writing := Txn{Then: []TxnOp{{Op: OpPut, Key: "k"}}}
	if _, err := decodeCommand(appendTxn(nil, OpReadTxn, &writing)); err == nil {
		t.Error("a read-only transaction that writes is let pass")
	}
}
