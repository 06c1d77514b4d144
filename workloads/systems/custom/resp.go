package custom

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// This file is the protocol of Redis, version 2: what clients send is a list of texts,
// and what is answered a text, a number, nothing, an error or a list of these.

// redisError is an error that a node answered: CLUSTERDOWN The cluster is down.
type redisError string

func (e redisError) Error() string { return string(e) }

const (
	maxRespLine  = 64 << 10 // bytes of a line
	maxRespDepth = 8        // lists in one another
)

// appendCommand appends a command.
func appendCommand(buf []byte, args []string) []byte {
	buf = fmt.Appendf(buf, "*%d\r\n", len(args))
	for _, arg := range args {
		buf = fmt.Appendf(buf, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return buf
}

// respReader reads answers.
type respReader struct {
	in   *bufio.Reader
	most int64 // bytes of an answer
	left int64 // that may still come of the one under way
}

// read is one answer, as JSON would hold it: a string, a json.Number, nil, a []any, or a
// redisError, which is not an error of read.
func (r *respReader) read() (any, error) {
	r.left = r.most
	return r.value(0)
}

func (r *respReader) value(depth int) (any, error) {
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	kind, text := line[0], line[1:]
	switch kind {
	case '+':
		return text, nil
	case '-':
		return redisError(text), nil
	case ':':
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return nil, fmt.Errorf("%.40q is no number", text)
		}
		return json.Number(text), nil
	case '$':
		return r.bulk(text)
	case '*':
		return r.list(text, depth)
	}
	return nil, fmt.Errorf("the answer %.40q is none in the protocol of Redis, version 2", line)
}

// line reads a line, of at least one byte, without its end.
func (r *respReader) line() (string, error) {
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		r.left -= int64(len(part))
		switch {
		case len(line) > maxRespLine || r.left < 0:
			return "", errTooLong
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && len(line) > 0 && errors.Is(err, io.EOF):
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		}
		if n := len(line); n < 3 || line[n-2] != '\r' {
			return "", fmt.Errorf("the answer %.40q is none in the protocol of Redis", line)
		}
		return string(line[:len(line)-2]), nil
	}
}

// bulk reads a text of that length.
func (r *respReader) bulk(length string) (any, error) {
	n, err := r.length(length)
	if err != nil || n < 0 {
		return nil, err
	}
	if r.left -= n + 2; r.left < 0 {
		return nil, errTooLong
	}
	text := make([]byte, n+2)
	if _, err := io.ReadFull(r.in, text); err != nil {
		return nil, err
	}
	if string(text[n:]) != "\r\n" {
		return nil, errors.New("a text in the answer is longer than it says")
	}
	return string(text[:n]), nil
}

func (r *respReader) list(length string, depth int) (any, error) {
	n, err := r.length(length)
	switch {
	case err != nil || n < 0:
		return nil, err
	case depth == maxRespDepth:
		return nil, fmt.Errorf("the answer has more than %d lists in one another", maxRespDepth)
	case n > r.left: // each takes a byte at least
		return nil, errTooLong
	}
	items := []any{}
	for range n {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// length is that of a text or a list; -1: there is none.
func (r *respReader) length(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < -1:
		return 0, fmt.Errorf("%.40q is no length", text)
	case n > r.most:
		return 0, errTooLong
	}
	return n, nil
}
