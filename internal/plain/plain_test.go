package plain

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// hostile are the kinds of text that do something on a terminal or in a log.
var hostile = []string{
	"\x1b]0;owned\x07", "\x1b[2J", "\u009b31m", "\rverdict  ✓ PASS", "a\nverdict  ✓ PASS", "a\u2028b\u2029c\vd\fe\u0085f",
	"\u202egnp.exe", "\u2066\u2069\u200e\u200f\u061c", "\x00\x7f\b", "\xff\xfe\xc3", "::stop-commands::x", "  \t::error::x", "##[error]x", "##vso[task.x]y",
	"##teamcity[x]", "tab\there", "\ufeff\u200b\U000e0041",
}

func TestText(t *testing.T) {
	for _, s := range hostile {
		got := Text(s, MostBytes)
		if strings.ContainsAny(got, "\n\t") || bad(got) != 0 {
			t.Errorf("Text(%q) = %q", s, got)
		}
	}
	for s, want := range map[string]string{
		"plain text, ü, 中, ✓, 🙂": "plain text, ü, 中, ✓, 🙂",
		"a\nb\tc\x1b[0m":         `a\nb\tc\x1b[0m`,
		"\u202ex\xff":            `\u202ex\xff`,
	} {
		if got := Text(s, MostBytes); got != want {
			t.Errorf("Text(%q) = %q, want %q", s, got, want)
		}
	}
	if got := Text(strings.Repeat("x", 100), 10); got != "xxxxxxxxxx… (90 more bytes)" {
		t.Errorf("a long text: %q", got)
	}
}

// bad is the first character that does more than show itself; 0: none.
func bad(s string) rune {
	if !utf8.ValidString(s) {
		return utf8.RuneError
	}
	for _, r := range s {
		if r != '\n' && r != '\t' && !shows(r) {
			return r
		}
	}
	return 0
}

type stranger struct{ name string }

func (s stranger) String() string { return s.name }

func TestFprintf(t *testing.T) {
	for _, s := range hostile {
		got := Sprintf("%s|%v|%v|%q|%-4s|%v|%.1f", s, errors.New(s), stranger{s}, s, []string{s}, map[string]string{s: s}, 1.25)
		if strings.ContainsAny(got, "\n\t") || bad(got) != 0 || strings.Count(got, "|") != 6 {
			t.Errorf("Sprintf of %q = %q", s, got)
		}
	}
	if got := Sprintf("%5.1f %v %6d %s|%-6s|", 1.25, 3*time.Second, 7, Made("a\n  b"), "x"); got != "  1.2 3s      7 a\n  b|x     |" {
		t.Errorf("Sprintf = %q", got)
	}
}

func TestLines(t *testing.T) {
	if got := Lines("first\nsecond\x1b\r\nverdict  ✓ PASS\n", "    "); got != "first\n    second\\x1b\n    verdict  ✓ PASS" {
		t.Errorf("Lines = %q", got)
	}
	if got := Lines(strings.Repeat("x\n", 1000), ""); strings.Count(string(got), "\n") != 200 || !strings.HasSuffix(string(got), "… 800 more lines") {
		t.Errorf("a thousand lines end with %q", got[len(got)-30:])
	}
}

// TestWriter: whatever is written, in whatever pieces.
func TestWriter(t *testing.T) {
	for _, s := range append(hostile, "a\n::stop-commands::x\n##[group]x\n", strings.Join(hostile, "\n")) {
		var whole bytes.Buffer
		if n, err := NewWriter(&whole).Write([]byte(s)); err != nil || n != len(s) {
			t.Fatal(n, err)
		}
		var pieces bytes.Buffer
		w := NewWriter(&pieces)
		for i := range len(s) {
			if _, err := w.Write([]byte{s[i]}); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(whole.Bytes(), pieces.Bytes()) {
			t.Errorf("%q at once is %q, byte by byte %q", s, &whole, &pieces)
		}
		checkLog(t, whole.String())
	}
	var out bytes.Buffer
	ours := "✓ pass\ta: b::c\n# Head\n## Second\n  12:34:56\n#1 ##2\nf::g\n"
	if _, err := NewWriter(&out).Write([]byte(ours)); err != nil || out.String() != ours {
		t.Errorf("harmless text became %q", out.String())
	}
}

func checkLog(t *testing.T, log string) {
	t.Helper()
	if r := bad(log); r != 0 {
		t.Errorf("%q has %q", log, r)
	}
	for line := range strings.SplitSeq(log, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") || strings.Contains(line, "##vso") || strings.Contains(line, "##teamcity") {
			t.Errorf("a runner takes %q for a command", line)
		}
	}
}

func FuzzWriter(f *testing.F) {
	for _, s := range hostile {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		var out bytes.Buffer
		w := NewWriter(&out)
		at := 0
		if len(text) > 0 {
			at = (cut%len(text) + len(text)) % len(text)
		}
		_, _ = w.Write(text[:at])
		_, _ = w.Write(text[at:])
		checkLog(t, out.String())
		if line := Text(string(text), MostBytes); strings.ContainsAny(line, "\n\t") || bad(line) != 0 {
			t.Errorf("Text(%q) = %q", text, line)
		}
	})
}

// TestJSON: what is decoded is what was encoded, and a Writer changes nothing.
func TestJSON(t *testing.T) {
	for _, s := range append(hostile, "##[x]##a", "####[", "#\u202e##[") {
		want := map[string]string{s: s, "x": s}
		var text, behind bytes.Buffer
		if err := JSON(&text, want); err != nil {
			t.Fatal(err)
		}
		if err := JSON(NewWriter(&behind), want); err != nil || behind.String() != text.String() {
			t.Errorf("a Writer makes %q of %q, %v", &behind, &text, err)
		}
		checkLog(t, text.String())
		var back map[string]string
		if err := json.Unmarshal(text.Bytes(), &back); err != nil || back["x"] != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Errorf("%q came back as %q, %v", s, back["x"], err)
		}
	}
}

func TestBlock(t *testing.T) {
	if got := Block("a\n::error::x\n##[g]\xe2\x80"); got != "a\n:\\x3aerror::x\n##\\x5bg]\\xe2\\x80" {
		t.Errorf("Block = %q", got)
	}
}
