package reports

import (
	"fmt"
	"html/template"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
	"squall/internal/number"
	"squall/internal/plain"
)

// finding is a check that did not pass and holds something to look at.
type finding struct {
	Name, Verdict, Summary, Key string
	Kind, Explanation           string // of a violation, when they are known
	Witness                     []witnessRow
	Timeline                    *timeline
	Events                      []eventRow
	Cycle                       template.HTML
	Picture                     string // a relative link, or ""
	Moment                      string // a relative link to its operations, or ""
	Left                        int    // operations and events that are not shown
	Led                         bool   // its picture stands at the top of the page
}

type witnessRow struct {
	Number             int // as in the timeline
	Process            int64
	Node, Text         string
	Outcome            string
	Call, Return, Took string
}

type eventRow struct {
	Number               int // as in the timeline
	At, Node, Kind, Text string
}

// maxShown bounds the operations and events that a finding lists.
const maxShown = 60

func findingsOf(r *run, fig *figures) []finding {
	var out []finding
	spots := 0
	for _, c := range r.results.Checks {
		if c.Verdict == check.Pass || len(c.Witness) == 0 && len(c.Events) == 0 && c.Picture == "" {
			continue
		}
		f := finding{Name: plain.Clip(c.Name, maxShownText), Verdict: string(c.Verdict), Summary: plain.Clip(c.Told(), maxShownText), Key: plain.Clip(c.Key, maxShownText),
			Kind: capital(plain.Clip(string(c.Kind), maxName)), Cycle: cycleFigure(&c), Explanation: plain.Clip(c.Explanation, maxShownText), Picture: pictureLink(r.dir, c.Picture)}
		witness, events := c.Witness, c.Events
		if len(witness) > maxShown {
			f.Left += len(witness) - maxShown
			witness = witness[:maxShown]
		}
		if len(events) > maxShown {
			f.Left += len(events) - maxShown
			events = events[:maxShown]
		}
		for i, w := range witness {
			row := witnessRow{Number: i + 1, Process: w.Process, Node: plain.Clip(w.Node, maxName), Text: plain.Clip(w.Text, 600), Outcome: plain.Clip(w.Outcome, maxName), Call: seconds(w.Call),
				Return: seconds(w.Return), Took: number.Millis(measure.Millis(float64(w.Return-w.Call) / 1e6))}
			if w.Beside {
				row.Text += " (not part of it, but explains it)"
			}
			if w.Outcome == string(history.Info) {
				row.Return, row.Took = "never answered", "–"
			}
			f.Witness = append(f.Witness, row)
		}
		if len(witness) > 0 {
			f.Timeline = newTimeline(witness, processName, fig)
			if spots++; r.historyErr == nil && spots <= mostSought {
				f.Moment = spotLink(spots)
			} else if r.historyErr == nil {
				f.Moment = momentLink(middle(witness))
			}
		}
		if len(events) > 0 && f.Timeline == nil && r.historyErr == nil {
			f.Timeline = eventsTimeline(events, r.history.Mono, fig)
		}
		for i := range events {
			f.Events = append(f.Events, eventRow{Number: i + 1, At: r.sinceStart(events[i].Time), Node: plain.Clip(events[i].Node, maxName), Kind: plain.Clip(events[i].Kind, maxName), Text: plain.Clip(eventText(&events[i]), 600)})
		}
		out = append(out, f)
	}
	return out
}

// middle is when the operations of a witness that returned last did so, where
// what is wrong shows; ns since the start.
func middle(witness []check.WitnessOp) int64 {
	var at int64
	for _, w := range witness {
		if w.Outcome != string(history.Info) {
			at = max(at, w.Call)
		}
	}
	return at
}

// momentLink leads to the operations around a time.
func momentLink(ns int64) string {
	return fmt.Sprintf("./%s#t=%.6f", TimelineFile, float64(max(ns, 0))/1e9)
}

// sinceStart shows a time of the machine's clock, which node events carry, as
// seconds since the test began, when the history says when that was.
func (r *run) sinceStart(mono int64) string {
	if r.historyErr != nil {
		return seconds(mono) + " (machine's clock)"
	}
	return seconds(mono - r.history.Mono)
}

// pictureLink is a link to a file in the run directory, however odd its name;
// "" when the file is not there, or elsewhere.
func pictureLink(dir, name string) string {
	if name == "" || !filepath.IsLocal(name) {
		return ""
	}
	if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	parts := strings.Split(filepath.ToSlash(filepath.Clean(name)), "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return "./" + strings.Join(parts, "/")
}

// eventText says what a node event says, field by field.
func eventText(e *history.NodeEvent) string {
	var parts []string
	add := func(format string, v any) { parts = append(parts, fmt.Sprintf(format, v)) }
	if e.Role != "" {
		add("becomes %s", e.Role)
	}
	if e.Vote != "" {
		add("votes for %s", e.Vote)
	}
	if e.Term != 0 {
		add("term %d", e.Term)
	}
	if e.Index != 0 {
		add("index %d", e.Index)
	}
	if e.EntryTerm != 0 {
		add("entry of term %d", e.EntryTerm)
	}
	if e.Hash != "" {
		add("hash %s", e.Hash)
	}
	if e.Leader != "" {
		add("follows %s", e.Leader)
	}
	if len(e.Members) > 0 {
		add("members %s", strings.Join(e.Members, " "))
	}
	if e.Reason != "" {
		add("(%s)", e.Reason)
	}
	if e.Boot > 1 {
		add("start %d of its process", e.Boot)
	}
	return strings.Join(parts, ", ")
}
