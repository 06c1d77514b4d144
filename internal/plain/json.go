package plain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// JSON writes a value as indented JSON and a line end. What would do more than
// show itself, and what a CI runner would take for a command, is written with
// JSON's own escapes: whoever decodes it has every text back as it was, also
// behind a Writer, which finds nothing to change.
func JSON(w io.Writer, v any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeJSON(text.Bytes()))
	return err
}

// escapeJSON escapes within the strings of a JSON text, which is the only place
// for such characters, all but the line ends of the indentation.
func escapeJSON(text []byte) []byte {
	var out bytes.Buffer
	hashes := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		command := hashes >= 2 && beginsCommand(r)
		switch {
		case r == '\n' || shows(r) && !command:
			out.Write(text[i : i+size])
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		if hashes++; r != '#' {
			hashes = 0
		}
		i += size
	}
	return out.Bytes()
}

// beginsCommand reports whether two or more # before this character begin a
// command: ##[name], ##name[.
func beginsCommand(r rune) bool {
	return r == '[' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
