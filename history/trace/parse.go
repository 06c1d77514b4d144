package trace

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// apart is the time between the lines of a text that names no times, ns.
const apart = 1e6

// ReadText reads events as text, one a line; empty lines and those that begin with # are
// passed over. An event without a time comes a millisecond after the one before, and one
// without a boot is of boot 1. Errors name the line, from 1 on.
func ReadText(r io.Reader) ([]Event, error) {
	var events []Event
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	last, number := int64(0), 0
	for lines.Scan() {
		number++
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		e, err := ParseText(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if e.Time == 0 {
			e.Time = last + apart
		}
		last = e.Time
		events = append(events, *e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", number+1, err)
	}
	return events, nil
}

// ParseText reads one event as [AppendText] writes it. Fields may come in any order, and
// only once; a reason may be a single word without quotes.
func ParseText(line string) (*Event, error) {
	words, err := splitWords(line)
	if err != nil {
		return nil, err
	}
	e := &Event{Boot: 1}
	if words, err = e.parseHead(words); err != nil {
		return nil, err
	}
	layout := layouts[e.Kind]
	if positional(e.Kind) {
		if len(words) == 0 {
			return nil, fmt.Errorf("%v of what?", e.Kind)
		}
		if aboutMessage(e.Kind) {
			e.Message = &Message{}
		}
		if err := parseValue(layout[0].of(e), words[0]); err != nil {
			return nil, fmt.Errorf("%v: %w", e.Kind, err)
		}
		words, layout = words[1:], layout[1:]
	}
	if aboutMessage(e.Kind) {
		layout = append(layout[:len(layout):len(layout)], messageLayouts[e.Message.Type]...)
	}
	if err := e.parseFields(layout, words); err != nil {
		return nil, fmt.Errorf("%v: %w", e.Kind, err)
	}
	return e, nil
}

// parseHead takes the time, the node and the kind.
func (e *Event) parseHead(words []string) ([]string, error) {
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		ns, ok := cutSeconds(words[0][1:])
		if !ok {
			return nil, fmt.Errorf("%q is not a time in seconds", words[0])
		}
		e.Time, words = ns, words[1:]
	}
	if len(words) < 2 {
		return nil, errors.New("an event needs a node and a kind")
	}
	name, boot, given := strings.Cut(words[0], "#")
	if given {
		n, err := strconv.ParseUint(boot, 10, 31)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("%q is not the number of a boot", boot)
		}
		e.Boot = int(n)
	}
	if err := parseValue(&e.Node, name); err != nil {
		return nil, err
	}
	var known bool
	if e.Kind, known = KindNamed(words[1]); !known {
		return nil, fmt.Errorf("%q is not a kind of event", words[1])
	}
	return words[2:], nil
}

// parseFields takes the fields of a layout and the term.
func (e *Event) parseFields(layout []field, words []string) error {
	seen := map[string]bool{}
	for _, word := range words {
		name, value, given := strings.Cut(word, "=")
		if seen[name] {
			return fmt.Errorf("%s is given twice", name)
		}
		seen[name] = true
		into := e.find(layout, name)
		if into == nil {
			return fmt.Errorf("it has no field %q", name)
		}
		if flag, is := into.(*bool); is != !given {
			return fmt.Errorf("%q: write %s", word, usage(name, is))
		} else if is {
			*flag = true
			continue
		}
		if err := parseValue(into, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if e.Message != nil {
		e.parsedMessage(seen[messageTerm.name])
	}
	if e.Last < e.First {
		return fmt.Errorf("reads %d to %d", e.First, e.Last)
	}
	return nil
}

func usage(name string, flag bool) string {
	if flag {
		return name + " alone"
	}
	return name + "=VALUE"
}

func (e *Event) find(layout []field, name string) any {
	if name == "term" {
		return &e.Term
	}
	for i := range layout {
		if layout[i].name == name && name != node.name {
			return layout[i].of(e)
		}
	}
	return nil
}

// parsedMessage fills in what a message's line leaves out.
func (e *Event) parsedMessage(termGiven bool) {
	m := e.Message
	if !termGiven {
		m.Term = e.Term
	}
	if e.Kind == Send {
		m.From = e.Node
	} else {
		m.To = e.Node
	}
}

func parseValue(into any, s string) (err error) {
	switch v := into.(type) {
	case *uint64:
		*v, err = parseNumber(s)
	case *NodeID:
		*v, err = parseNode(s)
	case *Mark:
		*v, err = parseMark(s)
	case *[]Run:
		*v, err = parseList(s, MaxRuns, parseRun)
	case *[]NodeID:
		*v, err = parseList(s, MaxMembers, parseNode)
	case *string:
		*v, err = parseReason(s)
	case *hash:
		var h uint64
		h, err = strconv.ParseUint(s, 16, 64)
		if *v = hash(h); err != nil {
			err = fmt.Errorf("%q is not a hash of 16 digits", s)
		}
	case *Role:
		err = parseName(v, roleNames[:], s, "a role")
	case *MessageType:
		err = parseName(v, typeNames[:], s, "a type of message")
	case *Lacks:
		*v, err = parseLacks(s)
	}
	return err
}

func parseName[T ~uint8](into *T, names []string, s, what string) error {
	n, ok := numberOf(names, s)
	if !ok {
		return fmt.Errorf("%q is not %s", s, what)
	}
	*into = T(n)
	return nil
}

func parseNumber(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return n, nil
}

func parseNode(s string) (NodeID, error) {
	if digits, is := strings.CutPrefix(s, "n"); is {
		if n, err := parseNumber(digits); err == nil {
			return NodeID(n), nil
		}
	}
	return 0, fmt.Errorf("%q is not a node, like n1", s)
}

func parseMark(s string) (m Mark, err error) {
	index, term, ok := strings.Cut(s, "/")
	if ok {
		m.Index, err = parseNumber(index)
	}
	if ok && err == nil {
		m.Term, err = parseNumber(term)
	}
	if !ok || err != nil {
		return Mark{}, fmt.Errorf("%q is not an entry, like 7/2", s)
	}
	return m, nil
}

func parseRun(s string) (Run, error) {
	from, rest, ranged := strings.Cut(s, "-")
	if !ranged {
		rest = s
	}
	end, err := parseMark(rest)
	first := end.Index
	if ranged && err == nil {
		first, err = parseNumber(from)
	}
	if err != nil || first == 0 || first > end.Index || end.Index == math.MaxUint64 {
		return Run{}, fmt.Errorf("%q is not entries of a term, like 5-7/2", s)
	}
	return Run{First: first, Count: end.Index - first + 1, Term: end.Term}, nil
}

func parseList[T any](s string, most int, parse func(string) (T, error)) (list []T, err error) {
	for item := range strings.SplitSeq(s, ",") {
		v, err := parse(item)
		if err != nil {
			return nil, err
		}
		if list = append(list, v); len(list) > most {
			return nil, fmt.Errorf("more than %d", most)
		}
	}
	return list, nil
}

func parseReason(s string) (_ string, err error) {
	if strings.HasPrefix(s, `"`) {
		if s, err = strconv.Unquote(s); err != nil {
			return "", errors.New("its quotes do not match")
		}
	}
	if len(s) > MaxReason {
		return "", fmt.Errorf("%d bytes, more than %d", len(s), MaxReason)
	}
	return s, nil
}

func parseLacks(s string) (all Lacks, err error) {
	for name := range strings.SplitSeq(s, ",") {
		kind, isKind := KindNamed(name)
		bit, isField := numberOf(lackNames[:], name)
		switch {
		case isKind:
			all |= LacksKind(kind)
		case isField:
			all |= 1 << (32 + bit)
		default:
			return 0, fmt.Errorf("%q is neither a kind of event nor a field that may be lacking", name)
		}
	}
	return all, nil
}

// splitWords splits a line at spaces that are not between quotes.
func splitWords(line string) (words []string, err error) {
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		end := wordEnd(line)
		if end < 0 {
			return nil, errors.New("a quote is not closed")
		}
		words = append(words, line[:end])
		line = line[end:]
	}
	return words, nil
}

// wordEnd is where the word at the head of s ends; -1 within quotes.
func wordEnd(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ' ' && !quoted:
			return i
		}
	}
	if quoted {
		return -1
	}
	return len(s)
}
