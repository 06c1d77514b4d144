package program

import (
	"testing"
	"time"

	"squall/history"
	"squall/workloads/systems"
)

// TestReplies: an answer may be written in any way that JSON allows.
func TestReplies(t *testing.T) {
	for line, want := range map[string]struct {
		id  uint64
		out history.Data
	}{
		`{"id":7,"type":"ok"}`:                                {7, ""},
		`{"id":18,"type":"ok","out":null}`:                    {18, "null"},
		`{"id":7,"type":"ok","out":["a",{"b":1}]}`:            {7, `["a",{"b":1}]`},
		`{"id":7,"type":"ok","out": [ "a" , "\u0062" ] }`:     {7, `["a","b"]`},
		` { "type" : "ok" , "out" : "x" , "id" : 7 } `:        {7, `"x"`},
		`{"id":7,"type":"ok","out":"x","lost":false}`:         {7, `"x"`},
		`{"id":7,"type":"ok","more":{"out":1},"out":"}"}`:     {7, `"}"`},
		`{"id":18446744073709551615,"type":"ok","out":"x"}`:   {18446744073709551615, `"x"`},
		`{"id":7,"type":"ok","out":{"found":"2"},"error":""}`: {7, `{"found":"2"}`},
		"{\"id\":7,\"type\":\"ok\",\"out\":\"\xff\"}":         {7, `"\udcff"`},
	} {
		id, r, err := readReply([]byte(line))
		if id != want.id || r.out != want.out || r.err != nil || err != nil {
			t.Errorf("%s: %d, %+v, %v; want %+v", line, id, r, err, want)
		}
	}
	for _, line := range []string{``, `{}`, `7`, `{"id":7}`, `{"id":"7","type":"ok"}`, `{"id":-7,"type":"ok"}`, `{"id":07,"type":"ok"}`, `{"id":7,"type":"ok"`,
		`{"id":7,"type":"ok","out":}`, `{"id":7,"type":"ok","out":1}}`, `{"id":7,"type":"OK"}`, `{"id":7,"type":"info","out":1}`, `{"id":7,"type":"ok"} {"id":8,"type":"ok"}`} {
		if id, r, err := readReply([]byte(line)); err == nil {
			t.Errorf("%s: %d, %+v", line, id, r)
		}
	}
	_, r, err := readReply([]byte(`{"id":7,"type":"info","lost":true}`))
	if err != nil || systems.Certain(r.err) || !systems.Lost(r.err) || r.err.Error() == "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestHello: a program that only looks for what docs/clients.md names finds it.
func TestHello(t *testing.T) {
	opt := Options{Workload: "register", Timeout: 5 * time.Second, Nodes: []string{"n1", "n2"}}
	if got, want := string(appendHello(nil, opt)), `{"squall":1,"workload":"register","timeoutMs":5000,"nodes":["n1","n2"]}`+"\n"; got != want {
		t.Errorf("squall says %s, want %s", got, want)
	}
	if got, want := string(appendHello(nil, Options{})), `{"squall":1,"workload":"","timeoutMs":0,"nodes":[]}`+"\n"; got != want {
		t.Errorf("squall says %s, want %s", got, want)
	}
}

func FuzzReplies(f *testing.F) {
	for _, line := range []string{`{"id":7,"type":"ok"}`, `{"id":7,"type":"ok","out":{"a":[1,"\ud800"]}}`, `{"id":7,"type":"fail","error":"x","lost":true}`} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		_, r, err := readReply(line)
		if err == nil && r.out != "" && !r.out.Valid() {
			t.Errorf("%q: %q cannot be recorded", line, r.out)
		}
	})
}
