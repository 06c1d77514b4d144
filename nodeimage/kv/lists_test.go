package kv

import (
	"slices"
	"strings"
	"testing"
)

// script is a machine that is given one command after another.
type script struct {
	t *testing.T
	m *Machine
	i uint64
}

func newScript(t *testing.T) *script { return &script{t: t, m: NewMachine()} }

// do applies a command, or answers a read.
func (s *script) do(raw []byte) response {
	s.t.Helper()
	s.i++
	if c, err := decodeCommand(raw); err == nil && c.op.Reads() {
		return s.m.Query(&c)
	}
	return s.m.Apply(s.i, raw).(response)
}

// ok applies a command that has to go well.
func (s *script) ok(raw []byte) string {
	s.t.Helper()
	r := s.do(raw)
	if r.status != statusOK {
		s.t.Fatalf("% x: %+v", raw, r)
	}
	return r.value.Data
}

// fails applies a command that has to fail, and to change nothing.
func (s *script) fails(code Code, raw []byte) {
	s.t.Helper()
	before := s.m.Hash()
	if r := s.do(raw); r.status != statusFailed || r.code != code {
		s.t.Fatalf("% x: %+v, want it to fail with %q", raw[:min(len(raw), 64)], r, code)
	}
	if s.m.Hash() != before {
		s.t.Fatalf("% x failed and changed the state", raw[:min(len(raw), 64)])
	}
}

func appendTo(key, element string) []byte { return appendCommand(nil, OpAppend, key, Value{}, element) }
func put(key, value string) []byte        { return appendCommand(nil, OpPut, key, Value{}, value) }
func get(key string) []byte               { return appendCommand(nil, OpGet, key, Value{}, "") }
func listed(key string) []byte            { return appendCommand(nil, OpList, key, Value{}, "") }
func del(key string) []byte               { return appendCommand(nil, OpDelete, key, Value{}, "") }

// elements is what a list holds.
func (s *script) elements(key string) []string {
	s.t.Helper()
	elements, err := decodeList(s.ok(listed(key)))
	if err != nil {
		s.t.Fatal(err)
	}
	return elements
}

func TestListsAndStrings(t *testing.T) {
	s := newScript(t)
	if r := s.do(listed("l")); r != (response{status: statusOK}) {
		t.Errorf("a list that does not exist: %+v", r)
	}
	want := []string{"a", "", "\x00\xff", strings.Repeat("x", MaxElement)}
	for _, element := range want {
		s.ok(appendTo("l", element))
	}
	if got := s.elements("l"); !slices.Equal(got, want) {
		t.Errorf("the list holds %d elements, want %d", len(got), len(want))
	}
	s.ok(put("s", "v"))
	s.fails(CodeWrongKind, appendTo("s", "a"))
	s.fails(CodeWrongKind, listed("s"))
	s.fails(CodeWrongKind, get("l"))
	s.fails(CodeWrongKind, put("l", "v"))
	s.fails(CodeWrongKind, appendCommand(nil, OpCAS, "l", Absent(), "v"))
	s.fails(CodeWrongKind, appendCommand(nil, OpCAS, "l", Some(""), "v"))
	s.ok(del("l"))
	s.ok(put("l", "v"))
	s.ok(del("l"))
	s.ok(appendTo("l", "new"))
	if got := s.elements("l"); !slices.Equal(got, []string{"new"}) {
		t.Errorf("after a delete the list holds %q", got)
	}
}

func TestListBound(t *testing.T) {
	s := newScript(t)
	element := strings.Repeat("x", MaxElement-3)
	for range MaxList / MaxElement {
		s.ok(appendTo("l", element))
	}
	if held := s.m.Stats(); held.Bytes != 1+MaxList {
		t.Fatalf("%d bytes, want the list to be full", held.Bytes)
	}
	s.fails(CodeTooLarge, appendTo("l", ""))
	if got := s.elements("l"); len(got) != MaxList/MaxElement {
		t.Errorf("the list has %d elements", len(got))
	}
}

// TestListsAreNotSharedForward has lists grow from a state that a snapshot, an
// answer and an undone transaction still look at.
func TestListsAreNotSharedForward(t *testing.T) {
	s := newScript(t)
	for range 5 { // so that there is room behind the last one
		s.ok(appendTo("l", "old"))
	}
	before := s.do(listed("l"))
	s.fails(CodeWrongKind, appendTxn(nil, OpTxn, &Txn{Then: []TxnOp{
		{Op: OpAppend, Key: "l", Value: "undone"}, {Op: OpPut, Key: "l", Value: "no"}}}))
	s.ok(appendTo("l", "new"))
	if elements, err := decodeList(before.value.Data); err != nil || len(elements) != 5 || elements[4] != "old" {
		t.Errorf("an earlier answer became %q, %v", elements, err)
	}
	if got := s.elements("l"); !slices.Equal(got, []string{"old", "old", "old", "old", "old", "new"}) {
		t.Errorf("the list is %q", got)
	}
}
