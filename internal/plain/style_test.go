package plain

import (
	"bytes"
	"strings"
	"testing"
)

func TestStyles(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	say := func() string {
		defer out.Reset()
		Fprintf(w, "%s %s: %s\n", In("✗", Red, Bold), "n1", In("a\x1b[31m", Green))
		return out.String()
	}
	if got, want := say(), "✗ n1: a\\x1b[31m\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	w.Color(true)
	want := "\x1b[31m\x1b[1m✗\x1b[0m n1: \x1b[32ma\\x1b[31m\x1b[0m\n"
	if got := say(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	text := Sprintf("%s %s", In("✗", Red, Bold), "n1")
	if got := w.Paint(text); got != "\x1b[31m\x1b[1m✗\x1b[0m n1" {
		t.Errorf("painted %q", got)
	}
	if Width(text) != 4 || Unstyled(text) != "✗ n1" {
		t.Errorf("%q has %d characters: %q", text, Width(text), Unstyled(text))
	}
	w.Color(false)
	if got := w.Paint(text); got != "✗ n1" {
		t.Errorf("painted without colours %q", got)
	}
}

// Nothing from outside has a style: it could hide what follows.
func TestNoStyleFromOutside(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	w.Color(true)
	for style := range styles {
		evil := string(styleBegin+rune(style)) + "x" + string(styleEnd)
		Fprintf(w, "%s %v %s\n", evil, []string{evil}, Lines(evil, ""))
		Fprintln(w, In(evil, Red))
	}
	if got := strings.Count(out.String(), "\x1b"); got != 2*int(styles) {
		t.Errorf("%d escape sequences, want those of In alone: %q", got, out.String())
	}
}
