package custom

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"squall/history"
	"squall/internal/declare"
	"squall/internal/machinetest"
	"squall/workloads/systems"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

// described is a store over HTTP at that port, which change may describe further.
func described(port int, change func(d *Definition)) *Definition {
	d := &Definition{
		Name:   "store",
		Server: Server{Command: []string{"/opt/store"}, Ports: map[string]int{"client": port}},
		Client: Client{HTTP: &HTTP{Functions: HTTPFunctions{
			Read:  &HTTPCall{Request: "GET /${key}", Absent: Matches{{Status: Statuses{"404"}}}},
			Write: &HTTPCall{Request: "PUT /${key}", Body: "${value}", Fail: Matches{{Status: Statuses{"400"}}}},
			CAS: &HTTPCall{Request: "POST /${key}?expect=${expect}", Body: "${value}",
				Refused: Matches{{Status: Statuses{"409"}}}, Found: &Place{Header: "Holds"}},
		}}},
	}
	if change != nil {
		change(d)
	}
	return d
}

var localhost = systems.Node{ID: 1, Name: "n1", Addr: netip.MustParseAddr("127.0.0.1")}

// connect dials a server in this process.
func connect(t *testing.T, d *Definition, args declare.Args) client {
	t.Helper()
	s, err := New(d, Run{Args: args})
	if err != nil {
		t.Fatal(err)
	}
	dial, ok := systems.As[systems.Dialer](s)
	if !ok {
		t.Fatal("the system makes no clients")
	}
	c, err := dial.Dial(t.Context(), localhost)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(client)
}

// serve is a server in this process, and its port.
func serve(t *testing.T, handler http.HandlerFunc) int {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return portOf(s.Listener.Addr())
}

func portOf(addr net.Addr) int { return addr.(*net.TCPAddr).Port }

func TestARegisterOverHTTP(t *testing.T) {
	held, mu := map[string]string{}, sync.Mutex{}
	port := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		value, there := held[r.URL.Path]
		switch {
		case r.Method == http.MethodGet && !there:
			http.NotFound(w, r)
		case r.Method == http.MethodGet:
			fmt.Fprintln(w, value)
		case r.Method == http.MethodPost && value != r.URL.Query().Get("expect"):
			w.Header().Set("Holds", value)
			w.WriteHeader(http.StatusConflict)
		default:
			held[r.URL.Path] = string(body)
		}
	})
	c, ctx := connect(t, described(port, nil), nil), t.Context()
	// A key that needs escaping must reach the server as it is.
	const key = "a/b? &c"
	if v, err := c.Read(ctx, key); err != nil || v.Present {
		t.Errorf("of nothing: %v, %v", v, err)
	}
	if err := c.Write(ctx, key, history.Some("1 &2")); err != nil {
		t.Error(err)
	}
	if v, err := c.Read(ctx, key); err != nil || v != history.Some("1 &2") {
		t.Errorf("read %v, %v", v, err)
	}
	if done, _, err := c.CAS(ctx, key, history.Some("1 &2"), history.Some("3")); err != nil || !done {
		t.Errorf("cas: %v, %v", done, err)
	}
	if done, found, err := c.CAS(ctx, key, history.Some("1 &2"), history.Some("4")); err != nil || done || found != history.Some("3") {
		t.Errorf("cas that expects what is gone: %v, found %v, %v", done, found, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if held["/"+key] != "3" || len(held) != 1 {
		t.Errorf("the server holds %v", held)
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	type said struct {
		status int
		body   string
	}
	var now atomic.Pointer[said]
	port := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(now.Load().status)
		io.WriteString(w, now.Load().body)
	})
	d := described(port, func(d *Definition) {
		d.Client.HTTP.Functions.Write.Fail = Matches{{Status: Statuses{"4xx"}}, {Status: Statuses{"500"}, Body: "no leader"}}
		d.Client.HTTP.Functions.Read.Value = &Place{JSON: "a.b"}
		d.Client.HTTP.MaxBody = 1
		d.Client.HTTP.Functions.Add = &HTTPCall{Request: "POST /${key}", Body: "${element}", Done: Matches{{JSON: "ok", Is: "true"}}}
		d.Client.HTTP.Functions.Elements = &HTTPCall{Request: "GET /${key}", Value: &Place{JSON: "items"}}
	})
	c, ctx := connect(t, d, nil), t.Context()
	write := func() error { return c.Write(ctx, "k", history.Some("1")) }
	add := func() error { return c.Add(ctx, "k", "1") }
	read := func() error { _, err := c.Read(ctx, "k"); return err }
	elements := func() error { _, err := c.Elements(ctx, "k"); return err }
	for _, tt := range []struct {
		do      func() error
		status  int
		body    string
		certain bool
		says    string // "": it succeeds
	}{
		{write, 201, "", false, ""},
		{write, 204, "", false, ""},
		{write, 403, "no", true, "403 Forbidden"},
		{write, 500, "there is no leader", true, "no leader"},
		{write, 500, "disk full", false, "disk full"},
		{write, 202, "", false, "202 Accepted"},
		{write, 302, "", false, "302 Found"},
		{write, 200, strings.Repeat("x", 1025), false, "longer than 1 KiB"},
		{add, 200, `{"ok":true}`, false, ""},
		{add, 200, `{"ok":false}`, false, "200 OK"},
		{add, 200, `ok`, false, "200 OK"},
		{read, 200, `{"a":{"b":"1"}}`, false, ""},
		{read, 200, `{"a":{"b":7}}`, false, ""},
		{read, 200, `{"a":[]}`, false, ""}, // nothing stands there: the key holds nothing
		{read, 200, `{"a":{"b":[1]}}`, false, "it is an object or a list"},
		{read, 200, `<html>`, false, `the answer is not JSON: "<html>"`},
		{read, 200, `{}{}`, false, `more than one value`},
		{elements, 200, `{"items":["1",2]}`, false, ""},
		{elements, 200, `{"items":null}`, false, ""},
		{elements, 200, `{"items":"1"}`, false, "a list was expected"},
	} {
		now.Store(&said{tt.status, tt.body})
		err := tt.do()
		if tt.says == "" {
			if err != nil {
				t.Errorf("%d %.20s: %v", tt.status, tt.body, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.says) || systems.Certain(err) != tt.certain {
			t.Errorf("%d %.20s: %v, certain %v; want %q, certain %v", tt.status, tt.body, err, systems.Certain(err), tt.says, tt.certain)
		}
	}
}

func TestRedirectsAreAnAnswer(t *testing.T) {
	var asked journal
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { asked.note(r.URL.Path); io.WriteString(w, "5") })
	port := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:"+strconv.Itoa(other)+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	c := connect(t, described(port, nil), nil)
	if err := c.Write(t.Context(), "k", history.Some("1")); err == nil || systems.Certain(err) || len(asked.list()) != 0 {
		t.Errorf("%v; the other node was asked for %v, want an unknown outcome, and nothing", err, asked.list())
	}
	c = connect(t, described(port, func(d *Definition) { d.Client.HTTP.FollowRedirects = true }), nil)
	if err := c.Write(t.Context(), "k", history.Some("1")); err != nil || len(asked.list()) != 1 {
		t.Errorf("%v; the other node was asked for %v, want /k", err, asked.list())
	}
}

// journal is what a server was asked for, in order.
type journal struct {
	mu  sync.Mutex
	all []string
}

func (j *journal) note(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, what)
}

func (j *journal) list() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.all)
}

// raw is a server that speaks as it likes, on each connection, and counts requests.
func raw(t *testing.T, speak func(conn net.Conn, requests *bufio.Reader)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		var conns sync.WaitGroup
		defer conns.Wait()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				speak(conn, bufio.NewReader(conn))
			})
		}
	}()
	return portOf(l.Addr())
}

// TestNothingIsSentTwice: net/http's own client would send a GET again, over a
// connection of its own, when a node closes one that was used before.
func TestNothingIsSentTwice(t *testing.T) {
	var seen journal
	port := raw(t, func(conn net.Conn, requests *bufio.Reader) {
		for i := range 2 {
			r, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			seen.note(r.URL.Path)
			if i == 0 {
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n5")
			}
		}
	})
	c := connect(t, described(port, nil), nil)
	if _, err := c.Read(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(t.Context(), "b")
	if err == nil || systems.Certain(err) || !strings.Contains(err.Error(), "closed the connection") {
		t.Errorf("%v, want an unknown outcome", err)
	}
	if _, err := c.Read(t.Context(), "c"); err != nil {
		t.Errorf("over a new connection: %v", err)
	}
	c.Close()
	if want := []string{"/a", "/b", "/c"}; !slices.Equal(seen.list(), want) {
		t.Errorf("the node was asked for %v, want %v", seen.list(), want)
	}
}

// TestAnAnswerThatNobodyAskedFor is not taken for that to the next request.
func TestAnAnswerThatNobodyAskedFor(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
	said := make(chan struct{}, 1)
	port := raw(t, func(conn net.Conn, requests *bufio.Reader) {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		if r.URL.Path == "/a" {
			io.WriteString(conn, answer+"1")
			io.WriteString(conn, answer+"2")
			said <- struct{}{}
			http.ReadRequest(requests) // until the client closes it
			return
		}
		io.WriteString(conn, answer+"3")
	})
	c := connect(t, described(port, nil), nil)
	if v, err := c.Read(t.Context(), "a"); err != nil || v.Data != "1" {
		t.Fatal(v, err)
	}
	<-said
	if v, err := c.Read(t.Context(), "b"); err != nil || v.Data != "3" {
		t.Errorf("the answer to b is %v, %v; want 3", v, err)
	}
}

func TestWhatWasNeverSentHasFailed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, described(portOf(l.Addr()), nil), nil)
	w, err := c.backend.(*httpConn).main.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c.backend.(*httpConn).main.drop(w)
	err = c.Write(t.Context(), "k", history.Some("1"))
	if !systems.Certain(err) || !systems.Lost(err) {
		t.Errorf("%v: certain %v, lost %v; nobody listens", err, systems.Certain(err), systems.Lost(err))
	}
}

// TestAnOperationThatIsGivenUp returns, and its connection is not used again.
func TestAnOperationThatIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	port := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			cancel()
			<-r.Context().Done()
		}
		io.WriteString(w, "5")
	})
	c := connect(t, described(port, nil), nil)
	_, err := c.Read(ctx, "slow")
	if !errors.Is(err, context.Canceled) || systems.Certain(err) {
		t.Errorf("%v, want that the context ended", err)
	}
	if v, err := c.Read(t.Context(), "k"); err != nil || v.Data != "5" {
		t.Errorf("afterwards: %v, %v", v, err)
	}
}
