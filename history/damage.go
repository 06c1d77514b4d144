package history

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DamageError says that a file is no history as a recorder writes it, and where.
// Nothing that it holds is to be believed, least of all a violation.
type DamageError struct {
	Path string // "": not known
	// Line is the line that cannot be believed, the header being line 1; 0 where
	// the damage is not in a line but in how the file is laid out.
	Line int64
	// Frame is the frame that holds the damage, the header's being 0, and Byte
	// where in the file it begins.
	Frame int64
	Byte  int64
	Err   error // what is wrong
}

func (e *DamageError) Error() string {
	name := "the history"
	if e.Path != "" {
		name += " " + e.Path
	}
	return name + " is damaged: " + e.Where() + ": " + e.Err.Error()
}

// Where is the place alone: "line 126 (frame 3, byte 4711)", or "frame 3 at byte
// 4711" where the damage is in no line.
func (e *DamageError) Where() string {
	if e.Line == 0 {
		return fmt.Sprintf("frame %d at byte %d", e.Frame, e.Byte)
	}
	return fmt.Sprintf("line %d (frame %d, byte %d)", e.Line, e.Frame, e.Byte)
}

// Unwrap gives what is wrong, without the place.
func (e *DamageError) Unwrap() error { return e.Err }

// lineExcerpt is the beginning of a line, at most 80 bytes of it, for an error
// message. It stands as it is where a terminal can be shown it, since escaped
// quotes make JSON hard to read; otherwise it is quoted.
func lineExcerpt(line []byte) string {
	const limit = 80
	more := ""
	if len(line) > limit {
		end := limit - len("…")
		for end > limit-2*utf8.UTFMax && !utf8.RuneStart(line[end]) {
			end--
		}
		line, more = line[:end], "…"
	}
	odd := func(r rune) bool { return !strconv.IsPrint(r) }
	if len(line) == 0 || !utf8.Valid(line) || strings.ContainsFunc(string(line), odd) {
		return strconv.Quote(string(line)) + more
	}
	return string(line) + more
}
