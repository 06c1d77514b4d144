package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

func TestFrameErrors(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", io.EOF},
		{"half a head", "\x00\x00", io.ErrUnexpectedEOF},
		{"half a payload", "\x00\x00\x00\x05\x02ab", io.ErrUnexpectedEOF},
		{"no payload", "\x00\x00\x00\x05\x02", io.ErrUnexpectedEOF},
		{"length zero", "\x00\x00\x00\x00\x02", ErrFrame},
		{"unknown kind", "\x00\x00\x00\x01\x09", ErrFrame},
		{"text of another program", "usage: something", ErrFrame},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := ReadFrame(strings.NewReader(c.in)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := AppendFrame(nil, KindReply, make([]byte, MaxFrame)); err == nil {
		t.Error("a frame that is too long was not refused")
	}
}

func FuzzReadFrame(f *testing.F) {
	whole, _ := AppendFrame(nil, KindEvent, []byte(`{"kind":"start"}`))
	f.Add(whole)
	f.Add([]byte("\x00\x00\x00\x01\x01"))
	f.Add([]byte("\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, in []byte) {
		kind, payload, err := ReadFrame(bytes.NewReader(in))
		if err != nil {
			return
		}
		again, err := AppendFrame(nil, kind, payload)
		if err != nil || !bytes.HasPrefix(in, again) {
			t.Errorf("%q was read as kind %d, %q, which is %q (%v)", in, kind, payload, again, err)
		}
		if kind == KindStream {
			parseStream(payload) // must not panic
		}
	})
}

func TestStreamFrame(t *testing.T) {
	buf := append(make([]byte, StreamOverhead), "hello"...)
	PutStreamHead(buf, StreamTrace, 7)
	kind, payload, err := ReadFrame(bytes.NewReader(buf))
	if err != nil || kind != KindStream {
		t.Fatal(kind, err)
	}
	id, boot, data, err := parseStream(payload)
	if id != StreamTrace || boot != 7 || string(data) != "hello" || err != nil {
		t.Errorf("got %v %d %q %v", id, boot, data, err)
	}
}

func TestJoinStream(t *testing.T) {
	frame := func(id StreamID, boot int, text string) []byte {
		f := append(make([]byte, StreamOverhead), text...)
		PutStreamHead(f, id, boot)
		return f
	}
	first := append([]byte("before"), frame(StreamTrace, 1, "one ")...)
	both, ok := JoinStream(first, len("before"), frame(StreamTrace, 1, "two"))
	if !ok || string(both) != "before"+string(frame(StreamTrace, 1, "one two")) {
		t.Errorf("joined %t to %q", ok, both)
	}
	for name, other := range map[string][]byte{
		"another stream": frame(StreamLog, 1, "two"),
		"another boot":   frame(StreamTrace, 2, "two"),
		"too long":       frame(StreamTrace, 1, strings.Repeat("2", MaxChunk-3)),
	} {
		if got, ok := JoinStream(first, len("before"), other); ok || !bytes.Equal(got, first) {
			t.Errorf("%s was joined", name)
		}
	}
	if _, ok := JoinStream(first, len("before"), frame(StreamTrace, 1, strings.Repeat("2", MaxChunk-4))); !ok {
		t.Error("what just fits was not joined")
	}
}

func TestCredit(t *testing.T) {
	kind, payload, err := ReadFrame(bytes.NewReader(AppendCredit(nil, 7)))
	if n, parseErr := ParseCredit(payload); kind != KindCredit || n != 7 || err != nil || parseErr != nil {
		t.Errorf("kind %d, %d frames, %v, %v", kind, n, err, parseErr)
	}
	for _, bad := range [][]byte{nil, {1}, {0xff, 0, 0, 0}} {
		if _, err := ParseCredit(bad); !errors.Is(err, ErrFrame) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestWindow: an agent that sends more than it has credit for is refused, one
// that waits for credit gets through with any number of frames.
func TestWindow(t *testing.T) {
	event, _ := AppendFrame(nil, KindEvent, []byte(`{"kind":"exit"}`))
	t.Run("beyond it", func(t *testing.T) {
		here, there := net.Pipe()
		s := stuck{let: make(chan struct{})}
		c := NewClient(here, s)
		for range Window + 2 { // one of them is with the handler
			there.Write(event)
		}
		<-c.gone
		close(s.let)
		<-c.Done()
		if err := c.Err(); !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), "credit") {
			t.Errorf("the connection ended with %v", err)
		}
	})
	t.Run("within it", func(t *testing.T) {
		here, there := net.Pipe()
		o := new(order)
		c := NewClient(here, o)
		room := make(chan int, 100)
		go func() {
			defer close(room)
			for {
				_, payload, err := ReadFrame(there)
				if err != nil {
					return
				}
				n, _ := ParseCredit(payload)
				room <- n
			}
		}()
		left := Window
		for range 10 * Window {
			for left == 0 {
				left += <-room
			}
			there.Write(event)
			left--
		}
		there.Close()
		<-c.Done()
		if len(o.got) != 10*Window {
			t.Errorf("%d events came, want %d", len(o.got), 10*Window)
		}
	})
}

// discard is a Handler that wants nothing.
type discard struct{}

func (discard) Stream(StreamID, int, []byte) {}
func (discard) Event(Event)                  {}

// serve answers every request with what answer says, until the client closes.
// A nil reply is not sent.
func serve(conn net.Conn, answer func(Request) *Reply) {
	for {
		_, payload, err := ReadFrame(conn)
		if err != nil {
			return
		}
		var req Request
		if json.Unmarshal(payload, &req) != nil {
			return
		}
		if reply := answer(req); reply != nil {
			reply.ID = req.ID
			data, _ := json.Marshal(reply)
			frame, _ := AppendFrame(nil, KindReply, data)
			conn.Write(frame)
		}
	}
}

func TestClientErrors(t *testing.T) {
	here, there := net.Pipe()
	go serve(there, func(r Request) *Reply {
		switch r.Method {
		case MethodPause:
			return &Reply{Error: &Error{Code: CodeNotRunning, Message: "dead since boot 3"}}
		case MethodHello:
			return &Reply{Result: []byte(`{"version":99}`)}
		default:
			return nil // never answered
		}
	})
	c := NewClient(here, discard{})
	ctx := t.Context()
	if _, err := c.Pause(ctx); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "boot 3") {
		t.Errorf("pause: %v, want ErrNotRunning in the agent's words", err)
	}
	if _, err := c.Hello(ctx); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("hello of another version: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := c.Clock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that is not answered: %v, want the context's error", err)
	}
	waiting := make(chan error)
	go func() {
		_, err := c.Clock(ctx)
		waiting <- err
	}()
	time.Sleep(5 * time.Millisecond) // so that it mostly waits by now; it must fail so in any case
	there.Close()
	if err := <-waiting; !errors.Is(err, ErrAgentGone) {
		t.Errorf("a call whose connection is lost: %v, want ErrAgentGone", err)
	}
	<-c.Done()
	if _, err := c.Clock(ctx); !errors.Is(err, ErrAgentGone) || !errors.Is(c.Err(), ErrAgentGone) {
		t.Errorf("a call after the end: %v; Err: %v", err, c.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) != 0 {
		t.Errorf("%d calls are still kept", len(c.pending))
	}
}

// order notes what it is given.
type order struct{ got []string }

func (o *order) Stream(id StreamID, _ int, data []byte) {
	o.got = append(o.got, id.String()+" "+string(data))
}
func (o *order) Event(e Event) { o.got = append(o.got, e.Kind) }

// TestHandlerGetsAllBeforeDone: what came before the end is delivered, in
// order, and Done says when.
func TestHandlerGetsAllBeforeDone(t *testing.T) {
	here, there := net.Pipe()
	o := new(order)
	c := NewClient(here, o)
	stream := append(make([]byte, StreamOverhead), "x"...)
	PutStreamHead(stream, StreamLog, 1)
	event, _ := AppendFrame(nil, KindEvent, []byte(`{"kind":"exit"}`))
	there.Write(stream)
	there.Write(event)
	there.Close()
	<-c.Done()
	if got := strings.Join(o.got, ", "); got != "log x, exit" {
		t.Errorf("got %s", got)
	}
}

// stuck is a Handler that does not return until it may.
type stuck struct {
	discard
	let chan struct{}
}

func (s stuck) Event(Event) { <-s.let }

// TestRepliesPassSlowHandler: a handler that takes its time does not hold up
// the replies of calls.
func TestRepliesPassSlowHandler(t *testing.T) {
	here, there := net.Pipe()
	s := stuck{let: make(chan struct{})}
	c := NewClient(here, s)
	event, _ := AppendFrame(nil, KindEvent, []byte(`{"kind":"exit"}`))
	there.Write(event)
	there.Write(event)
	go serve(there, func(Request) *Reply { return &Reply{Result: []byte(`{"mono":5}`)} })
	if got, err := c.Clock(t.Context()); got != 5 || err != nil {
		t.Errorf("clock: %d, %v", got, err)
	}
	close(s.let)
	c.Close()
}

func TestClientRefusesGarbage(t *testing.T) {
	for name, garbage := range map[string]string{
		"text":          "exec format error",
		"bad reply":     "\x00\x00\x00\x02\x02{",
		"bad event":     "\x00\x00\x00\x02\x04{",
		"short stream":  "\x00\x00\x00\x02\x03x",
		"not an answer": "\x00\x00\x00\x03\x01{}",
		"credit":        "\x00\x00\x00\x05\x05\x00\x00\x00\x01",
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			c := NewClient(here, discard{})
			there.Write([]byte(garbage))
			<-c.Done()
			if !errors.Is(c.Err(), ErrFrame) || !errors.Is(c.Err(), ErrAgentGone) {
				t.Errorf("got %v, want ErrFrame and ErrAgentGone", c.Err())
			}
		})
	}
}

// agentOf is a connection on which an agent says this.
type agentOf struct{ io.Reader }

func (agentOf) Write(p []byte) (int, error) { return len(p), nil }
func (agentOf) Close() error                { return nil }

type ignore struct{}

func (ignore) Stream(StreamID, int, []byte) {}
func (ignore) Event(Event)                  {}

// FuzzClient: whatever comes from an agent, the client ends and says why.
func FuzzClient(f *testing.F) {
	event, _ := AppendFrame(nil, KindEvent, []byte(`{"kind":"start","boot":1}`))
	reply, _ := AppendFrame(nil, KindReply, []byte(`{"id":1,"r":{}}`))
	stream := append(make([]byte, StreamOverhead), "a line\n"...)
	PutStreamHead(stream, StreamTrace, 1)
	f.Add(slices.Concat(event, stream, reply))
	f.Add(reply[:len(reply)-2])
	f.Fuzz(func(t *testing.T, in []byte) {
		c := NewClient(agentOf{bytes.NewReader(in)}, ignore{})
		<-c.Done()
		if err := c.Err(); !errors.Is(err, ErrAgentGone) {
			t.Errorf("it ended with %v", err)
		}
	})
}
