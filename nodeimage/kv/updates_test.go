package kv

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func added(key, n string) []byte         { return appendCommand(nil, OpAdd, key, Value{}, n) }
func popped(key string) []byte           { return appendCommand(nil, OpPop, key, Value{}, "") }
func removed(key, element string) []byte { return appendCommand(nil, OpRemove, key, Value{}, element) }
func (s *script) notSo(raw []byte) {
	s.t.Helper()
	before := s.m.Hash()
	if r := s.do(raw); r != (response{status: statusCompareFailed}) || s.m.Hash() != before {
		s.t.Fatalf("% x: %+v", raw, r)
	}
}

func TestAdd(t *testing.T) {
	s := newScript(t)
	for _, step := range []struct{ n, sum string }{{"5", "5"}, {"-7", "-2"}, {"0", "-2"}, {"9223372036854775807", "9223372036854775805"}} {
		if got := s.ok(added("n", step.n)); got != step.sum {
			t.Errorf("after an add of %s it is %s, want %s", step.n, got, step.sum)
		}
	}
	s.fails(CodeTooLarge, added("n", "3"))
	if got := s.ok(get("n")); got != "9223372036854775805" {
		t.Errorf("read as a string it is %q", got)
	}
	s.ok(put("n", "-9223372036854775808"))
	s.fails(CodeTooLarge, added("n", "-1"))
	s.fails(CodeWrongKind, added("n", "1.5"))
	s.fails(CodeWrongKind, added("n", ""))
	s.ok(put("s", "v"))
	s.fails(CodeWrongKind, added("s", "1"))
	s.ok(appendTo("l", "1"))
	s.fails(CodeWrongKind, added("l", "1"))
}

func TestPopAndRemove(t *testing.T) {
	s := newScript(t)
	if r := s.do(popped("l")); r != (response{status: statusOK}) {
		t.Errorf("a pop of a list that does not exist: %+v", r)
	}
	s.notSo(removed("l", "a"))
	for _, e := range []string{"a", "", "b", "a", "c"} {
		s.ok(appendTo("l", e))
	}
	if got := s.ok(popped("l")); got != "a" {
		t.Errorf("popped %q", got)
	}
	s.ok(removed("l", "b"))
	s.notSo(removed("l", "b"))
	s.ok(appendTo("l", "d"))
	if got := s.elements("l"); !slices.Equal(got, []string{"", "a", "c", "d"}) {
		t.Errorf("left are %q", got)
	}
	for _, want := range []string{"", "a", "c", "d"} {
		if got := s.ok(popped("l")); got != want {
			t.Errorf("popped %q, want %q", got, want)
		}
	}
	if held := s.m.Stats(); held.Keys != 0 || held.Bytes != 0 || s.m.Hash() != NewMachine().Hash() {
		t.Errorf("a list that lost its last element is there: %+v", held)
	}
	s.ok(put("s", "v"))
	s.fails(CodeWrongKind, popped("s"))
	s.fails(CodeWrongKind, removed("s", "v"))
}

// TestUpdatesAgainstSlices applies random updates to the machine and to a plain slice. An
// answer that was given before stays as it was.
func TestUpdatesAgainstSlices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, model := NewMachine(), []string(nil)
		elements := rapid.SampledFrom([]string{"", "a", "b", "cc"})
		for range rapid.IntRange(1, 40).Draw(t, "operations") {
			e := elements.Draw(t, "element")
			before, was := m.Query(&command{op: OpList, key: []byte("l")}), slices.Clone(model)
			switch rapid.IntRange(0, 3).Draw(t, "operation") {
			case 0, 1:
				m.Apply(1, appendTo("l", e))
				model = append(model, e)
			case 2:
				want := response{status: statusOK}
				if len(model) > 0 {
					want.value = Some(model[0])
					model = model[1:]
				}
				if got := m.Apply(1, popped("l")); got != want {
					t.Fatalf("pop: %+v, want %+v", got, want)
				}
			default:
				want := response{status: statusCompareFailed}
				if at := slices.Index(model, e); at >= 0 {
					model, want = slices.Delete(slices.Clone(model), at, at+1), response{status: statusOK}
				}
				if got := m.Apply(1, removed("l", e)); got != want {
					t.Fatalf("remove: %+v, want %+v", got, want)
				}
			}
			for answer, want := range map[Value][]string{m.Query(&command{op: OpList, key: []byte("l")}).value: model, before.value: was} {
				if got, err := decodeList(answer.Data); err != nil || !slices.Equal(got, want) {
					t.Fatalf("the list is %q, %v; want %q", got, err, want)
				}
			}
			if m.Digest() != m.Hash() {
				t.Fatalf("digest %x, hash %x", m.Digest(), m.Hash())
			}
		}
	})
}

// TestUpdatesOfClients goes through a server, and sends one command twice in a session.
func TestUpdatesOfClients(t *testing.T) {
	server, err := StartStandalone("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c, ctx := dialServer(t, server.Addr(), time.Minute), t.Context()
	for i := range 3 {
		if sum, err := c.Add(ctx, "n", 2); err != nil || sum != int64(2*i+2) {
			t.Fatalf("add: %d, %v", sum, err)
		}
		if err := c.Append(ctx, "l", strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	session, err := c.Register(ctx)
	if err != nil {
		t.Fatal(err)
	}
	once := session.Begin()
	for range 2 {
		if e, found, err := c.With(once).Pop(ctx, "l"); err != nil || !found || e != "0" {
			t.Errorf("pop: %q, %v, %v", e, found, err)
		}
	}
	got := ""
	for _, e := range []string{"0", "2"} {
		is, err := c.Remove(ctx, "l", e)
		got += fmt.Sprintf("%s %v %v;", e, is, err)
	}
	if left, _, err := c.List(ctx, "l"); got != "0 false <nil>;2 true <nil>;" || err != nil || !slices.Equal(left, []string{"1"}) {
		t.Errorf("remove: %s; left are %q, %v", got, left, err)
	}
	if _, found, err := c.Pop(ctx, "none"); found || err != nil {
		t.Errorf("pop of nothing: %v, %v", found, err)
	}
	_, err = c.Add(ctx, "l", 1)
	wantError(t, err, CodeWrongKind, true)
}
