package kv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// in is a command of a session.
func in(session, number, answered uint64, raw []byte) []byte {
	return append(appendSession(nil, session, number, answered), raw...)
}

// register registers a session.
func (s *script) register() uint64 {
	s.t.Helper()
	id, err := decodeID(Some(s.ok([]byte{byte(OpRegister)})))
	if err != nil || id != s.i {
		s.t.Fatalf("session %d at index %d, %v", id, s.i, err)
	}
	return id
}

func TestCommandsOfASessionAreAppliedOnce(t *testing.T) {
	s := newScript(t)
	a, b := s.register(), s.register()
	for range 3 {
		s.ok(in(a, 1, 1, appendTo("l", "a1")))
		s.ok(in(b, 1, 1, appendTo("l", "b1")))
	}
	s.ok(in(a, 3, 1, appendTo("l", "a3"))) // before 2
	s.ok(in(a, 2, 1, appendTo("l", "a2")))
	s.ok(in(a, 3, 1, appendTo("l", "a3")))
	if got := fmt.Sprint(s.elements("l")); got != "[a1 b1 a3 a2]" {
		t.Errorf("the list is %s", got)
	}
	// The answer is that of then, not of now, whatever kind it is.
	s.ok(put("k", "1"))
	swap := in(a, 4, 1, appendCommand(nil, OpCAS, "k", Some("2"), "3"))
	for range 2 {
		if r := s.do(swap); r != (response{status: statusCompareFailed, value: Some("1")}) {
			t.Errorf("compare-and-set: %+v", r)
		}
		s.ok(put("k", "2"))
	}
	wrong := in(a, 5, 1, put("l", "v"))
	if r := s.do(wrong); r.code != CodeWrongKind {
		t.Errorf("wrong kind: %+v", r)
	}
	s.ok(del("l"))
	if r := s.do(wrong); r.code != CodeWrongKind || r.status != statusFailed {
		t.Errorf("wrong kind, again: %+v", r)
	}
	first := s.do(append(appendTime(nil, 5), in(a, 6, 1, appendLock(nil, OpAcquire, "lock", "me", 0, 10))...))
	again := s.do(append(appendTime(nil, 50), in(a, 6, 1, appendLock(nil, OpAcquire, "lock", "me", 0, 10))...))
	if first.status != statusOK || first != again {
		t.Errorf("a lock: %+v, again: %+v", first, again)
	}
}

func TestForgottenCommandsAreNotApplied(t *testing.T) {
	s := newScript(t)
	id := s.register()
	refuse := func(code Code, raw []byte) {
		t.Helper()
		keys := s.m.Stats().Keys
		if r := s.do(raw); r.status != statusFailed || r.code != code || s.m.Stats().Keys != keys {
			t.Errorf("%+v, want %q and nothing applied", r, code)
		}
	}
	refuse(CodeNoSession, in(id+1, 1, 1, put("new", "v")))
	s.ok(in(id, 3, 3, put("k", "v"))) // the client has 1 and 2 behind it
	refuse(CodeForgotten, in(id, 2, 1, put("new", "v")))
	s.ok(in(id, 3, 3, put("k", "v")))
	for n := uint64(10); n < 10+MaxAnswers; n++ { // as many answers as are kept
		s.ok(in(id, n, 3, put("k", "v")))
	}
	refuse(CodeForgotten, in(id, 3, 3, put("new", "v")))
	s.ok(in(id, 10, 3, put("k", "v")))
	s.ok(in(id, 9, 3, put("k", "v")))
	refuse(CodeForgotten, in(id, 9, 3, put("new", "v"))) // there was no room for its answer
}

func TestAnswerBytesAreBounded(t *testing.T) {
	s := newScript(t)
	s.ok(put("big", strings.Repeat("x", MaxValue)))
	big := appendCommand(nil, OpCAS, "big", Absent(), "")
	var ids []uint64
	for range MaxAnswerBytes/MaxSessionBytes + 2 {
		id := s.register()
		ids = append(ids, id)
		for n := range uint64(MaxSessionBytes/MaxValue + 3) {
			s.do(in(id, n+1, 1, big))
		}
	}
	if got := s.m.sessions.bytes; got > MaxAnswerBytes || got < MaxAnswerBytes/2 {
		t.Errorf("%d bytes of answers are kept", got)
	}
	for i, id := range ids {
		kept := s.m.sessions.all[id]
		if (kept == nil) != (i < 2) && kept == nil {
			t.Errorf("session %d of %d was ended", i, len(ids))
		}
		if kept != nil && kept.bytes > MaxSessionBytes {
			t.Errorf("%d bytes are kept of a session", kept.bytes)
		}
	}
}

func TestSessionsEndInTheOrderOfUse(t *testing.T) {
	s := newScript(t)
	var ids []uint64
	for range MaxSessions {
		ids = append(ids, s.register())
	}
	s.ok(in(ids[0], 1, 1, put("k", "v")))
	s.ok(in(ids[2], 1, 1, put("k", "v")))
	s.register()
	s.register()
	for i, id := range ids {
		_, there := s.m.sessions.all[id]
		if want := i != 1 && i != 3; there != want {
			t.Errorf("session %d: there is %v", i, there)
		}
	}
	s.fails(CodeNoSession, in(ids[1], 1, 1, put("k", "v")))
}

func TestSessionClient(t *testing.T) {
	ctx := context.Background()
	server, err := StartStandalone("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	one, two := dialServer(t, server.Addr(), time.Minute), dialServer(t, server.Addr(), time.Minute)
	session, err := one.Register(ctx)
	if err != nil || session.ID() == 0 {
		t.Fatal(err)
	}
	once := session.Begin()
	for range 3 {
		for _, c := range []*Client{one, two} {
			if err := c.With(once).Append(ctx, "l", "a"); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantError(t, one.With(once).Append(ctx, "l", "b"), CodeReused, true)
	if got, _, err := one.With(once).List(ctx, "l"); err != nil || len(got) != 1 {
		t.Errorf("the list is %q, %v", got, err)
	}
	once.End()
	late := session.Begin()
	if late.Number() != 2 || one.With(late).Append(ctx, "l", "b") != nil {
		t.Fatal("the second command")
	}
	wantError(t, two.With(once).Append(ctx, "l", "a"), CodeForgotten, true)
	unknown := &Session{id: 1 << 40, next: 1}
	wantError(t, one.With(unknown.Begin()).Put(ctx, "k", "v"), CodeNoSession, true)
}

// TestDoubtStays: once an attempt has an unknown outcome, a later one that
// certainly had no effect does not make it certain.
func TestDoubtStays(t *testing.T) {
	answers := []response{noEffect(CodeBusy, ""), uncertain(OpPut, CodeLeaderLost, ""), noEffect(CodeBusy, ""),
		noEffect(CodeNoSession, ""), noEffect(CodeForgotten, ""), noEffect(CodeWrongKind, "")}
	addr := scripted(t, func(conn net.Conn) {
		br := bufio.NewReader(conn)
		for i := range answers {
			id, _, err := readRequest(br)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write(endFrame(appendResponse(beginFrame(nil, id), &answers[i]), 0))
		}
	})
	c := dialServer(t, addr, time.Minute)
	once := (&Session{id: 1, next: 1}).Begin()
	for i, certain := range []bool{true, false, false, false, false, true} {
		wantError(t, c.With(once).Put(context.Background(), "k", "v"), answers[i].code, certain)
	}
}

func TestRetry(t *testing.T) {
	server, err := StartStandalone("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	// It loses each connection with a request sent and no answer given.
	losing := func() string {
		return scripted(t, func(conn net.Conn) { _, _, _ = readRequest(bufio.NewReader(conn)) })
	}
	good := dialServer(t, server.Addr(), time.Minute)
	session, err := good.Register(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := func(ctx context.Context, attempt int) (*Client, error) {
		switch attempt {
		case 0:
			return nil, errors.New("nobody there")
		case 1, 2:
			return dialServer(t, losing(), time.Minute), nil
		}
		return good, nil
	}
	attempts := 0
	err = session.Retry(t.Context(), client, func(ctx context.Context, c *Client) error {
		attempts++
		return c.Append(ctx, "l", "a")
	})
	if got, _, lerr := good.List(t.Context(), "l"); err != nil || lerr != nil || attempts != 3 || len(got) != 1 {
		t.Errorf("%v after %d attempts; the list is %q, %v", err, attempts, got, lerr)
	}
	ended := &Session{id: 1 << 40, next: 1}
	err = ended.Retry(t.Context(), client, func(ctx context.Context, c *Client) error { return c.Append(ctx, "l", "b") })
	wantError(t, err, CodeNoSession, false) // the attempts before may have been of a session that was there
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err = session.Retry(ctx, func(context.Context, int) (*Client, error) { return nil, errors.New("nobody there") },
		func(context.Context, *Client) error { return nil })
	wantError(t, err, CodeNotSent, true)
	if open := len(session.open) + len(ended.open); open != 0 {
		t.Errorf("%d commands are still open", open)
	}
}

func TestLocksAndTransactionsClient(t *testing.T) {
	ctx := t.Context()
	server, err := StartStandalone("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c := dialServer(t, server.Addr(), time.Minute)
	token, holder, err := c.Acquire(ctx, "lock", "x", 0)
	if err != nil || token != 1 || holder != (Holder{}) {
		t.Errorf("acquire: %d, %+v, %v", token, holder, err)
	}
	if token, holder, err := c.Acquire(ctx, "lock", "y", time.Hour); err != nil || token != 0 || holder != (Holder{"x", 1, 0}) {
		t.Errorf("acquire what is held: %d, %+v, %v", token, holder, err)
	}
	if alive, holder, err := c.KeepAlive(ctx, "lock", "x", 1, time.Hour); err != nil || !alive || holder != (Holder{}) {
		t.Errorf("keep-alive: %v, %+v, %v", alive, holder, err)
	}
	if released, holder, err := c.Release(ctx, "lock", "y", 1); err != nil || released || holder.Owner != "x" || holder.Left > time.Hour || holder.Left <= 0 {
		t.Errorf("release by another: %v, %+v, %v", released, holder, err)
	}
	if released, holder, err := c.Release(ctx, "lock", "x", 1); err != nil || !released || holder != (Holder{}) {
		t.Errorf("release: %v, %+v, %v", released, holder, err)
	}
	token, _, err = c.Acquire(ctx, "lock", "y", time.Nanosecond)
	if err != nil || token != 2 {
		t.Errorf("acquire anew: %d, %v", token, err)
	}
	eventually(t, "the lease ends", func() bool {
		token, _, err := c.Acquire(ctx, "lock", "z", time.Hour)
		return err == nil && token == 3
	})
	_, _, err = c.Acquire(ctx, strings.Repeat("x", MaxName+1), "x", 0)
	wantError(t, err, CodeTooLarge, true)
	_, _, err = c.Acquire(ctx, "lock", "x", -1)
	wantError(t, err, CodeTooLarge, true)

	res, err := c.Txn(ctx, Txn{If: []Condition{{Key: "s"}}, Then: []TxnOp{{Op: OpPut, Key: "s", Value: "1"}, {Op: OpAppend, Key: "l", Value: "a"}}})
	if err != nil || !res.Held || len(res.Results) != 2 {
		t.Errorf("transaction: %+v, %v", res, err)
	}
	res, err = c.Txn(ctx, Txn{If: []Condition{{Key: "s"}}, Else: []TxnOp{{Op: OpGet, Key: "s"}, {Op: OpList, Key: "l"}}})
	if err != nil || res.Held || len(res.Results) != 2 || res.Results[0].Value != Some("1") || len(res.Results[1].List) != 1 {
		t.Errorf("read-only transaction: %+v, %v", res, err)
	}
	_, err = c.Txn(ctx, Txn{Then: []TxnOp{{Op: OpPut, Key: "s", Value: "2"}, {Op: OpList, Key: "s"}}})
	wantError(t, err, CodeWrongKind, true)
	_, err = c.Txn(ctx, Txn{Then: []TxnOp{{Op: OpPut, Value: strings.Repeat("v", MaxValue)}, {Op: OpPut, Value: strings.Repeat("v", MaxValue)}}})
	wantError(t, err, CodeTooLarge, true)
	if v, _, err := c.Get(ctx, "s"); err != nil || v != "1" {
		t.Errorf("after a failed transaction: %q, %v", v, err)
	}
}
