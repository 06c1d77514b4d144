package plain

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestClipAndFit(t *testing.T) {
	for _, c := range []struct {
		s         string
		most      int
		clip, fit string
	}{
		{"", 3, "", ""},
		{"abc", 3, "abc", "abc"},
		{"abcd", 3, "abc…", "ab…"},
		{"äöü", 3, "ä…", "äöü"},
		{"äöüß", 3, "ä…", "äö…"},
		{"€uro", 2, "…", "€…"},
		{"\x80\x80\x80\x80\x80\x80\x80\x80", 6, "\x80\x80\x80…", "\x80\x80\x80\x80\x80…"},
		{"abc", 1, "a…", "…"},
		{"abc", 0, "…", "…"},
	} {
		if clip, fit := Clip(c.s, c.most), Fit(c.s, c.most); clip != c.clip || fit != c.fit {
			t.Errorf("%q to %d: %q and %q, want %q and %q", c.s, c.most, clip, fit, c.clip, c.fit)
		}
	}
}

// What is cut stays within its bound, is a beginning, and stays UTF-8.
func TestClipAndFitKeepTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, most := rapid.String().Draw(t, "s"), rapid.IntRange(1, 30).Draw(t, "most")
		clip, fit := Clip(s, most), Fit(s, most)
		if head := strings.TrimSuffix(clip, "…"); clip != s && (len(head) > most || len(head) < most-3 || !strings.HasPrefix(s, head)) || !utf8.ValidString(clip) {
			t.Fatalf("Clip(%q, %d) = %q", s, most, clip)
		}
		if n := utf8.RuneCountInString(fit); n > most || fit != s && (n != most || !strings.HasPrefix(s, strings.TrimSuffix(fit, "…"))) || !utf8.ValidString(fit) {
			t.Fatalf("Fit(%q, %d) = %q", s, most, fit)
		}
	})
}

func TestExcerpt(t *testing.T) {
	if got := Excerpt("a\nb"); got != `"a\nb"` {
		t.Error(got)
	}
	if got := Excerpt([]byte(strings.Repeat("x", 121))); got != `"`+strings.Repeat("x", 120)+`"…` {
		t.Error(got)
	}
}
