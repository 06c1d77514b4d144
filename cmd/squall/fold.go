package main

import (
	"bytes"
	"io"
	"strings"

	"golang.org/x/term"

	"squall/internal/plain"
)

// farthestHang is the last column below which a line goes on: further right, too
// little would fit. It leaves room in a terminal of leastColumns; a narrower one
// breaks lines itself.
const farthestHang = 40

// folded has show write, and breaks lines that are too long for the terminal behind
// w between words. Where there is none, it changes nothing: a log is searched by
// lines.
func folded(w io.Writer, show func(io.Writer)) {
	width := 0
	if f := terminal(w); f != nil {
		if is, _, err := term.GetSize(int(f.Fd())); err == nil {
			width = is
		}
	}
	if width < leastColumns {
		show(w)
		return
	}
	var text bytes.Buffer
	show(&text)
	for line := range strings.Lines(text.String()) {
		_, _ = io.WriteString(w, fold(line, width))
	}
}

// fold breaks a line, which may have an end, so that no part of it is wider than
// columns, unless it is one word. What goes on does so below the line's text.
func fold(line string, columns int) string {
	body, end := strings.CutSuffix(line, "\n")
	if plain.Width(body) <= columns {
		return line
	}
	hang := hangOf(body)
	var out strings.Builder
	head, rest := cutRunes(body, hang) // nothing of the head is broken
	out.WriteString(head)
	at, first := hang, true
	for word := range strings.SplitSeq(rest, " ") {
		width := plain.Width(word)
		switch {
		case first:
		case at+1+width > columns:
			out.WriteString("\n" + strings.Repeat(" ", hang))
			at = hang
		default:
			out.WriteByte(' ')
			at++
		}
		out.WriteString(word)
		at, first = at+width, false
	}
	if end {
		out.WriteByte('\n')
	}
	return out.String()
}

// hangOf is the column where the last cell of a table's row begins, as far as it is
// not too far right, or the line's own indent.
func hangOf(line string) int {
	hang, column, blanks := 0, 0, 0
	for _, r := range line {
		wide := plain.Width(string(r)) // the begin and the end of a style are no characters
		switch {
		case r == ' ':
			blanks++
		case wide > 0:
			if (blanks > 1 || column == blanks) && column <= farthestHang {
				hang = column
			}
			blanks = 0
		}
		column += wide
	}
	return hang
}

// cutRunes cuts after n characters.
func cutRunes(s string, n int) (before, after string) {
	for i, r := range s {
		if n == 0 {
			return s[:i], s[i:]
		}
		n -= plain.Width(string(r))
	}
	return s, ""
}
