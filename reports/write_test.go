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

// write makes a run directory of a history and its report.
func write(t *testing.T, in measure.Input, res *check.Results) (dir, html string) {
	t.Helper()
	dir = t.TempDir()
	saveRun(t, dir, in, res)
	if err := os.WriteFile(filepath.Join(dir, "linearizable-k4.html"), []byte("<p>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(context.Background(), dir); err != nil {
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
func smallStorm() measure.Input { return newStorm(7, 20, 3, 20*time.Millisecond, true) }

var dataURLs = regexp.MustCompile(`data:image/png;base64,[A-Za-z0-9+/=&#;]+`)

func TestGoldenPage(t *testing.T) {
	in := smallStorm()
	res := judged(in)
	violate(&in, res)
	dir, html := write(t, in, res)
	html = strings.ReplaceAll(dataURLs.ReplaceAllString(html, "[PNG]"), dir, "DIR")
	html = strings.ReplaceAll(html, styleSheet, "[CSS]\n")
	// How long packing the file took, and to how much, is not this page's matter.
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

// colorsOf counts the pixels of each colour.
func colorsOf(img image.Image) map[color.NRGBA]int {
	n := map[color.NRGBA]int{}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			n[color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)]++
		}
	}
	return n
}

func TestFigures(t *testing.T) {
	stormy := smallStorm()
	calm := newStorm(3, 10, 2, 20*time.Millisecond, false)
	dir, _ := write(t, stormy, judged(stormy))
	calmDir, _ := write(t, calm, judged(calm))
	th := lightTheme()
	for _, p := range painters() {
		t.Run(p.file, func(t *testing.T) {
			img := decode(t, filepath.Join(dir, p.file))
			if b := img.Bounds(); b.Dx() != 1600 || b.Dy() < 500 || b.Dy() > 1200 {
				t.Errorf("size %v", b)
			}
			got, without := colorsOf(img), colorsOf(decode(t, filepath.Join(calmDir, p.file)))
			if len(got) < 50 || got[th.paper] == 0 {
				t.Errorf("%d colours: is it blank?", len(got))
			}
			for _, fault := range []string{"kill", "pause", "partition"} {
				c := bandColor(fault)
				if got[c] < 100 {
					t.Errorf("the head of a %s has %d pixels", fault, got[c])
				}
				if without[c] > 0 {
					t.Errorf("there was no %s, but it has %d pixels", fault, without[c])
				}
				// The band itself, mixed with the paper.
				if n := got[mix(th.paper, withAlpha(c, th.band))]; n < 5000 {
					t.Errorf("the band of a %s has %d pixels", fault, n)
				}
			}
		})
	}
	elections := colorsOf(decode(t, filepath.Join(dir, "elections.png")))
	for what, c := range map[string]color.NRGBA{"leader": th.leader, "no leader": th.noLeader, "unavailable": th.unavailable, "candidate": th.candidate} {
		if elections[c] == 0 {
			t.Errorf("nothing shows %s", what)
		}
	}
	outcomes := colorsOf(decode(t, filepath.Join(dir, "latency.png")))
	if outcomes[th.fail] == 0 || outcomes[th.info] == 0 {
		t.Errorf("failed: %d pixels, unknown: %d", outcomes[th.fail], outcomes[th.info])
	}
}

// mix is what a translucent colour looks like on paper, as the rasteriser
// rounds it.
func mix(paper, c color.NRGBA) color.NRGBA {
	dst := image.NewRGBA(image.Rect(0, 0, 1, 1))
	s := newSheet(10, lightTheme(), newTypesetter())
	s.fill(0, 0, 10, 10, c)
	dst.Set(0, 0, s.image.Image().At(5, 10))
	return color.NRGBAModel.Convert(dst.At(0, 0)).(color.NRGBA)
}

// Whatever a run is about, it gets a page.
func TestEveryRunGetsAPage(t *testing.T) {
	storm := smallStorm()
	cut := storm
	cut.Marks, cut.Faults, cut.Nodes, cut.Ops = storm.Marks[:3], storm.Faults[:3], storm.Nodes[:9], storm.Ops[:200]
	failing := newStorm(3, 5, 2, 20*time.Millisecond, false)
	for i := range failing.Ops {
		failing.Ops[i].Outcome = history.Fail
	}
	forever := storm
	forever.Faults = storm.Faults[:1]
	for _, tt := range []struct {
		name    string
		in      measure.Input
		verdict check.Verdict
		want    []string
	}{
		{"nothing at all", measure.Input{Header: storm.Header}, check.Invalid, []string{"Invalid", "No operation was run", "No fault was injected", "No leader was lost", "Nothing was checked"}},
		{"no header to speak of", measure.Input{}, check.Invalid, []string{"Invalid", "unnamed test"}},
		{"no faults", newStorm(3, 5, 2, 20*time.Millisecond, false), check.Pass, []string{"Pass", "No fault was injected", "No leader was lost"}},
		{"a history cut", cut, check.Unknown, []string{"Unknown", "This is not a pass", "squall check"}},
		{"no operation succeeded", failing, check.Invalid, []string{"nothing to measure"}},
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
				if n := len(colorsOf(decode(t, filepath.Join(dir, p.file)))); n < 20 {
					t.Errorf("%s has %d colours", p.file, n)
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
		{"a history cut", func(t *testing.T, dir string) { truncate(t, filepath.Join(dir, historyFile), 20) }, nil, []string{"Pass"}},
		{"no plan, no environment", func(t *testing.T, dir string) { remove(planFile)(t, dir); remove(envFile)(t, dir) }, nil, []string{"Pass", "raftkv-register"}},
		{"a damaged plan", overwrite(planFile, "{]"), nil, []string{"plan.json is damaged"}},
		{"a damaged environment", overwrite(envFile, "[1,"), nil, []string{"env.json is damaged"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			saveRun(t, dir, in, judged(in))
			overwrite("latency.png", "an old picture")(t, dir)
			tt.damage(t, dir)
			err := Write(context.Background(), dir)
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

// truncate cuts bytes off the end of a file.
func truncate(t *testing.T, path string, bytes int64) {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-bytes); err != nil {
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
	if slices.ContainsFunc(left, func(f string) bool { return filepath.Ext(f) == ".html" || filepath.Ext(f) == ".png" }) {
		t.Errorf("left behind: %v", left)
	}
}

// A second report replaces the first and leaves nothing else behind.
func TestTwice(t *testing.T) {
	in := newStorm(3, 3, 2, 20*time.Millisecond, false)
	dir, first := write(t, in, judged(in))
	before, _ := os.ReadDir(dir)
	if err := Write(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	after, _ := os.ReadDir(dir)
	if len(before) != len(after) || readPage(t, dir) != first {
		t.Errorf("%d files became %d, or the page changed", len(before), len(after))
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, size := range []struct {
		name     string
		seconds  int
		interval time.Duration
	}{{"100k", 30, 1500 * time.Microsecond}, {"1M", 120, 0}} {
		b.Run(size.name, func(b *testing.B) {
			in := newStorm(7, size.seconds, 15, size.interval, true)
			dir := b.TempDir()
			saveRun(b, dir, in, judged(in))
			b.ReportMetric(float64(len(in.Ops)), "ops")
			b.ResetTimer()
			for b.Loop() {
				if err := Write(context.Background(), dir); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(in.Ops)), "ops")
		})
	}
}
