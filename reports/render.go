package reports

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"squall/history/check"
	"squall/history/measure"
	"squall/internal/number"
	"squall/internal/plain"
)

//go:embed assets
var assets embed.FS

func asset(name string) string {
	text, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it is built in
	}
	return string(text)
}

// script is a script of a page. The page's policy names its hash, so that no
// other one runs, whatever a run's keys and values hold.
func script(name string) template.JS { return template.JS(asset(name)) }

// policy is the content security policy of a page: nothing is loaded, and only
// these scripts run.
func policy(scripts ...string) string {
	p := "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; script-src"
	for _, name := range scripts {
		sum := sha256.Sum256([]byte(asset(name)))
		p += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return p
}

const uplot = "uplot/uPlot.iife.min.js"

// fill fills a page's template. html/template escapes whatever comes from a run
// for the place where it stands: keys, values, errors and names may hold
// anything.
func fill(w io.Writer, name string, data any) error {
	t, err := template.New(name).Funcs(template.FuncMap{
		"style":   func(name string) template.CSS { return template.CSS(asset(name)) },
		"script":  script,
		"policy":  policy,
		"capital": capital,
		"meaning": meaning,
	}).ParseFS(assets, "assets/"+name)
	if err != nil {
		return fmt.Errorf("parse the template: %w", err)
	}
	if err := t.Execute(textWriter{w}, data); err != nil {
		return fmt.Errorf("fill the template: %w", err)
	}
	return nil
}

// textWriter makes every byte that is no UTF-8 a replacement character, as JSON does:
// a page shows the same of results that were just made and of those in results.json.
// Each text is written at once.
type textWriter struct{ w io.Writer }

func (t textWriter) Write(p []byte) (int, error) {
	if utf8.Valid(p) {
		return t.w.Write(p)
	}
	if _, err := io.WriteString(t.w, string([]rune(string(p)))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// renderReport writes report.html.
func renderReport(w io.Writer, p page) error { return fill(w, "report.html.tmpl", p) }

// operations is what the template of timeline.html shows.
type operations struct {
	Test    string
	Note    string
	Data    template.JS
	Found   bool // there is a finding to show
	Texts   template.HTML
	Chunks  []template.HTML
	Classes []measure.FaultClass
}

// place is a moment to jump to.
type place struct {
	Text string `json:"text"`
	At   micros `json:"at"`
}

// renderTimeline writes timeline.html.
func renderTimeline(w io.Writer, r *run, fig *figures) error {
	spots, found := spotsOf(r, fig)
	log, err := pack(r.history, moments(r, fig), found, maxOps)
	if err != nil {
		return fmt.Errorf("pack the operations: %w", err)
	}
	data, err := dataBlock(map[string]any{"scene": newScene(fig), "log": log, "places": placesOf(r, fig), "findings": spots})
	if err != nil {
		return fmt.Errorf("pack the operations: %w", err)
	}
	p := operations{Test: plain.Clip(cmp.Or(r.history.Test, "unnamed test"), maxShownText), Data: data, Found: len(spots) > 0, Texts: log.strings, Chunks: log.chunks,
		Note: fmt.Sprintf("All %s are here.", plural(log.Total, "operation"))}
	if log.Shown < log.Total {
		p.Note = fmt.Sprintf("%s of %s operations are here: what did not succeed, what is near a fault, the loss of a leader or a finding, and one in %d of the rest. The history holds all.",
			number.Count(log.Shown), number.Count(log.Total), log.One)
	}
	return fill(w, "timeline.html.tmpl", p)
}

// placesOf are the moments of a run that one may want to see.
func placesOf(r *run, fig *figures) []place {
	places := []place{}
	found := 0
	for _, c := range r.results.Checks {
		if c.Verdict == check.Pass || len(c.Witness) == 0 {
			continue
		}
		if found++; found > mostSought { // those before have entries of their own
			places = append(places, place{"finding: " + plain.Clip(c.Name, maxName), micros(middle(c.Witness))})
		}
	}
	for _, l := range fig.lost {
		places = append(places, place{fmt.Sprintf("%s  leader lost: %s (%s)", seconds(l.At), plain.Clip(l.Node, maxName), plain.Clip(l.Cause, maxName)), micros(l.At)})
	}
	for _, f := range fig.faults {
		places = append(places, place{fmt.Sprintf("%s  fault %d: %s", seconds(f.Begin), f.ID, plain.Clip(bandLabels(f)[0], maxName)), micros(f.Begin)})
	}
	slices.SortStableFunc(places, func(a, b place) int {
		fa, fb := strings.HasPrefix(a.Text, "finding"), strings.HasPrefix(b.Text, "finding")
		if fa != fb {
			return map[bool]int{true: -1, false: 1}[fa]
		}
		return cmp.Compare(a.At, b.At)
	})
	return places
}
