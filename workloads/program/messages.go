package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"squall/history"
	"squall/internal/plain"
	"squall/workloads/systems"
)

// The types of answers, which are the outcomes of operations.
const (
	typeOK   = string(history.OK)
	typeFail = string(history.Fail)
	typeInfo = string(history.Info)
)

// reply is what an answer says.
type reply struct {
	out history.Data
	err error // a *systems.Error; nil: it was done
}

// maxError bounds the text of an error, in bytes.
const maxError = 500

// readReply reads an answer: to which request, and what it says. An error says what is
// wrong with the line.
func readReply(line []byte) (id uint64, r reply, err error) {
	if id, r, ok := quickReply(line); ok {
		return id, r, nil
	}
	var a struct {
		ID    uint64          `json:"id"`
		Type  string          `json:"type"`
		Out   json.RawMessage `json:"out"`
		Error string          `json:"error"`
		Lost  bool            `json:"lost"`
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return 0, r, fmt.Errorf("it wrote a line that is no answer: %s", plain.Excerpt(line))
	}
	switch {
	case a.Type != typeOK && a.Type != typeFail && a.Type != typeInfo:
		return 0, r, fmt.Errorf("it wrote an answer whose type is not ok, fail or info: %s", plain.Excerpt(line))
	case a.Type != typeOK && a.Out != nil:
		return 0, r, fmt.Errorf("it wrote an answer with an out that is not of type ok: %s", plain.Excerpt(line))
	case a.Out != nil:
		if r.out, err = history.ParseData(a.Out); err != nil {
			return 0, r, fmt.Errorf("it wrote an answer whose out cannot be recorded: %s", plain.Excerpt(line))
		}
	}
	if a.Type != typeOK {
		r.err = &systems.Error{Certain: a.Type == typeFail, Lost: a.Lost, Err: errors.New(errorText(a.Error))}
	}
	return a.ID, r, nil
}

func errorText(text string) string {
	if text == "" {
		return "the client program gave no reason"
	}
	return plain.Clip(text, maxError)
}

// quickReply reads an answer of type ok as most programs write it: without spaces, in
// this order. Of any other it says no more than that it is another.
func quickReply(line []byte) (id uint64, r reply, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"id":`))
	if !ok {
		return 0, r, false
	}
	digits := 0
	for ; digits < len(rest) && digits < 19 && '0' <= rest[digits] && rest[digits] <= '9'; digits++ {
		id = 10*id + uint64(rest[digits]-'0')
	}
	if digits == 0 || digits > 1 && rest[0] == '0' {
		return 0, r, false
	}
	rest, ok = bytes.CutPrefix(rest[digits:], []byte(`,"type":"ok"`))
	if ok && string(rest) == "}" {
		return id, r, true
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"out":`)); !ok || len(rest) == 0 || rest[len(rest)-1] != '}' {
		return 0, r, false
	}
	out, err := history.ParseData(rest[:len(rest)-1])
	return id, reply{out: out}, err == nil
}

// readHello reads a program's first line.
func readHello(line []byte) error {
	var hello struct {
		Squall int `json:"squall"`
	}
	if err := json.Unmarshal(line, &hello); err != nil || hello.Squall == 0 {
		return fmt.Errorf(`its first line is not {"squall":%d}, but %s`, Version, plain.Excerpt(line))
	}
	if hello.Squall != Version {
		return fmt.Errorf("it speaks version %d of the protocol, and this squall version %d", hello.Squall, Version)
	}
	return nil
}

// appendHello appends the first line to a program.
func appendHello(buf []byte, opt Options) []byte {
	buf = append(buf, `{"squall":`...)
	buf = strconv.AppendInt(buf, Version, 10)
	buf = append(buf, `,"workload":`...)
	buf = append(buf, history.Text(opt.Workload)...)
	buf = append(buf, `,"timeoutMs":`...)
	buf = strconv.AppendInt(buf, int64(opt.Timeout/time.Millisecond), 10)
	names := make([]history.Data, len(opt.Nodes))
	for i, name := range opt.Nodes {
		names[i] = history.Text(name)
	}
	buf = append(buf, `,"nodes":`...)
	buf = append(buf, history.List(names...)...)
	return append(buf, '}', '\n')
}

// appendOpen appends a request to connect to a node.
func appendOpen(buf []byte, id, conn uint64, node systems.Node) []byte {
	buf = appendNumber(buf, `{"id":`, id)
	buf = appendNumber(buf, `,"do":"open","conn":`, conn)
	return append(appendNode(buf, node), '}', '\n')
}

// field is one more of a request: a key, and its value.
type field struct {
	key   string
	value history.Data
}

// appendRequest appends a request about a connection, and where there is one about a node.
func appendRequest(buf []byte, id uint64, do string, conn uint64, about *systems.Node, more ...field) []byte {
	buf = appendNumber(buf, `{"id":`, id)
	buf = append(append(append(buf, `,"do":"`...), do...), '"')
	buf = appendNumber(buf, `,"conn":`, conn)
	if about != nil {
		buf = appendNode(buf, *about)
	}
	for _, f := range more {
		buf = append(append(append(buf, `,"`...), f.key...), `":`...)
		buf = append(buf, f.value...)
	}
	return append(buf, '}', '\n')
}

// appendNode appends the fields that name a node.
func appendNode(buf []byte, node systems.Node) []byte {
	buf = append(buf, `,"node":`...)
	buf = append(buf, history.Text(node.Name)...)
	buf = append(buf, `,"addr":`...)
	buf = append(buf, history.Text(node.Addr.String())...)
	if node.Port != 0 {
		buf = appendNumber(buf, `,"port":`, uint64(node.Port))
	}
	return buf
}

// Bounds of what a program tells of a node's copy.
const (
	maxPosition = 1 << 53 // what every program that writes JSON can write exactly
	maxDigest   = 512     // bytes
)

// readOut reads the answer to a request that is no operation.
func readOut(out history.Data, into any) error {
	if out == "" {
		return errors.New("there is no out")
	}
	return json.Unmarshal([]byte(out), into)
}

// appendControl appends a request that is neither an open nor an operation; an id or a
// connection of 0 is none.
func appendControl(buf []byte, id uint64, do string, conn uint64) []byte {
	buf = append(append(append(buf, `{"do":"`...), do...), '"')
	if id != 0 {
		buf = appendNumber(buf, `,"id":`, id)
	}
	if conn != 0 {
		buf = appendNumber(buf, `,"conn":`, conn)
	}
	return append(buf, '}', '\n')
}

// appendCall appends a request to carry out an operation.
func appendCall(buf []byte, id, conn uint64, op *history.Op) []byte {
	buf = appendNumber(buf, `{"id":`, id)
	buf = appendNumber(buf, `,"conn":`, conn)
	buf = append(append(append(buf, `,"f":"`...), op.Func...), '"') // names of functions need no escapes
	if op.Key != "" {
		buf = append(buf, `,"key":`...)
		buf = append(buf, history.Text(op.Key)...)
	}
	if op.In != "" {
		buf = append(append(buf, `,"in":`...), op.In...)
	}
	return append(buf, '}', '\n')
}

func appendNumber(buf []byte, key string, n uint64) []byte {
	return strconv.AppendUint(append(buf, key...), n, 10)
}
