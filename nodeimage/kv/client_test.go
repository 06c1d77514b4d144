package kv

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// scripted is a server that says hello to one client and then does as the test
// says.
func scripted(t *testing.T, script func(conn net.Conn)) (addr string) {
	t.Helper()
	ln := localListener(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var hello [helloSize]byte
		if _, err := io.ReadFull(conn, hello[:]); err != nil {
			t.Errorf("hello: %v", err)
			return
		}
		if _, err := conn.Write(shortHello(clientMagic, welcome)); err != nil {
			t.Errorf("hello: %v", err)
			return
		}
		script(conn)
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

func TestStandalone(t *testing.T) {
	server, err := StartStandalone("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := dialServer(t, server.Addr(), time.Minute)
	useAll(t, c, "key")
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	each(c, func(_ Op, err error) { wantError(t, err, CodeNotSent, true) })
	server.Close()
}

func TestConnectionLostAfterSending(t *testing.T) {
	for _, op := range []Op{OpGet, OpPut, OpCAS, OpDelete} {
		t.Run(op.String(), func(t *testing.T) {
			addr := scripted(t, func(conn net.Conn) {
				_, _, _ = readRequest(bufio.NewReader(conn)) // then it closes
			})
			c := dialServer(t, addr, time.Minute)
			_, err := c.keyed(context.Background(), op, "k", Absent(), "v")
			wantError(t, err, CodeConnLost, op == OpGet)
			_, err = c.keyed(context.Background(), op, "k", Absent(), "v")
			wantError(t, err, CodeNotSent, true)
		})
	}
}

func TestNonsenseFromTheServerEndsTheConnection(t *testing.T) {
	addr := scripted(t, func(conn net.Conn) {
		_, _, _ = readRequest(bufio.NewReader(conn))
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	c := dialServer(t, addr, time.Minute)
	wantError(t, c.Put(context.Background(), "k", "v"), CodeConnLost, false)
}

// TestUnsentIsCertain fills the connection to a server that reads nothing and
// then loses it: what the kernel never took whole cannot have had an effect.
func TestUnsentIsCertain(t *testing.T) {
	t.Parallel()
	cutOff := make(chan struct{})
	cut := sync.OnceFunc(func() { close(cutOff) })
	addr := scripted(t, func(conn net.Conn) { <-cutOff })
	t.Cleanup(cut) // also when the test fails, or the server would wait for ever
	c := dialServer(t, addr, time.Minute)
	const puts = 60 // 60 MiB: more than kernel buffers hold
	errs := make(chan error, puts)
	value := strings.Repeat("v", MaxValue)
	for range puts {
		go func() { errs <- c.Put(context.Background(), "k", value) }()
	}
	pending := func() int {
		c.mux.out.mu.Lock()
		defer c.mux.out.mu.Unlock()
		return c.mux.out.pending()
	}
	// The kernel's buffers grow while they fill: full is what stays so.
	full := func() bool {
		before := pending()
		for range 20 {
			if time.Sleep(5 * time.Millisecond); before <= muxMaxPending || pending() != before {
				return false
			}
		}
		return true
	}
	eventually(t, "the buffers are full", full)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	// It never found room: its time was up, or, on a busy computer, the kernel's for the
	// connection. Either way it has had no effect, and says so.
	if err := c.Put(ctx, "k", "v"); !Certain(err) {
		t.Errorf("a put that found no room: %v, and that is not certain", err)
	}
	cut()
	counts := map[Code]int{}
	for range puts {
		err := (<-errs).(*Error)
		if err.Certain != (err.Code == CodeNotSent) {
			t.Errorf("%q, certain: %v", err.Code, err.Certain)
		}
		counts[err.Code]++
	}
	if counts[CodeNotSent] == 0 || counts[CodeConnLost]+counts[CodeNotSent] != puts {
		t.Errorf("outcomes: %v", counts)
	}
}

func TestClientTimeouts(t *testing.T) {
	server := func(t *testing.T) string {
		return scripted(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	}
	t.Run("of the dialer", func(t *testing.T) {
		each(dialServer(t, server(t), 30*time.Millisecond), func(op Op, err error) {
			wantError(t, err, CodeTimeout, op == OpGet)
		})
	})
	t.Run("of the context", func(t *testing.T) {
		c := dialServer(t, server(t), 0)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		wantError(t, c.Put(ctx, "k", "v"), CodeTimeout, false)
		wantError(t, c.Put(ctx, "k", "v"), CodeTimeout, true) // over before it was sent
	})
	t.Run("cancelled", func(t *testing.T) {
		c := dialServer(t, server(t), 0)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel)
		wantError(t, c.Put(ctx, "k", "v"), CodeCanceled, false)
		wantError(t, c.Put(ctx, "k", "v"), CodeCanceled, true)
	})
}

// TestLateAnswer checks that an answer to a call given up is not taken for that
// of another one.
func TestLateAnswer(t *testing.T) {
	proceed := make(chan struct{})
	addr := scripted(t, func(conn net.Conn) {
		br := bufio.NewReader(conn)
		first, _, err := readRequest(br)
		if err != nil {
			t.Error(err)
			return
		}
		<-proceed
		second, _, err := readRequest(br)
		if err != nil {
			t.Error(err)
			return
		}
		out := appendResponse(beginFrame(nil, first), &response{status: statusOK, value: Some("late")})
		out = endFrame(out, 0)
		start := len(out)
		out = endFrame(appendResponse(beginFrame(out, second), &response{status: statusOK, value: Some("right")}), start)
		_, _ = conn.Write(out)
		_, _ = io.Copy(io.Discard, conn)
	})
	c := dialServer(t, addr, 0)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := c.Get(ctx, "a"); err == nil {
		t.Fatal("answered too early")
	}
	close(proceed)
	if v, _, err := c.Get(context.Background(), "b"); err != nil || v != "right" {
		t.Fatalf("got %q, %v", v, err)
	}
}

func TestTooLargeIsNotSent(t *testing.T) {
	server, err := StartStandalone("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c := dialServer(t, server.Addr(), 0)
	ctx := context.Background()
	big := strings.Repeat("v", MaxValue+1)
	wantError(t, c.Put(ctx, "k", big), CodeTooLarge, true)
	_, _, err = c.CAS(ctx, "k", Some(big), "v")
	wantError(t, err, CodeTooLarge, true)
	wantError(t, c.Delete(ctx, strings.Repeat("k", MaxKey+1)), CodeTooLarge, true)
	useAll(t, c, "key") // the connection is as good as before
}

func TestDialFailures(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	ln := localListener(t) // never accepts, so that nobody says hello
	defer ln.Close()
	if _, err := Dial(ctx, ln.Addr().String()); err == nil {
		t.Error("dialled a server that does not say hello")
	}
	if _, err := Dial(context.Background(), "127.0.0.1:1"); err == nil {
		t.Error("dialled nobody")
	}
	other := localListener(t)
	defer other.Close()
	go func() {
		conn, err := other.Accept()
		if err == nil {
			_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
			conn.Close()
		}
	}()
	if _, err := Dial(context.Background(), other.Addr().String()); err == nil || !strings.Contains(err.Error(), "no hello") {
		t.Errorf("dialled a mail server: %v", err)
	}
}

func TestErrors(t *testing.T) {
	err := &Error{Code: CodeTimeout, Text: "no outcome in time"}
	if got, want := err.Error(), "kv: timeout: no outcome in time (outcome unknown)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if Certain(nil) || Certain(io.EOF) || Certain(err) || !Certain(&Error{Certain: true}) {
		t.Error("Certain does not tell")
	}
	for code := CodeInternal; code <= CodeReused; code++ {
		if strings.HasPrefix(code.String(), "code") {
			t.Errorf("code %d has no name", code)
		}
	}
}
