package history

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// openOutcome is what stands for the outcome on the line of an operation that
// is still under way. It is no Outcome: a reader never hands it out.
const openOutcome = "invoke"

// AppendOp appends the line of one operation, newline included, to buf.
//
// With open set, the operation is still under way: its line says "invoke" and
// holds no answer. When it completes, its line is written again, whole, with
// the same process and call time, and takes the place of the first.
//
// An outcome that is none of OK, Fail and Info is written as info: the one
// that claims nothing.
//
// In and Out are written as they are: see Data.Valid. Strings keep their bytes. A byte that is not part of valid UTF-8 is written
// as the escape \udcXX, XX being the byte (as Python's surrogateescape does
// it); no valid text contains that code point, so it reads back unmistakably.
func AppendOp(buf []byte, op *Op, open bool) []byte {
	buf = append(buf, `{"op":"`...)
	switch {
	case open:
		buf = append(buf, openOutcome...)
	case op.Outcome == OK, op.Outcome == Fail:
		buf = append(buf, op.Outcome...)
	default:
		buf = append(buf, Info...)
	}
	buf = append(buf, `","p":`...)
	buf = strconv.AppendInt(buf, op.Process, 10)
	buf = appendField(buf, `,"n":`, op.Node)
	buf = appendField(buf, `,"f":`, string(op.Func))
	buf = appendOptional(buf, `,"k":`, op.Key)
	if op.In != "" {
		buf = append(append(buf, `,"i":`...), op.In...)
	}
	if !open {
		if op.Out != "" {
			buf = append(append(buf, `,"o":`...), op.Out...)
		}
		buf = appendOptional(buf, `,"e":`, op.Error)
	}
	buf = append(buf, `,"t":`...)
	buf = strconv.AppendInt(buf, op.Call, 10)
	if !open {
		buf = append(buf, `,"d":`...)
		buf = strconv.AppendInt(buf, op.Return-op.Call, 10)
	}
	if op.Final {
		buf = append(buf, `,"final":true`...)
	}
	return append(buf, '}', '\n')
}

// AppendNode appends the line of one node event, newline included, to buf. It
// writes what encoding/json would, only faster: they come by the thousand.
func AppendNode(buf []byte, e *NodeEvent) []byte {
	buf = appendField(buf, `{"node":`, e.Node)
	buf = append(buf, `,"boot":`...)
	buf = strconv.AppendInt(buf, int64(e.Boot), 10)
	buf = appendField(buf, `,"e":`, e.Kind)
	buf = append(buf, `,"t":`...)
	buf = strconv.AppendInt(buf, e.Time, 10)
	buf = appendCount(buf, `,"term":`, e.Term)
	buf = appendOptional(buf, `,"role":`, e.Role)
	buf = appendOptional(buf, `,"leader":`, e.Leader)
	buf = appendOptional(buf, `,"vote":`, e.Vote)
	buf = appendCount(buf, `,"i":`, e.Index)
	buf = appendCount(buf, `,"et":`, e.EntryTerm)
	buf = appendOptional(buf, `,"h":`, e.Hash)
	if len(e.Members) > 0 {
		sep := `,"members":[`
		for _, m := range e.Members {
			buf = appendField(buf, sep, m)
			sep = `,`
		}
		buf = append(buf, ']')
	}
	buf = appendOptional(buf, `,"reason":`, e.Reason)
	buf = appendNanos(buf, `,"timeout":`, e.Timeout)
	buf = appendNanos(buf, `,"late":`, e.Late)
	return append(buf, '}', '\n')
}

// appendNanos leaves out what is zero.
func appendNanos(buf []byte, key string, ns int64) []byte {
	if ns == 0 {
		return buf
	}
	return strconv.AppendInt(append(buf, key...), ns, 10)
}

// AppendRecord appends the line of a record, newline included, to buf. It is
// an error when not exactly one field of the record is set.
func AppendRecord(buf []byte, rec Record) ([]byte, error) {
	set := 0
	for _, is := range [...]bool{rec.Op != nil, rec.Fault != nil, rec.Node != nil, rec.Mark != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return buf, fmt.Errorf("a history record must hold exactly one of operation, fault, node event and mark, not %d", set)
	}
	var other any
	switch {
	case rec.Op != nil:
		return AppendOp(buf, rec.Op, false), nil
	case rec.Node != nil:
		return AppendNode(buf, rec.Node), nil
	case rec.Fault != nil:
		other = rec.Fault
	default:
		other = rec.Mark
	}
	line, err := json.Marshal(other)
	if err != nil {
		return buf, fmt.Errorf("encode a history record: %w", err)
	}
	return append(append(buf, line...), '\n'), nil
}

func appendField(buf []byte, key, s string) []byte {
	return appendString(append(buf, key...), s)
}

func appendOptional(buf []byte, key, s string) []byte {
	if s == "" {
		return buf
	}
	return appendField(buf, key, s)
}

func appendCount(buf []byte, key string, n uint64) []byte {
	if n == 0 {
		return buf
	}
	return strconv.AppendUint(append(buf, key...), n, 10)
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string; see AppendOp for invalid UTF-8.
func appendString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		buf = append(buf, s[start:i]...)
		switch {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		case c == '\n':
			buf = append(buf, '\\', 'n')
		case c < 0x20:
			buf = append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			buf = append(buf, '\\', 'u', 'd', 'c', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(buf, s[start:]...), '"')
}
