package reports

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"squall/history/check"
	"squall/history/measure"
	"squall/reports/browsertest"
)

// evil would run if a value of a run became script or markup.
const evil = `</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">` + "\u2028\x01"

// hostileRun is a violation in a storm whose names, keys and values are hostile. It
// is written once: tests only look at it.
func hostileRun(t *testing.T) string {
	t.Helper()
	hostileOnce.Do(func() { hostileDir = writeHostile(t) })
	if hostileDir == "" {
		t.Fatal("the run could not be written; see the test before")
	}
	return hostileDir
}

var (
	hostileOnce sync.Once
	hostileDir  string
)

func writeHostile(t *testing.T) string {
	t.Helper()
	in := smallStorm()
	in.Header.Test = evil // hostile names of nodes and functions are refused by history
	for i := range in.Ops {
		if i%9 == 0 {
			in.Ops[i].Key, in.Ops[i].Error = evil, evil
		}
	}
	in.Ops[3].Key = strings.Repeat("k", 1<<19)
	res := judged(in)
	violate(in, res)
	in.Faults[0].Variant, res.Faults[0].Variant = evil, evil
	for i := range in.Ops { // one of the witness is in the history
		if op := &in.Ops[i]; op.Node == "n1" && op.Call-in.Header.Mono >= 9.925e9 {
			w := &res.Checks[0].Witness[4]
			w.Process, w.Call, w.Return = op.Process, op.Call-in.Header.Mono, op.Return-in.Header.Mono
			break
		}
	}
	res.Checks[0].Witness[0].Text = evil + strings.Repeat("x", 1<<20)
	res.Reasons = append(res.Reasons, evil)
	res.Thresholds = []check.Threshold{{Text: "latency p(99) < 5ms" + evil, Why: "p(99) of 12 writes: 71 ms"}}
	stretch := measure.Stretch{Throughput: 900, Availability: 0.98, Latency: measure.Quantiles{Count: 9, P50: 1, P99: 7}}
	res.Effects = []measure.FaultEffect{{ID: 1, Name: "kill" + evil, Before: stretch, During: stretch, After: stretch,
		Changes: []measure.Change{{Metric: "throughput", Unit: "ops/s", To: "during", Value: -120, Low: -180, High: -60, Sure: true}}}}
	dir, err := os.MkdirTemp("", "squall-hostile-")
	if err != nil {
		t.Fatal(err)
	}
	saveRun(t, dir, in, res)
	if err := os.WriteFile(filepath.Join(dir, "linearizable-k4.html"), []byte("<p>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeTo(context.Background(), newBatch(dir), coarse); err != nil {
		t.Fatal(err)
	}
	return dir
}

// quiet fails the test when the page ran something foreign, complained, or asked
// for anything but the pages themselves.
func quiet(t *testing.T, page *browsertest.Page) {
	t.Helper()
	if browsertest.Eval[bool](page, "'hacked' in window") {
		t.Error("a value of the run was run as a script")
	}
	if found := page.Troubles(); len(found) > 0 {
		t.Errorf("the console says %q", found)
	}
	for _, u := range page.Requests() {
		parsed, err := url.Parse(u)
		if err != nil || parsed.Scheme != "file" || filepath.Ext(parsed.Path) != ".html" {
			t.Errorf("the page asked for %s", u)
		}
	}
}

// await waits until an expression holds.
func await(t testing.TB, page *browsertest.Page, expression string) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		if browsertest.Eval[bool](page, expression) {
			return
		}
	}
	t.Fatalf("it never came to %s; the console says %q", expression, page.Troubles())
}

// TestMain lets the tests share a browser and a run.
func TestMain(m *testing.M) {
	code := browsertest.Main(m).Run()
	if hostileDir != "" {
		_ = os.RemoveAll(hostileDir)
	}
	os.Exit(code)
}

const ranges = `JSON.stringify(squall.charts().map(u => [u.scales.x.min, u.scales.x.max].map(v => v.toFixed(4))))`

func TestReportInBrowser(t *testing.T) {
	dir := hostileRun(t)
	page := browsertest.Open(t, 1200, 900)
	page.GotoFile(filepath.Join(dir, ReportFile))
	await(t, page, "'squall' in window")
	page.Screenshot("report-light")
	if wide := browsertest.Eval[[]string](page, tooWide); len(wide) > 0 {
		t.Errorf("cut at the right edge: %q", wide)
	}
	whole := browsertest.Eval[string](page, ranges)
	if n := browsertest.Eval[int](page, "squall.charts().length"); n != 5 {
		t.Errorf("%d charts", n)
	}
	rect := browsertest.Eval[[]float64](page, `(() => { const o = document.querySelector('#chart-throughput .u-over'); o.scrollIntoView({block: 'center'}); const r = o.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()`)
	x, y := rect[0], rect[1]+rect[3]/2
	page.Do(chromedp.MouseEvent("mousePressed", x+rect[2]*0.3, y, chromedp.ButtonLeft), chromedp.MouseEvent("mouseMoved", x+rect[2]*0.4, y, chromedp.ButtonLeft),
		chromedp.MouseEvent("mouseMoved", x+rect[2]*0.6, y, chromedp.ButtonLeft), chromedp.MouseEvent("mouseReleased", x+rect[2]*0.6, y, chromedp.ButtonLeft))
	await(t, page, ranges+" !== "+fmt.Sprintf("%q", whole))
	if !browsertest.Eval[bool](page, "new Set(squall.charts().map(u => u.scales.x.min + ' ' + u.scales.x.max)).size === 1") {
		t.Errorf("the charts show different times: %s", browsertest.Eval[string](page, ranges))
	}
	page.Screenshot("report-zoomed")
	browsertest.Eval[any](page, "document.querySelector('[data-zoom=reset]').click()")
	await(t, page, ranges+" === "+fmt.Sprintf("%q", whole))
	for _, link := range browsertest.Eval[[]string](page, "[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))") {
		file, _, _ := strings.Cut(link, "#")
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Errorf("the link %s leads nowhere: %v", link, err)
		}
	}
	page.Dark(true)
	page.Screenshot("report-dark")
	if got := browsertest.Eval[string](page, "getComputedStyle(document.body).backgroundColor"); got != "rgb(14, 18, 23)" {
		t.Errorf("dark paper is %s", got)
	}
	page.Do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print",
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
		return chromedp.Void{}, err
	})
	await(t, page, "SQ.color('ink') === 'rgb(24, 32, 42)'")
	page.Screenshot("report-print")
	quiet(t, page)
}

func TestOperationsInBrowser(t *testing.T) {
	dir := hostileRun(t)
	page := browsertest.Open(t, 1200, 900)
	page.GotoFile(filepath.Join(dir, TimelineFile))
	await(t, page, "'squall' in window")
	page.Screenshot("timeline-whole")
	if got := browsertest.Eval[string](page, "squall.words(1).text"); !strings.Contains(got, "(k") {
		t.Errorf("an operation is called %q", got)
	}
	page.GotoFile(filepath.Join(dir, TimelineFile) + "#t=9.925000")
	page.Do(chromedp.Reload())
	await(t, page, "'squall' in window && Math.abs((squall.view()[0] + squall.view()[1]) / 2 - 9925000) < 10")
	page.Screenshot("timeline-moment")
	browsertest.Eval[any](page, "document.querySelector('[data-key=\"+\"]').click()")
	await(t, page, "Math.abs(squall.view()[1] - squall.view()[0] - 200000) < 10")
	page.Dark(true)
	page.Screenshot("timeline-dark")
	quiet(t, page)
}

// The page of operations opens at the first finding, its operations marked, with those
// on its key alone and its nodes; the link of the report leads there, and the filter can
// be taken off.
func TestOperationsOpenAtTheFinding(t *testing.T) {
	dir := hostileRun(t)
	page := browsertest.Open(t, 1200, 900)
	page.GotoFile(filepath.Join(dir, ReportFile))
	link := browsertest.Eval[string](page, "document.querySelector('.banner .links a').href")
	if !strings.HasSuffix(link, TimelineFile+"#finding=1") {
		t.Errorf("the report links to %s", link)
	}
	for _, url := range []string{link, strings.TrimSuffix(link, "#finding=1")} {
		page.Goto("about:blank")
		page.Goto(url)
		await(t, page, "'squall' in window && squall.marked().length > 0")
		if at := browsertest.Eval[[2]float64](page, "squall.view()"); at[0] > 9.90e6 || at[1] < 9.93e6 || at[1]-at[0] > 3e6 {
			t.Errorf("%s shows %v µs", url, at)
		}
		marked := browsertest.Eval[int](page, "squall.marked().length")
		if nodes := browsertest.Eval[[]string](page, "squall.nodes()"); marked < 1 || len(nodes) == 0 || len(nodes) == 5 {
			t.Errorf("%d operations are marked, of the nodes %v", marked, nodes)
		}
	}
	page.Screenshot("timeline-finding")
	few := browsertest.Eval[int](page, "squall.lanes()")
	browsertest.Eval[any](page, "document.getElementById('only').click()")
	await(t, page, fmt.Sprintf("squall.lanes() >= %d && squall.nodes().length === 5", few))
	quiet(t, page)
}
