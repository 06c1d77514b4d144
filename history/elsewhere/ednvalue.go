package elsewhere

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func beginsNumber(w string) bool {
	return isDigit(w[0]) || len(w) > 1 && (w[0] == '+' || w[0] == '-') && isDigit(w[1])
}

// number reads a number. Whole ones of one value get one text, whatever their form: +3, 3N
// and 0x3 are 3. Of others the form is kept, all but a plus sign.
func number(w string) (k kind, text string, fine bool) {
	if len(w) > mostDigits {
		return 0, "", false
	}
	sign, digits := "", w
	if w[0] == '+' || w[0] == '-' {
		if digits = w[1:]; w[0] == '-' {
			sign = "-"
		}
	}
	whole := strings.TrimSuffix(digits, "N")
	if strings.HasPrefix(digits, "0x") || strings.HasPrefix(digits, "0X") {
		n, ok := new(big.Int).SetString(whole[2:], 16)
		if !ok || !isHex(whole[2:]) {
			return 0, "", false
		}
		return kindInt, signed(sign, n.String()), true
	}
	if onlyDigits(whole) {
		if len(whole) > 1 && whole[0] == '0' {
			return 0, "", false // in some dialects it has another base
		}
		return kindInt, signed(sign, whole), true
	}
	if above, below, is := strings.Cut(digits, "/"); is {
		return kindOther, sign + digits, onlyDigits(above) && onlyDigits(below)
	}
	return kindOther, sign + digits, isDecimal(strings.TrimSuffix(digits, "M"))
}

func signed(sign, digits string) string {
	if digits == "0" {
		return digits
	}
	return sign + digits
}

func onlyDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// isDecimal reports whether digits may be followed by a fraction and an exponent, and are.
func isDecimal(s string) bool {
	whole, exponent, has := s, "", false
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		whole, exponent, has = s[:at], s[at+1:], true
	}
	if has && !onlyDigits(strings.TrimPrefix(strings.TrimPrefix(exponent, "+"), "-")) {
		return false
	}
	before, after, _ := strings.Cut(whole, ".")
	return onlyDigits(before) && (after == "" || onlyDigits(after))
}

// String is the value in EDN. Equal values have one text: elements of sets and keys of maps
// are sorted.
func (v *value) String() string {
	switch v.kind {
	case kindNil:
		return "nil"
	case kindString:
		return quoteEDN(v.text)
	case kindVector:
		return "[" + strings.Join(texts(v.list), " ") + "]"
	case kindSet:
		elements := texts(v.list)
		slices.Sort(elements)
		return "#{" + strings.Join(elements, " ") + "}"
	case kindMap:
		var pairs []string
		for i := 0; i+1 < len(v.list); i += 2 {
			pairs = append(pairs, v.list[i].String()+" "+v.list[i+1].String())
		}
		slices.Sort(pairs)
		return "{" + strings.Join(pairs, ", ") + "}"
	}
	return v.text
}

func texts(list []value) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].String()
	}
	return out
}

// name is the value as a register holds it, or as a key is called: a text, and another one
// for each other value. A string is its own text unless that could be the text of
// something else: then it keeps its quotes.
func (v *value) name() string {
	if v.kind == kindString && plainName(v.text) {
		return v.text
	}
	return v.String()
}

// plainName reports whether a string is its own text. Each begins like nothing else in EDN
// but a symbol, and symbols are no values that anybody writes.
func plainName(s string) bool {
	if s == "" || s == "nil" || s == "true" || s == "false" {
		return false
	}
	return strings.IndexByte("\"\\:#[]{}()+-;, \t\r\n", s[0]) < 0 && !isDigit(s[0])
}

// quoteEDN is a string in EDN. What does more than show itself is escaped, and a byte that is
// not UTF-8 is written as \udcXX, as in squall's histories.
func quoteEDN(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\udc%02x`, s[i])
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		default:
			b.WriteString(shown(s[i : i+n]))
		}
		i += n
	}
	b.WriteByte('"')
	return b.String()
}

// shown is text whose characters do nothing but show themselves: others are escaped, as EDN
// and JSON have it.
func shown(s string) string {
	if !strings.ContainsFunc(s, hides) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch high, low := utf16.EncodeRune(r); {
		case !hides(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func hides(r rune) bool { return !strconv.IsPrint(r) }

// int64 is a whole number.
func (v *value) int64() (int64, bool) {
	if v.kind != kindInt {
		return 0, false
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	return n, err == nil
}

// word is a keyword, a symbol or a string as the name of something, without a colon.
func (v *value) word() (string, bool) {
	switch v.kind {
	case kindKeyword:
		return v.text[1:], true
	case kindSymbol, kindString:
		return v.text, v.text != ""
	}
	return "", false
}

// get is what a map has for a keyword; nil for nothing, and twice says that it has it twice.
func (v *value) get(key string) (found *value, twice bool) {
	for i := 0; i+1 < len(v.list); i += 2 {
		if k := &v.list[i]; k.kind == kindKeyword && k.text[1:] == key {
			if found != nil {
				return found, true
			}
			found = &v.list[i+1]
		}
	}
	return found, false
}
