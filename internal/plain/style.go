package plain

import (
	"strings"
	"unicode/utf8"
)

// Style is how text looks on a terminal with colours.
type Style byte

const (
	Bold Style = iota
	Faint
	Red
	Green
	Yellow
	Magenta
	Cyan
	styles
)

// selectGraphic are the parameters of the terminal's escape sequence for each style.
var selectGraphic = [styles]string{Bold: "1", Faint: "2", Red: "31", Green: "32", Yellow: "33", Magenta: "35", Cyan: "36"}

// Text in a style stands between two of Unicode's noncharacters, which no text has: a
// Writer makes escape sequences of them, or nothing. As no text from outside gets past
// Fprintf with them, none has a style of its own.
const (
	styleBegin = '\ufdd0' // and so on, one a style
	styleEnd   = '\ufdef'
)

// In is a text, made safe, in some styles.
func In(text string, style ...Style) Made {
	var out strings.Builder
	for _, s := range style {
		out.WriteRune(styleBegin + rune(s))
	}
	out.WriteString(Text(text, MostBytes))
	out.WriteRune(styleEnd)
	return Made(out.String())
}

// styled is what a terminal is told at a mark of In; false for another character.
func styled(r rune) (sequence string, is bool) {
	switch {
	case r == styleEnd:
		return "\x1b[0m", true
	case r >= styleBegin && r < styleBegin+rune(styles):
		return "\x1b[" + selectGraphic[r-styleBegin] + "m", true
	}
	return "", false
}

// Width is how many characters of s are seen: all but the marks of In.
func Width(s string) (n int) {
	for _, r := range s {
		if _, is := styled(r); !is {
			n++
		}
	}
	return n
}

// Unstyled is s without the marks of In.
func Unstyled(s string) string {
	return strings.Map(func(r rune) rune {
		if _, is := styled(r); is {
			return -1
		}
		return r
	}, s)
}

// Paint is s with the escape sequences for the styles in it, or without any if this writer
// shows none: for what is written to a terminal directly.
func (w *Writer) Paint(s string) string {
	if !w.colors() {
		return Unstyled(s)
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if sequence, is := styled(r); is {
			out.WriteString(sequence)
		} else {
			out.WriteString(s[i : i+size])
		}
		i += size
	}
	return out.String()
}

// Color has the styles of In shown, or not, which is how a Writer begins.
func (w *Writer) Color(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.color = on
}

func (w *Writer) colors() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.color
}
