package plain

import (
	"fmt"
	"unicode/utf8"
)

// Clip is s as far as it has at most so many bytes, cut at a character, and then an
// ellipsis if something is missing: a bound on what is stored or sent on.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := max(most, 0)
	for i := 1; i < utf8.UTFMax && end > 0 && !utf8.RuneStart(s[end]); i++ {
		end--
	}
	return s[:end] + "…"
}

// Fit is s as far as it has at most so many characters, with an ellipsis as the last
// of them if something is missing: what a table or a picture has room for.
func Fit(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	end, n := 0, 0
	for i := range s {
		if n++; n >= most {
			end = i
			break
		}
	}
	return s[:end] + "…"
}

// Excerpt is the beginning of a line that could not be understood, quoted, for an
// error message.
func Excerpt[T ~string | ~[]byte](line T) string {
	const most = 120
	if len(line) > most {
		return fmt.Sprintf("%q…", line[:most])
	}
	return fmt.Sprintf("%q", line)
}
