package schedule

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"squall/nemesis"
)

// Timeline draws a schedule as text: a line for each fault, with a bar for the
// time in which it is in force; before that, ░ is for how long it may wait for its
// moment. width is that of the whole, in characters.
func Timeline(w io.Writer, planned []nemesis.Planned, length time.Duration, width int) {
	label := 0
	for _, p := range planned {
		label = max(label, utf8.RuneCountInString(p.Name()))
	}
	columns := max(20, width-label-8)
	at := func(ms int64) int { return int(ms * int64(columns) / max(1, length.Milliseconds())) }
	fmt.Fprintf(w, "%*s  %s\n", label+5, "", scale(length, columns))
	for _, p := range planned {
		from := min(at(p.AtMs), columns-1)
		begins := min(at(p.Ends().Milliseconds()-p.ForMs), columns-1)
		to := min(max(at(p.Ends().Milliseconds()), begins+1), columns)
		bar := strings.Repeat("·", from) + strings.Repeat("░", begins-from) + strings.Repeat("█", to-begins) + strings.Repeat("·", columns-to)
		fmt.Fprintf(w, "%4d %s%s  %s\n", p.ID, p.Name(), strings.Repeat(" ", label-utf8.RuneCountInString(p.Name())), bar)
	}
}

// scale is a line of times, as many as there is room for.
func scale(length time.Duration, columns int) string {
	step := time.Second
	for _, s := range []time.Duration{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400} {
		step = s * time.Second
		if int64(columns)*int64(step)/int64(length) >= 8 {
			break
		}
	}
	line := []rune(strings.Repeat(" ", columns))
	for t := time.Duration(0); t < length; t += step {
		text := []rune(short(t))
		if i := int(int64(t) * int64(columns) / int64(length)); i+len(text) <= columns {
			copy(line[i:], text)
		}
	}
	return strings.TrimRight(string(line), " ")
}

// short writes 90s as 1m30s and 60s as 1m.
func short(t time.Duration) string {
	text := t.String()
	if t >= time.Minute {
		text = strings.TrimSuffix(text, "0s")
	}
	if t >= time.Hour {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
