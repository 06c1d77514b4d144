// Package export writes a history in general formats: tables, documents, time series and
// traces that spreadsheets, notebooks, Prometheus and OpenTelemetry read. The formats of
// other checkers are those of package elsewhere.
//
// Times are relative to the start of the test, or on the wall clock as the test's computer
// had it then: the machines' clock runs on evenly, so a step of the wall clock does not show.
package export

import (
	"strings"
	"time"
	"unicode"

	"squall/history"
)

// since is a time of the history as ns since the start of the test.
func since(h *history.History, at int64) int64 { return at - h.Mono }

// wall is a time of the history on the wall clock.
func wall(h *history.History, at int64) time.Time {
	return h.Wall.Add(time.Duration(since(h, at))).UTC()
}

// printable is a text whose characters all show themselves, others being spelled out: servers choose what an
// error says, and a terminal may be where it goes.
func printable(s string) string {
	if strings.IndexFunc(s, doesMore) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if doesMore(r) {
			b.WriteString(strings.Trim(history.Show(string(r)), `"`))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// spell is one fault from its injection to its heal, in ns since the start of the test.
type spell struct {
	*history.Fault // its injection
	Begin, End     int64
	Healed         bool
}

// spells joins the injections of faults and their heals, in order of injection. A fault that
// did not take effect is not among them; one that was never healed ends with the history.
func spells(h *history.History, end int64) (all []spell) {
	at := make(map[int]int)
	for i := range h.Faults {
		f := &h.Faults[i]
		switch k, known := at[f.ID]; {
		case f.Phase == history.Inject && f.Err == "":
			at[f.ID] = len(all)
			all = append(all, spell{Fault: f, Begin: since(h, f.Begin), End: end})
		case f.Phase == history.Heal && known:
			all[k].End, all[k].Healed = since(h, max(f.Begin, f.End)), true
		}
	}
	return all
}

// doesMore says of a character that it does more than show itself: it controls a terminal,
// or turns the direction of a text.
func doesMore(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
