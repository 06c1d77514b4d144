package goclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"unicode/utf8"
)

// request is one line.
type request struct {
	id, conn uint64
	do       string // "" is an operation
	node     Node   // of an open
	op       Op
	line     []byte // of what is neither
}

func readRequest(line []byte) (request, error) {
	var r struct {
		ID, Conn   uint64
		Do         string
		Node, Addr string
		Port       uint16
		F, Key     string
		In         json.RawMessage
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return request{}, fmt.Errorf("squall said %q: %w", line, err)
	}
	return request{id: r.ID, conn: r.Conn, do: r.Do, node: Node{r.Node, r.Addr, r.Port}, op: Op{r.F, r.Key, r.In}, line: line}, nil
}

// quickRequest reads an operation as squall writes it: without spaces, in this order,
// with names that need no escapes. Of any other line it says no more than that it is
// another.
func quickRequest(line []byte) (r request, ok bool) {
	if r.id, line, ok = number(line, `{"id":`); !ok {
		return r, false
	}
	if r.conn, line, ok = number(line, `,"conn":`); !ok {
		return r, false
	}
	var name []byte
	if name, line, ok = word(line, `,"f":"`); !ok {
		return r, false
	}
	r.op.Func = string(name)
	if name, rest, has := word(line, `,"key":"`); has {
		r.op.Key, line = string(name), rest
	}
	if in, has := bytes.CutPrefix(line, []byte(`,"in":`)); has && len(in) > 1 && in[len(in)-1] == '}' {
		in = in[:len(in)-1]
		if !json.Valid(in) {
			return r, false
		}
		r.op.In = bytes.Clone(in)
		return r, true
	}
	return r, string(line) == "}"
}

// number reads what follows a prefix.
func number(line []byte, prefix string) (n uint64, rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(line, []byte(prefix))
	digits := 0
	for ; ok && digits < len(rest) && digits < 19 && '0' <= rest[digits] && rest[digits] <= '9'; digits++ {
		n = 10*n + uint64(rest[digits]-'0')
	}
	return n, rest[digits:], ok && digits > 0
}

// word reads a string that follows a prefix, which has its opening quote.
func word(line []byte, prefix string) (text, rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(line, []byte(prefix))
	if !ok {
		return nil, line, false
	}
	for i, c := range rest {
		switch {
		case c == '"':
			return rest[:i], rest[i+1:], true
		case c == '\\' || c < ' ' || c >= utf8.RuneSelf:
			return nil, line, false
		}
	}
	return nil, line, false
}

// answers writes answers: those that come while others are written go out together,
// by the goroutine that writes.
type answers struct {
	out     io.Writer
	mu      sync.Mutex
	pending []byte
	spare   []byte
	writing bool       // a goroutine does
	ended   bool       // nobody listens any more
	idle    *sync.Cond // none does any more
}

func newAnswers(out io.Writer) *answers {
	a := &answers{out: out}
	a.idle = sync.NewCond(&a.mu)
	return a
}

// flush writes what is pending, unless somebody does already. The lock is held.
func (a *answers) flush() {
	if a.ended {
		a.pending = nil
	}
	if a.writing {
		return
	}
	a.writing = true
	for len(a.pending) > 0 {
		lines := a.pending
		a.pending = a.spare[:0]
		a.mu.Unlock()
		_, err := a.out.Write(lines)
		a.mu.Lock()
		a.spare = lines
		if err != nil { // squall is gone
			a.pending = nil
		}
	}
	a.writing = false
	a.idle.Broadcast()
}

func (a *answers) write(line []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending = append(a.pending, line...)
	a.flush()
}

// close waits until everything is written. What comes afterwards is not.
func (a *answers) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.writing {
		a.idle.Wait()
	}
	a.ended = true
}

// answer says how a request went.
func (a *answers) answer(id uint64, out []byte, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending = appendAnswer(a.pending, id, out, err)
	a.flush()
}

func appendAnswer(buf []byte, id uint64, out []byte, err error) []byte {
	buf = strconv.AppendUint(append(buf, `{"id":`...), id, 10)
	if err == nil {
		buf = append(buf, `,"type":"ok"`...)
		if len(out) > 0 {
			buf = append(append(buf, `,"out":`...), out...)
		}
		return append(buf, "}\n"...)
	}
	var e *Error
	kind := `,"type":"info","error":`
	if !errors.As(err, &e) {
		e = &Error{}
	}
	if e.Certain {
		kind = `,"type":"fail","error":`
	}
	buf = AppendText(append(buf, kind...), err.Error())
	if e.Lost {
		buf = append(buf, `,"lost":true`...)
	}
	return append(buf, "}\n"...)
}

// AppendText appends a text as JSON.
func AppendText(buf []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(text) // a string always has JSON
			return append(buf, quoted...)
		}
	}
	return append(append(append(buf, '"'), text...), '"')
}

// Text reads a JSON string; ok is false for anything else, such as null.
func Text(data []byte) (text string, ok bool) {
	if name, rest, quick := word(data, `"`); quick && len(rest) == 0 {
		return string(name), true
	}
	var s *string
	if json.Unmarshal(data, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}
