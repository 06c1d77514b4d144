package reports

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
	"squall/internal/plain"
)

var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`' onmouseover='alert(1)`,
	`</style></svg></table><iframe src="https://example.org"></iframe>`,
	`javascript:alert(1)`,
	"{{.Verdict}} {{template \"x\"}}",
	"\x00\x1b[31m\xff\u202e",
}

var (
	tags       = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>`)
	attributes = regexp.MustCompile(`([a-zA-Z][-a-zA-Z:]*)\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)`)
	allowed    = strings.Fields(`html head meta title style body main header div svg circle path strong h1 h2 h3 dl dt dd b ul li
		pre code section span p figure figcaption picture source img rect text line table thead tbody tr th td details summary a footer
		script noscript i button label form input select option canvas br abbr`)
	scripts = regexp.MustCompile(`(?s)<script( type="(?:application/json|text/plain)"(?: id="[a-z-]+")?(?: class="ops")?)?>(.*?)</script>`)
)

// strays finds what a page that loads nothing and runs nothing cannot hold.
func strays(html string) []string {
	var found []string
	// What stands in a script is data, or one of squall's own.
	own := []string{asset(uplot), asset("scene.js"), asset("charts.js"), asset("timeline.js")}
	html = scripts.ReplaceAllStringFunc(html, func(whole string) string {
		m := scripts.FindStringSubmatch(whole)
		if m[1] == "" && !slices.Contains(own, m[2]) || m[1] != "" && strings.ContainsAny(m[2], "<>") {
			found = append(found, plain.Clip(whole, 200))
		}
		return ""
	})
	for _, tag := range tags.FindAllStringSubmatch(html, -1) {
		if !slices.Contains(allowed, strings.ToLower(tag[2])) {
			found = append(found, tag[0])
		}
		for _, a := range attributes.FindAllStringSubmatch(tag[3], -1) {
			name, value := strings.ToLower(a[1]), strings.Trim(a[2], `"'`)
			switch {
			case strings.HasPrefix(name, "on"),
				name == "style", name == "xlink:href",
				name == "src" && !strings.HasPrefix(value, "data:image/png;base64,"),
				name == "srcset" && !strings.HasPrefix(value, "data:image/png;base64,"),
				name == "href" && !strings.HasPrefix(value, "./"):
				found = append(found, plain.Clip(tag[0], 200))
			}
		}
	}
	for _, word := range []string{"@import", "url(", "ZgotmplZ"} {
		if strings.Contains(html, word) {
			found = append(found, word)
		}
	}
	// No address in any form, but in text, where it is escaped or plain.
	if strings.Contains(strings.ReplaceAll(html, "http-equiv", ""), `="http`) {
		found = append(found, `="http`)
	}
	return found
}

func TestLoadsNothing(t *testing.T) {
	in := smallStorm()
	res := judged(in)
	violate(in, res)
	_, html := write(t, in, res)
	if s := strays(html); len(s) > 0 {
		t.Errorf("the page holds %q", s)
	}
	if !strings.Contains(html, `href="./linearizable-k4.html"`) {
		t.Error("the checker's picture is not linked")
	}
}

// The test of the test: what strays looks for, it finds.
func TestStrays(t *testing.T) {
	for _, bad := range []string{
		`<script>x</script>`, `<script type="text/plain">a<b</script>`, `<p onclick="x">`, `<a href="https://example.org">`, `<img src="x.png">`,
		`<link rel="stylesheet">`, `<div style="x">`, `<a href="javascript:x">`, `<source srcset="a.png">`,
	} {
		if len(strays(bad)) == 0 {
			t.Errorf("%s passed", bad)
		}
	}
}

func TestHostile(t *testing.T) {
	for i, evil := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			in := newStorm(5, 8, 2, 30*time.Millisecond, true)
			in.Header.Test, in.Header.System, in.Header.Workload, in.Header.Squall = evil, evil, evil, evil
			in.Header.Nodes[0] = evil
			for j := range in.Faults {
				f := &in.Faults[j]
				f.Name, f.Variant, f.Detail, f.Targets, f.Proof = evil, evil, evil, []string{evil}, []string{evil}
			}
			for j := range in.Ops {
				in.Ops[j].Key, in.Ops[j].Error = evil, evil
				in.Ops[j].Func = history.Func(evil)
			}
			res := judged(in)
			for j := range res.Faults {
				res.Faults[j].Err = evil
			}
			res.Verdict, res.Reasons = check.Verdict(evil), []string{evil}
			res.Checks = []check.Result{{Name: evil, Verdict: check.Verdict(evil), Summary: evil, Key: evil, Picture: evil,
				Stats:   map[string]float64{evil: 1},
				Witness: []check.WitnessOp{{Node: evil, Text: evil, Outcome: evil, Call: 4e9, Return: 5e9}, {Node: "n1", Text: evil, Outcome: "ok", Call: 4e9, Return: 4e9}},
				Events:  []history.NodeEvent{{Node: evil, Kind: evil, Role: evil, Hash: evil, Leader: evil, Reason: evil, Members: []string{evil}}}}}
			res.Elections.Losses = append(res.Elections.Losses, res.Elections.Losses...)
			for j := range res.Elections.Losses {
				res.Elections.Losses[j].Cause, res.Elections.Losses[j].Node = evil, evil
			}
			res.Effects = []measure.FaultEffect{{ID: 99, Name: evil, Changes: []measure.Change{{Metric: "throughput", Unit: evil, To: "during", Value: 1, Sure: true}}}}
			res.History.Truncated = evil
			r := &run{dir: evil, results: res, history: in,
				plan: document{fields: map[string]any{"command": evil}, text: evil, trouble: evil},
				env:  document{fields: map[string]any{evil: evil}, trouble: evil}}
			var page strings.Builder
			if err := renderReport(&page, newPage(r, newFigures(in, res))); err != nil {
				t.Fatal(err)
			}
			html := page.String()
			if s := strays(html); len(s) > 0 {
				t.Errorf("the page holds %q", s)
			}
			if strings.Contains(scripts.ReplaceAllString(html, ""), evil) && strings.ContainsAny(evil, `<>"'`) {
				t.Errorf("%q is in the page as it is", evil)
			}
		})
	}
}

// Hostile names do not upset the figures either. What names nodes and functions
// is refused before: see the validator in package history.
func TestHostileFigures(t *testing.T) {
	in := newStorm(5, 8, 2, 30*time.Millisecond, true)
	for i, evil := range hostile {
		k := i % (len(in.Faults) / 2)
		in.Faults[2*k].Name, in.Faults[2*k+1].Name = evil, evil
		in.Ops[i].Key = evil + strings.Repeat("x", 200)
	}
	write(t, in, judged(in))
}

func TestPictureLink(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b#c?.html", "javascript:alert(1)", "plain.html"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"plain.html":             "./plain.html",
		"a b#c?.html":            "./a%20b%23c%3F.html",
		"javascript:alert(1)":    "./javascript:alert%281%29",
		"../plain.html":          "",
		"/etc/passwd":            "",
		"missing.html":           "",
		"https://example.org/x":  "",
		"":                       "",
		".":                      "",
		"./../../etc/passwd":     "",
		"nodes/../plain.html":    "./plain.html",
		"plain.html\x00.png":     "",
		strings.Repeat("x", 999): "",
	} {
		if got := pictureLink(dir, name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
