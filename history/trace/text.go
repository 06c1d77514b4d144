package trace

import (
	"fmt"
	"strconv"
	"strings"
)

// The text form of an event is one line, for scripted tests and for people:
//
//	[@SECONDS] NODE[#BOOT] KIND [TYPE | ROLE] [FIELD=VALUE | FLAG] ...
//
//	@3.000120453 n1 grant term=2 peer=n1
//	@3.000131207 n1 send vote to=n2 term=2 mark=7/1 number=12
//	@3.002004001 n2#2 append term=2 runs=5-7/2,8/3
//
// A node is n and its number; an entry is INDEX/TERM, and entries of one term are
// FIRST-LAST/TERM. What is zero is left out, and so are boot 1 and the term of a message
// that is the node's.

// AppendText appends the text of an event, without a line break, to buf. Texts of
// servers are quoted, in ASCII.
func AppendText(buf []byte, e *Event) []byte {
	if e.Time != 0 {
		buf = append(appendSeconds(append(buf, '@'), e.Time), ' ')
	}
	buf = appendNodeName(buf, e.Node)
	if e.Boot > 1 {
		buf = strconv.AppendInt(append(buf, '#'), int64(e.Boot), 10)
	}
	buf = append(append(buf, ' '), e.Kind.String()...)
	if int(e.Kind) >= len(layouts) {
		return buf
	}
	layout := layouts[e.Kind]
	if positional(e.Kind) {
		buf = appendText(append(buf, ' '), layout[0].of(e))
		layout = layout[1:]
	}
	if e.Term != 0 {
		buf = strconv.AppendUint(append(buf, " term="...), e.Term, 10)
	}
	buf = appendTexts(buf, e, layout)
	if aboutMessage(e.Kind) && e.Message.Type <= lastMessageType {
		buf = appendTexts(buf, e, messageLayouts[e.Message.Type])
	}
	return buf
}

// positional says whether the first field of a kind stands alone behind its word.
func positional(k Kind) bool { return aboutMessage(k) || k == RoleChange }

func (e *Event) String() string { return string(AppendText(nil, e)) }

func appendTexts(buf []byte, e *Event, layout []field) []byte {
	for i := range layout {
		f := &layout[i]
		if f.name == node.name || f.name == messageTerm.name && e.Message.Term == e.Term {
			continue
		}
		value := f.of(e)
		if yes, is := value.(*bool); is {
			if *yes {
				buf = append(append(buf, ' '), f.name...)
			}
			continue
		}
		if f.name == messageTerm.name || !isZero(value) {
			buf = append(append(append(buf, ' '), f.name...), '=')
			buf = appendText(buf, value)
		}
	}
	return buf
}

func isZero(value any) bool {
	switch v := value.(type) {
	case *uint64:
		return *v == 0
	case *NodeID:
		return *v == 0
	case *Mark:
		return *v == Mark{}
	case *[]Run:
		return len(*v) == 0
	case *string:
		return *v == ""
	case *hash:
		return *v == 0
	case *[]NodeID:
		return len(*v) == 0
	case *Lacks:
		return *v == 0
	}
	return false
}

func appendText(buf []byte, value any) []byte {
	switch v := value.(type) {
	case *uint64:
		return strconv.AppendUint(buf, *v, 10)
	case *NodeID:
		return appendNodeName(buf, *v)
	case *Mark:
		return appendMarkText(buf, v.Index, v.Term)
	case *[]Run:
		return appendRunTexts(buf, *v)
	case *string:
		return strconv.AppendQuoteToASCII(buf, *v)
	case *hash:
		return fmt.Appendf(buf, "%016x", uint64(*v))
	case *[]NodeID:
		for i, id := range *v {
			buf = appendNodeName(appendComma(buf, i), id)
		}
		return buf
	case *Lacks:
		return v.appendText(buf)
	case fmt.Stringer: // roles and types
		return append(buf, v.String()...)
	}
	return buf
}

func appendComma(buf []byte, i int) []byte {
	if i == 0 {
		return buf
	}
	return append(buf, ',')
}

func appendNodeName(buf []byte, id NodeID) []byte {
	return strconv.AppendUint(append(buf, 'n'), uint64(id), 10)
}

func appendMarkText(buf []byte, index, term uint64) []byte {
	return strconv.AppendUint(append(strconv.AppendUint(buf, index, 10), '/'), term, 10)
}

func appendRunTexts(buf []byte, runs []Run) []byte {
	for i, r := range runs {
		buf = appendComma(buf, i)
		if r.Count != 1 {
			buf = append(strconv.AppendUint(buf, r.First, 10), '-')
		}
		buf = appendMarkText(buf, r.First+r.Count-1, r.Term)
	}
	return buf
}

func (l Lacks) appendText(buf []byte) []byte {
	i := 0
	for _, k := range Kinds() {
		if l.Kind(k) {
			buf = append(appendComma(buf, i), k.String()...)
			i++
		}
	}
	for bit, name := range lackNames {
		if l&(1<<(32+bit)) != 0 {
			buf = append(appendComma(buf, i), name...)
			i++
		}
	}
	return buf
}

// appendSeconds appends nanoseconds as seconds, with all their digits.
func appendSeconds(buf []byte, ns int64) []byte {
	return fmt.Appendf(buf, "%d.%09d", ns/1e9, ns%1e9)
}

// cutSeconds is the reverse: seconds with up to nine decimals.
func cutSeconds(s string) (ns int64, ok bool) {
	whole, decimals, _ := strings.Cut(s, ".")
	if len(decimals) > 9 {
		return 0, false
	}
	decimals += strings.Repeat("0", 9-len(decimals))
	sec, err := strconv.ParseUint(whole, 10, 33)
	frac, err2 := strconv.ParseUint(decimals, 10, 32)
	return int64(sec)*1e9 + int64(frac), err == nil && err2 == nil
}
