package reports

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
)

// update writes the golden page anew: go test ./reports -update.
var update = flag.Bool("update", false, "write the golden files anew")

// coarse is a resolution that is quick to draw, where the picture is not the
// matter.
const coarse = 18

// write makes a run directory of a history and its report.
func write(t *testing.T, in *history.History, res *check.Results) (dir, html string) {
	t.Helper()
	dir = t.TempDir()
	saveRun(t, dir, in, res)
	if err := os.WriteFile(filepath.Join(dir, "linearizable-k4.html"), []byte("<p>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeTo(context.Background(), newBatch(dir), coarse); err != nil {
		t.Fatal(err)
	}
	return dir, readPage(t, dir)
}

func readPage(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, ReportFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// smallStorm is a storm that is quick to draw.
func smallStorm() *history.History { return newStorm(7, 20, 3, 20*time.Millisecond, true) }

var dataBlocks = regexp.MustCompile(`(?s)<script type="application/json" id="charts-data">.*?</script>`)

func TestGoldenPage(t *testing.T) {
	in := smallStorm()
	res := judged(in)
	violate(in, res)
	dir, html := write(t, in, res)
	html = strings.ReplaceAll(dataBlocks.ReplaceAllString(html, "[DATA]"), dir, "DIR")
	for _, name := range []string{"base.css", "report.css", "uplot/uPlot.min.css", uplot, "scene.js", "charts.js"} {
		html = strings.ReplaceAll(html, asset(name), "["+name+"]\n")
	}
	html = strings.ReplaceAll(html, policy(uplot, "scene.js", "charts.js"), "[POLICY]")
	golden := filepath.Join("testdata", "violation.golden.html")
	if *update {
		if err := os.WriteFile(golden, []byte(html), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(html, "\n")); diff != "" {
		t.Errorf("the page changed; if it is for the better, run `go test ./reports -update` (-want +got):\n%s", diff)
	}
}

func decode(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return img
}

// colorsOf counts the pixels of each colour. Figures are opaque.
func colorsOf(img image.Image) map[color.NRGBA]int {
	n := map[color.NRGBA]int{}
	pix := img.(*image.RGBA).Pix // what png.Decode makes of an opaque picture
	for run := 0; run < len(pix); {
		end := run + 4
		for end < len(pix) && bytes.Equal(pix[run:run+4], pix[end:end+4]) {
			end += 4
		}
		n[color.NRGBA{R: pix[run], G: pix[run+1], B: pix[run+2], A: pix[run+3]}] += (end - run) / 4
		run = end
	}
	return n
}

// paint draws a figure as it is, through its PNG.
func paint(t *testing.T, p painter, fig *figures, th theme, dpi int) image.Image {
	t.Helper()
	var file bytes.Buffer
	if err := p.paint(fig, th, newStudio(dpi)).write(&file); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&file)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestFigures(t *testing.T) {
	in, quiet := smallStorm(), newStorm(3, 10, 2, 20*time.Millisecond, false)
	stormy, calm, th := newFigures(in, judged(in)), newFigures(quiet, judged(quiet)), lightTheme()
	colors := map[string]map[color.NRGBA]int{}
	for _, p := range painters() {
		img := paint(t, p, stormy, th, sheetDPI)
		if b := img.Bounds(); b.Dx() != 1600 || b.Dy() < 500 || b.Dy() > 1200 {
			t.Errorf("%s: size %v", p.Name, b)
		}
		got, without := colorsOf(img), colorsOf(paint(t, p, calm, th, sheetDPI/4))
		colors[p.Name] = got
		if len(got) < 50 || got[th.paper] == 0 {
			t.Errorf("%s: %d colours: is it blank?", p.Name, len(got))
		}
		for _, fault := range []measure.FaultClass{"kill", "pause", "partition"} {
			c := bandColor(fault)
			if got[c] < 100 {
				t.Errorf("%s: the head of a %s has %d pixels", p.Name, fault, got[c])
			}
			if p.Name != "elections" && without[c] > 0 {
				t.Errorf("%s: there was no %s, but it has %d pixels", p.Name, fault, without[c])
			}
			// The band itself, mixed with the paper.
			if n := got[mix(th, c)]; n < 5000 {
				t.Errorf("%s: the band of a %s has %d pixels", p.Name, fault, n)
			}
		}
	}
	for what, c := range map[string]color.NRGBA{"leader": th.leader, "no leader": th.noLeader, "unavailable": th.unavailable, "candidate": th.candidate} {
		if colors["elections"][c] == 0 {
			t.Errorf("nothing shows %s", what)
		}
	}
	if l := colors["latency"]; l[th.fail] == 0 || l[th.info] == 0 {
		t.Errorf("failed: %d pixels, unknown: %d", l[th.fail], l[th.info])
	}
}

// mix is what a band looks like on paper, as the rasteriser rounds it.
func mix(th theme, band color.NRGBA) color.NRGBA {
	s := newSheet(10, th, newStudio(coarse))
	s.fill(0, 0, 10, 10, withAlpha(band, th.band))
	return color.NRGBAModel.Convert(s.image.Image().At(1, 1)).(color.NRGBA)
}

// copied is a history that can be given other lists.
func copied(h *history.History) *history.History {
	c := *h
	return &c
}

// Whatever a run is about, it gets a page.
func TestEveryRunGetsAPage(t *testing.T) {
	storm := smallStorm()
	cut := copied(storm)
	cut.Marks, cut.Faults, cut.Nodes, cut.Ops = storm.Marks[:3], storm.Faults[:3], storm.Nodes[:9], storm.Ops[:200]
	failing := newStorm(3, 5, 2, 20*time.Millisecond, false)
	for i := range failing.Ops {
		failing.Ops[i].Outcome, failing.Ops[i].Out = history.Fail, ""
	}
	other := newStorm(3, 5, 2, 20*time.Millisecond, false)
	other.Header.Functions = history.Functions{{Name: "take", Text: "take {in.0}"}, {Name: "look", Reads: true, Text: "look"},
		{Name: "a", Text: "a"}, {Name: "b", Text: "b"}, {Name: "c", Text: "c"}}
	for i := range other.Ops {
		op := &other.Ops[i]
		op.Func, op.Key, op.In, op.Out = []history.Func{"look", "take", "c"}[i%3], "", `[{"lock":1}]`, ""
	}
	forever := copied(storm)
	forever.Faults = storm.Faults[:1]
	untraced := copied(storm)
	untraced.Nodes = nil
	for _, tt := range []struct {
		name    string
		in      *history.History
		verdict check.Verdict
		want    []string
	}{
		{"nothing at all", &history.History{Header: storm.Header}, check.Invalid, []string{"Invalid", "No operation was run", "No fault was injected", "The servers wrote no trace", "Nothing was checked"}},
		{"no header to speak of", &history.History{Header: history.Header{Nodes: []string{"n1"}}}, check.Invalid, []string{"Invalid", "unnamed test"}},
		{"no faults", newStorm(3, 5, 2, 20*time.Millisecond, false), check.Pass, []string{"Pass", "No fault was injected", "No leader was lost"}},
		{"a history cut", cut, check.Unknown, []string{"Unknown", "This is not a pass", "squall check"}},
		{"no operation succeeded", failing, check.Invalid, []string{"no data"}},
		{"another workload", other, check.Pass, []string{"<span>● take ▲ look ◆ other</span>", "<td>look</td>", `"name":"take","look":"f0"`, `"name":"c","look":"f4"`}},
		{"no trace", untraced, check.Pass, []string{"The servers wrote no trace, so who led is not known.", `<span class="legend"><span>no trace: who led is not known</span>`, "Leaders lost"}},
		{"a fault that was never healed", forever, check.Invalid, []string{"never"}},
		{"a verdict from the future", storm, "splendid", []string{"No verdict", "splendid"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := judged(tt.in)
			res.Verdict, res.Checks = tt.verdict, nil
			dir, html := write(t, tt.in, res)
			for _, w := range tt.want {
				if !strings.Contains(html, w) {
					t.Errorf("the page does not say %q", w)
				}
			}
			for _, p := range painters() {
				if n := len(colorsOf(decode(t, filepath.Join(dir, p.Name+".png")))); n < 5 {
					t.Errorf("%s has %d colours", p.Name, n)
				}
			}
		})
	}
}

func TestMissingAndDamaged(t *testing.T) {
	in := newStorm(3, 3, 2, 20*time.Millisecond, false)
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		err    []string // what the error says; none: there is no error
		page   []string // what the page says; none: there is no page
	}{
		{"no results", remove(resultsFile), []string{resultsFile, "squall check"}, nil},
		{"damaged results", overwrite(resultsFile, `{"schemaVersion":`), []string{resultsFile, "squall check"}, nil},
		{"no history", remove(historyFile), []string{historyFile, "no figures", "copy it back"}, []string{"Pass", "no figures"}},
		{"a history of something else", overwrite(historyFile, "hello"), []string{historyFile, "no figures"}, []string{"Pass", "no figures"}},
		{"a history cut", beginFrame, nil, []string{"Pass"}},
		{"no plan, no environment", func(t *testing.T, dir string) { remove(planFile)(t, dir); remove(envFile)(t, dir) }, nil, []string{"Pass", "raftkv-register"}},
		{"a damaged plan", overwrite(planFile, "{]"), nil, []string{"plan.json is damaged"}},
		{"an overloaded host", overwrite(envFile, `{"load":{"words":{"before":"2 cores, load 3","during":"load at most <b>80"},"overloaded":"load 80 on 2 cores"}}`), nil,
			[]string{"The host was overloaded: load 80 on 2 cores", "Before the test", "2 cores, load 3", "load at most &lt;b&gt;80"}},
		{"a log that is too long", overwrite(envFile, `{"logsShortened":["n<2"]}`), nil,
			[]string{"The log of n&lt;2 is too long to be kept whole: nodes/n&lt;2/server.log has the beginning and the end"}},
		{"logs that are too long", overwrite(envFile, `{"logsShortened":["n1","n3"]}`), nil, []string{"The logs of n1, n3 are too long"}},
		{"a damaged environment", overwrite(envFile, "[1,"), nil, []string{"env.json is damaged"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			saveRun(t, dir, in, judged(in))
			overwrite("latency.png", "an old picture")(t, dir)
			tt.damage(t, dir)
			err := writeTo(context.Background(), newBatch(dir), coarse)
			if (err != nil) != (tt.err != nil) {
				t.Fatalf("error: %v", err)
			}
			for _, w := range tt.err {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error does not say %q: %v", w, err)
				}
			}
			if tt.page == nil {
				if _, err := os.Stat(filepath.Join(dir, ReportFile)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("there is a page: %v", err)
				}
				return
			}
			html := readPage(t, dir)
			for _, w := range tt.page {
				if !strings.Contains(html, w) {
					t.Errorf("the page does not say %q", w)
				}
			}
			old, err := os.ReadFile(filepath.Join(dir, "latency.png"))
			if err == nil && bytes.HasPrefix(old, []byte("an old")) {
				t.Error("a picture of an earlier report was left behind")
			}
		})
	}
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func overwrite(name, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// beginFrame leaves a history as a crash does: the last frame has begun, but
// is not whole.
func beginFrame(t *testing.T, dir string) {
	path := filepath.Join(dir, historyFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, text[:20]...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCancelled(t *testing.T) {
	in := newStorm(3, 3, 2, 20*time.Millisecond, false)
	dir := t.TempDir()
	saveRun(t, dir, in, judged(in))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Write(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if slices.ContainsFunc(left, func(f string) bool {
		return filepath.Ext(f) == ".html" || filepath.Ext(f) == ".png" || filepath.Ext(f) == ".svg"
	}) {
		t.Errorf("left behind: %v", left)
	}
}

// A second report replaces the first and leaves nothing else behind.
func TestTwice(t *testing.T) {
	in := newStorm(3, 3, 2, 20*time.Millisecond, false)
	dir, first := write(t, in, judged(in))
	before, _ := os.ReadDir(dir)
	if err := writeTo(context.Background(), newBatch(dir), coarse); err != nil {
		t.Fatal(err)
	}
	after, _ := os.ReadDir(dir)
	if len(before) != len(after) || readPage(t, dir) != first {
		t.Errorf("%d files became %d, or the page changed", len(before), len(after))
	}
}
