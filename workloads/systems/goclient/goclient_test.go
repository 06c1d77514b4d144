package goclient

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

// fake is a connection whose node answers as the operation's function says.
type fake struct {
	node   Node
	hello  Hello
	closed chan struct{}
}

func (f *fake) Close() { close(f.closed) }

func (f *fake) Do(ctx context.Context, op Op) ([]byte, error) {
	switch op.Func {
	case "echo":
		return fmt.Appendf(nil, `[%q,%q,%s]`, f.node.Name, op.Key, op.In), nil
	case "write":
		return nil, nil
	case "refuse":
		return nil, Fail("refused: %w", errors.New(`"why" ✓`))
	case "break":
		return nil, &Error{Lost: true, Err: errors.New("broken")}
	case "odd":
		return nil, errors.New("odd")
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, Fail("no %s", op.Func)
}

// teller is one that is asked more.
type teller struct{ *fake }

func (t teller) Control(_ context.Context, do string, request []byte) ([]byte, error) {
	var r struct{ Node string }
	err := json.Unmarshal(request, &r)
	return AppendText(nil, do+" "+r.Node), err
}

// session is a program that serves, as squall sees it.
type session struct {
	t     *testing.T
	in    *io.PipeWriter
	out   *bufio.Scanner
	ended chan error
	conns chan *fake
}

func serve(t *testing.T, hello string) *session {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	s := &session{t: t, in: inW, out: bufio.NewScanner(outR), ended: make(chan error, 1), conns: make(chan *fake, 10)}
	go func() {
		err := Serve(inR, outW, func(h Hello) func(context.Context, Node) (Conn, error) {
			return func(ctx context.Context, n Node) (Conn, error) {
				switch n.Name {
				case "down":
					return nil, errors.New("connection refused")
				case "silent":
					<-ctx.Done()
					return nil, ctx.Err()
				}
				f := &fake{n, h, make(chan struct{})}
				s.conns <- f
				if n.Name == "n2" {
					return teller{f}, nil
				}
				return f, nil
			}
		})
		s.ended <- err
		_ = outW.Close()
		_ = inR.CloseWithError(err)
	}()
	s.say(hello)
	return s
}

func (s *session) say(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) hears(want string) {
	s.t.Helper()
	if !s.out.Scan() || s.out.Text() != want {
		s.t.Fatalf("it says %q, %v, want %q", s.out.Text(), s.out.Err(), want)
	}
}

const goodHello = `{"squall":1,"workload":"register","timeoutMs":600000,"nodes":["n1","n2"]}`

func TestServe(t *testing.T) {
	s := serve(t, goodHello)
	s.hears(`{"squall":1}`)
	s.say(`{"id":1,"do":"open","conn":1,"node":"n1","addr":"10.0.0.1","port":7}`)
	s.hears(`{"id":1,"type":"ok"}`)
	conn := <-s.conns
	if conn.node != (Node{"n1", "10.0.0.1", 7}) || conn.hello.Workload != "register" || conn.hello.Timeout.Minutes() != 10 || !slices.Equal(conn.hello.Nodes, []string{"n1", "n2"}) {
		t.Errorf("it connects to %+v, told %+v", conn.node, conn.hello)
	}
	s.say(`{"id":99,"conn":1,"f":"hang"}`) // delays nobody
	for i, step := range []struct{ request, answer string }{
		{`"conn":1,"f":"echo","key":"k 1","in":["a",null]`, `"type":"ok","out":["n1","k 1",["a",null]]`},
		{`"conn":1,"f":"echo","key":"\u00e9\"","in":{"a": 1}`, `"type":"ok","out":["n1","é\"",{"a": 1}]`},
		{`"conn":1,"f":"write","in":3`, `"type":"ok"`},
		{`"conn":1,"f":"refuse"`, `"type":"fail","error":"refused: \"why\" ✓"`},
		{`"conn":1,"f":"break"`, `"type":"info","error":"broken","lost":true`},
		{`"conn":1,"f":"odd"`, `"type":"info","error":"odd"`},
		{`"do":"ping"`, `"type":"ok"`},
		{`"do":"leader","conn":1`, `"type":"fail","error":"this program has no \"leader\""`},
		{`"conn":7,"f":"write"`, `"type":"fail","error":"there is no such connection","lost":true`},
		{`"do":"open","conn":2,"node":"down","addr":"10.0.0.2"`, `"type":"fail","error":"connection refused","lost":true`},
		{`"conn":2,"f":"write"`, `"type":"fail","error":"it is not connected","lost":true`},
		{`"do":"open","conn":3,"node":"n2","addr":"10.0.0.2"`, `"type":"ok"`},
		{`"do":"add","conn":3,"node":"n9"`, `"type":"ok","out":"add n9"`},
	} {
		s.say(fmt.Sprintf(`{"id":%d,%s}`, i+2, step.request))
		s.hears(fmt.Sprintf(`{"id":%d,%s}`, i+2, step.answer))
	}
	s.say(`{"do":"close","conn":1}`)
	<-conn.closed
	if err := s.in.Close(); err != nil {
		t.Fatal(err)
	}
	if s.out.Scan() {
		t.Errorf("at last it says %q", s.out.Text())
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

// TestAnswersWhoseTimeIsOver: an operation ends with the time that squall waits for it.
func TestAnswersWhoseTimeIsOver(t *testing.T) {
	s := serve(t, `{"squall":1,"workload":"register","timeoutMs":1}`)
	s.hears(`{"squall":1}`)
	s.say(`{"id":1,"do":"open","conn":1,"node":"silent","addr":"10.0.0.1"}`)
	s.hears(`{"id":1,"type":"fail","error":"context deadline exceeded","lost":true}`)
	_ = s.in.Close()
	if s.out.Scan() {
		t.Errorf("it says %q", s.out.Text())
	}
}

func TestNonsenseEndsIt(t *testing.T) {
	for hello, next := range map[string]string{`{"squall":2}`: "", "hello": "", goodHello: `{"id":`} {
		s := serve(t, hello)
		if next != "" {
			s.hears(`{"squall":1}`)
			s.say(next)
		}
		if err := <-s.ended; err == nil {
			t.Errorf("after %q and %q it ended without an error", hello, next)
		}
		_ = s.in.Close()
	}
}

// TestQuickRequests: what is read quickly is read as it is read otherwise.
func TestQuickRequests(t *testing.T) {
	quick := 0
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z]{1,3}[0-9]`)).Draw(t, "key")
		in := rapid.SampledFrom([]string{"", "1", `"a"`, `["1",null]`, "}", `{"a":"}"}`, "[", `"a" `}).Draw(t, "in")
		quoted, _ := json.Marshal(key)
		line := fmt.Sprintf(`{"id":%d,"conn":%d,"f":%q`, rapid.Uint32().Draw(t, "id"), rapid.Uint8().Draw(t, "conn"), rapid.StringMatching(`[a-z]+`).Draw(t, "f"))
		if key != "" {
			line += `,"key":` + string(quoted)
		}
		if in != "" {
			line += `,"in":` + in
		}
		line += "}"
		got, ok := quickRequest([]byte(line))
		if !ok {
			return
		}
		quick++
		want, err := readRequest([]byte(line))
		want.line = nil
		if err != nil || want.id != got.id || want.conn != got.conn || want.op.Func != got.op.Func || want.op.Key != got.op.Key || strings.TrimSpace(string(want.op.In)) != strings.TrimSpace(string(got.op.In)) {
			t.Fatalf("%s is %+v, want %+v, %v", line, got, want, err)
		}
	})
	if quick == 0 {
		t.Error("nothing was read quickly")
	}
	for _, line := range []string{"", `{"id":1`, `{"id":1,"conn":2,"f":"read"`, `{"id":1,"conn":2,"f":"read","in":}`, `{"id":1,"conn":2,"f":"re\u0061d"}`, `{"do":"ping","id":1}`} {
		if r, ok := quickRequest([]byte(line)); ok {
			t.Errorf("%s was read as %+v", line, r)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, text := range []string{"", "a", `"\`, "é", "\x00\n", "\xff"} {
		want, _ := json.Marshal(text)
		if got := string(AppendText([]byte("x"), text)); got != "x"+string(want) {
			t.Errorf("%q is written as %s", text, got)
		}
		if back, ok := Text(want); !ok || back != strings.ToValidUTF8(text, "\ufffd") {
			t.Errorf("%s is read as %q, %v", want, back, ok)
		}
	}
	for _, other := range []string{"null", "1", "", `["a"]`, `"a`} {
		if text, ok := Text([]byte(other)); ok {
			t.Errorf("%s is read as the text %q", other, text)
		}
	}
}

// TestModule: a module that has these sources needs nothing else of squall.
func TestModule(t *testing.T) {
	sources, err := Module(fstest.MapFS{"_client/go.mod.txt": {Data: []byte("module x")}, "_client/main.go": {Data: []byte("package main")}, "other": {}}, "_client")
	if err != nil || len(sources) != 4 || sources["go.mod"] != "module x" || sources["main.go"] != "package main" {
		t.Errorf("it has %v, %v", slices.Sorted(maps.Keys(sources)), err)
	}
	for _, name := range []string{"goclient/goclient.go", "goclient/lines.go"} {
		if text := sources[name]; strings.Contains(text, `"squall/`) || !strings.Contains(text, "package goclient\n") {
			t.Errorf("%s cannot be compiled elsewhere", name)
		}
	}
	if _, err := Module(fstest.MapFS{}, "_client"); err == nil {
		t.Error("a folder that is not there is a module")
	}
}
