package reports

import (
	"path/filepath"
	"strings"
)

// repeatable is the command of a plan.json if squall can have written it, else "".
// A run directory may be a stranger's, and people copy the command into a shell:
// it calls squall to run a test, every word is plain or in single quotes, and
// nothing in it steers a terminal.
func repeatable(command string) string {
	words, ok := shellWords(command)
	if !ok {
		return ""
	}
	if len(words) > 3 && strings.Join(words[:3], " ") == "go run ./cmd/squall" {
		words = words[2:]
	}
	if len(words) < 2 || !strings.HasPrefix(filepath.Base(words[0]), "squall") || words[1] != "run" {
		return ""
	}
	return command
}

// shellWords takes a line apart as a POSIX shell does; false when a shell would
// do more with it than that.
func shellWords(line string) (words []string, ok bool) {
	for line != "" {
		var word strings.Builder
		for line != "" && line[0] != ' ' {
			c := line[0]
			switch {
			case c == '\'':
				text, rest, closed := strings.Cut(line[1:], "'")
				if !closed || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					return nil, false
				}
				word.WriteString(text)
				line = rest
			case strings.HasPrefix(line, `\'`):
				word.WriteByte('\'')
				line = line[2:]
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_./,:=@%+", c) >= 0:
				word.WriteByte(c)
				line = line[1:]
			default:
				return nil, false
			}
		}
		words = append(words, word.String())
		line = strings.TrimPrefix(line, " ")
	}
	return words, true
}
