// Package plain makes text that came from outside safe to print on a terminal, in
// a line of a log, and in the log of a CI job. A server, an agent, a history or a
// plan from elsewhere can hold anything: escape sequences that move the cursor or
// set the title, characters that turn the order of what stands beside them, line
// ends after which a line of its own pretends to be squall's, the commands that
// runners of CI jobs take from logs.
//
// There are two nets. Fprintf and its like make every argument one line of
// bounded length, so that only the format, which is squall's, decides where lines
// begin. A Writer stands before stdout and stderr and lets no harmful byte
// through, whoever printed it.
package plain

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MostBytes bounds one argument of Fprintf and one line of Lines, bytes.
const MostBytes = 4 << 10

// Made is text that was made safe already, or is squall's own: Fprintf leaves it
// as it is. It may have several lines.
type Made string

// Text is s as one line: what could do anything but show a character is shown as
// the escape that Go writes for it, and what is over most bytes is cut off, which
// is said.
func Text(s string, most int) string {
	if len(s) <= most && harmless(s) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if out.Len() >= most {
			fmt.Fprintf(&out, "… (%d more bytes)", len(s)-i)
			break
		}
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, s[i])
		case shows(r):
			out.WriteString(s[i : i+size])
		default:
			out.WriteString(escape(r))
		}
		i += size
	}
	return out.String()
}

// Lines is s, which may have several lines, as lines of which all but the first
// begin with indent: none of them can pass for one of squall's own.
func Lines(s, indent string) Made {
	const most = 200
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if n := len(all) - most; n > 0 {
		all = append(all[:most], fmt.Sprintf("… %d more lines", n))
	}
	for i, line := range all {
		all[i] = Text(strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", "    "), MostBytes)
	}
	return Made(strings.Join(all, "\n"+indent))
}

// Fprintf is fmt.Fprintf whose arguments came from outside: texts, errors and all
// that formats itself become one line each.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	return fmt.Fprintf(w, format, clean(args)...)
}

// Sprintf is Fprintf into a string.
func Sprintf(format string, args ...any) string { return fmt.Sprintf(format, clean(args)...) }

// Fprintln is fmt.Fprintln in the same way.
func Fprintln(w io.Writer, args ...any) (int, error) { return fmt.Fprintln(w, clean(args)...) }

func clean(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case Made:
			out[i] = string(arg)
		case nil, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
			out[i] = arg
		case string:
			out[i] = Text(arg, MostBytes)
		default:
			out[i] = formatted{arg}
		}
	}
	return out
}

// formatted formats a value as it is asked to, and makes of it one line.
type formatted struct{ value any }

func (f formatted) Format(s fmt.State, verb rune) {
	_, _ = io.WriteString(s, Text(fmt.Sprintf(fmt.FormatString(s, verb), f.value), MostBytes))
}

// shows reports whether a character does nothing but show itself. Not so line
// ends of all kinds, control and formatting characters (which among others turn
// the direction of text, and hide), characters of nobody.
func shows(r rune) bool { return r == ' ' || unicode.IsPrint(r) || r == '\u200d' || r == '\ufe0f' }

func harmless(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
		if !shows(r) {
			return false
		}
	}
	return true
}

func escape(r rune) string {
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1]
}
