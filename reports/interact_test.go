package reports

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"squall/history"
	"squall/reports/browsertest"
)

// spot is a place in a page, in CSS pixels of its window.
type spot struct{ x, y float64 }

// spotOf is the place at a share of an element's width and height, after it was
// scrolled to.
func spotOf(page *browsertest.Page, selector string, across, down float64) spot {
	at := browsertest.Eval[[]float64](page, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect(); return [r.x + r.width * %g, r.y + r.height * %g]; })()`, selector, across, down))
	return spot{at[0], at[1]}
}

// mouse does what a mouse does.
func mouse(page *browsertest.Page, events ...input.DispatchMouseEventParams) {
	page.Do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		for _, e := range events {
			if _, err := cdp.Call(ctx, target, input.DispatchMouseEvent, e); err != nil {
				return chromedp.Void{}, err
			}
		}
		return chromedp.Void{}, nil
	})
}

// drag presses the left button at one spot and lets it go at another.
func drag(page *browsertest.Page, from, to spot) {
	mid := spot{(from.x + to.x) / 2, (from.y + to.y) / 2}
	mouse(page, input.DispatchMouseEventParams{Type: chromedp.MousePressed, X: from.x, Y: from.y, Button: "left", ClickCount: 1},
		input.DispatchMouseEventParams{Type: chromedp.MouseMoved, X: mid.x, Y: mid.y, Button: "left", Buttons: 1},
		input.DispatchMouseEventParams{Type: chromedp.MouseMoved, X: to.x, Y: to.y, Button: "left", Buttons: 1},
		input.DispatchMouseEventParams{Type: chromedp.MouseReleased, X: to.x, Y: to.y, Button: "left", ClickCount: 1})
}

// touch moves fingers over the page, from where they are first to where they are
// last.
func touch(page *browsertest.Page, moves ...[]spot) {
	page.Do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		for i, fingers := range append(moves, nil) {
			e := input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchMove, TouchPoints: []*input.TouchPoint{}}
			if i == 0 {
				e.Type = input.DispatchTouchEventTypeTouchStart
			} else if fingers == nil {
				e.Type = input.DispatchTouchEventTypeTouchEnd
			}
			for id, at := range fingers {
				n := float64(id)
				e.TouchPoints = append(e.TouchPoints, &input.TouchPoint{X: at.x, Y: at.y, ID: &n})
			}
			if _, err := cdp.Call(ctx, target, input.DispatchTouchEvent, e); err != nil {
				return chromedp.Void{}, err
			}
		}
		return chromedp.Void{}, nil
	})
}

const span = "(squall.charts()[0].scales.x.max - squall.charts()[0].scales.x.min)"

// What hands do with the charts: point, drag, double-click.
func TestHandsOnTheCharts(t *testing.T) {
	page := browsertest.Open(t, 1200, 900)
	page.GotoFile(filepath.Join(hostileRun(t), ReportFile))
	await(t, page, "'squall' in window")
	whole := browsertest.Eval[float64](page, span)
	at := spotOf(page, "#chart-throughput .u-over", 0.5, 0.5)
	mouse(page, input.DispatchMouseEventParams{Type: chromedp.MouseMoved, X: at.x, Y: at.y})
	await(t, page, "document.getElementById('readout').textContent.includes('· faults: ')")
	if shown := browsertest.Eval[int](page, "[...document.querySelectorAll('#chart-throughput .tags b, #chart-others .tags b, #chart-quantiles .tags b')].filter(e => /\\d/.test(e.textContent)).length"); shown < 9 {
		t.Errorf("%d values are read at the pointer, in charts of as many lines and more", shown)
	}
	drag(page, spotOf(page, "#chart-latency .u-over", 0.2, 0.5), spotOf(page, "#chart-latency .u-over", 0.4, 0.5))
	await(t, page, fmt.Sprintf("Math.abs(%s - %g) < 0.05", span, whole/5))
	at = spotOf(page, "#chart-quantiles .u-over", 0.5, 0.5)
	mouse(page, input.DispatchMouseEventParams{Type: chromedp.MousePressed, X: at.x, Y: at.y, Button: "left", ClickCount: 1},
		input.DispatchMouseEventParams{Type: chromedp.MouseReleased, X: at.x, Y: at.y, Button: "left", ClickCount: 1},
		input.DispatchMouseEventParams{Type: chromedp.MousePressed, X: at.x, Y: at.y, Button: "left", ClickCount: 2},
		input.DispatchMouseEventParams{Type: chromedp.MouseReleased, X: at.x, Y: at.y, Button: "left", ClickCount: 2})
	await(t, page, fmt.Sprintf("Math.abs(%s - %g) < 1e-6", span, whole))
	printed(t, page)
	quiet(t, page)
}

// printed prints the page, and looks whether there is something on the paper.
func printed(t *testing.T, page *browsertest.Page) {
	t.Helper()
	var pdf []byte
	page.Do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		r, err := cdp.Call(ctx, target, cdppage.PrintToPDF, cdppage.PrintToPDFParams{PrintBackground: new(true)})
		pdf = r.Data
		return chromedp.Void{}, err
	})
	if folder := os.Getenv("SQUALL_SCREENSHOTS"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, "report.pdf"), pdf, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sheets := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1))
	// The charts are on it as pictures, the letters in fonts.
	pictures, fonts := bytes.Count(pdf, []byte("/Subtype /Image")), bytes.Count(pdf, []byte("/FontFile"))
	if sheets < 2 || pictures < 5 || fonts < 2 {
		t.Errorf("a PDF of %d bytes, with %d pages, %d pictures and %d fonts", len(pdf), sheets, pictures, fonts)
	}
}

// What hands do with the operations: the wheel, a drag; and a client that has
// nothing in the window has no lane.
func TestHandsOnTheOperations(t *testing.T) {
	page := browsertest.Open(t, 1200, 900)
	in := smallStorm()
	const impatient = 20 // clients that wait for one node, each under a process of its own
	begin := in.Header.Mono + 6e9
	for i := range int64(impatient) {
		in.Ops = append(in.Ops, history.Op{Process: 5000 + i, Node: "n1", Func: history.Read, Out: history.Null, Key: "k1",
			Outcome: history.OK, Call: begin + i*1e6, Return: begin + 5e8 + i*1e6})
	}
	dir, _ := write(t, in, judged(in))
	page.GotoFile(filepath.Join(dir, TimelineFile))
	await(t, page, "'squall' in window")
	view := func() [2]float64 { return browsertest.Eval[[2]float64](page, "squall.view()") }
	// The whole run does not look empty, though its operations are shorter than a pixel.
	if share := browsertest.Eval[float64](page, crowded); share < 0.3 {
		t.Errorf("%.0f %% of a busy client's lane has marks", share*100)
	}
	if n := browsertest.Eval[int](page, "squall.lanes()"); n < impatient {
		t.Errorf("the whole run has %d lanes", n)
	}
	at := spotOf(page, "#picture", 0.5, 0.3)
	before := view()
	mouse(page, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseWheel, X: at.x, Y: at.y, DeltaX: 1e-6, DeltaY: -1200}) // a zero would be left out
	await(t, page, fmt.Sprintf("squall.view()[1] - squall.view()[0] < %g", (before[1]-before[0])/3))
	before = view()
	drag(page, at, spot{at.x + 200, at.y})
	await(t, page, fmt.Sprintf("squall.view()[0] < %g", before[0]-1))
	after := view()
	if d := (after[1] - after[0]) - (before[1] - before[0]); d > 1 || d < -1 {
		t.Errorf("a drag changed the length that is shown by %g µs", d)
	}
	browsertest.Eval[any](page, "squall.jump(4000000, 200000)")
	await(t, page, "squall.lanes() > 0 && squall.lanes() <= 3")
	browsertest.Eval[any](page, "squall.jump(6200000, 200000)")
	await(t, page, fmt.Sprintf("squall.lanes() >= %d", impatient))
	quiet(t, page)
}

// crowded is the share of a lane's pixels, in the fullest of them, that are as blue as
// operations that succeeded, which no band of a fault is.
const crowded = `(() => {
	const c = document.getElementById('picture'), r = devicePixelRatio;
	const all = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
	const share = k => {
		const y = Math.round((c.height / r - 8 - 22 * (squall.lanes() - k) + 11) * r);
		const d = all.subarray(4 * (y * c.width + 105 * r), 4 * ((y + 1) * c.width - 9 * r));
		let blue = 0;
		for (let i = 0; i < d.length; i += 4) if (d[i + 2] - d[i] > 40) blue++;
		return blue / (d.length / 4);
	};
	return Math.max(...Array.from({ length: squall.lanes() }, (_, k) => share(k)));
})()`

// On a phone nothing is wider than the window, and fingers zoom.
func TestReportOnAPhone(t *testing.T) {
	dir := hostileRun(t)
	page := browsertest.Open(t, 390, 844)
	page.Do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
		return chromedp.Void{}, err
	})
	open := func(file string) {
		page.GotoFile(filepath.Join(dir, file))
		await(t, page, "'squall' in window")
		if w := browsertest.Eval[int](page, "document.documentElement.scrollWidth"); w > 390 {
			t.Errorf("%s is %d pixels wide", file, w)
		}
		page.Screenshot("phone-" + strings.TrimSuffix(file, ".html"))
	}
	open(ReportFile)
	whole := browsertest.Eval[float64](page, span)
	from, to := spotOf(page, "#chart-throughput .u-over", 0.3, 0.5), spotOf(page, "#chart-throughput .u-over", 0.8, 0.5)
	touch(page, []spot{from}, []spot{{from.x + 30, from.y}}, []spot{to})
	await(t, page, fmt.Sprintf("Math.abs(%s - %g) < %g", span, whole/2, whole/50))

	open(TimelineFile)
	before := browsertest.Eval[[2]float64](page, "squall.view()")
	a, b := spotOf(page, "#picture", 0.5, 0.3), spotOf(page, "#picture", 0.7, 0.3)
	touch(page, []spot{a, b}, []spot{{a.x - 10, a.y}, {b.x + 10, b.y}}, []spot{{a.x - 40, a.y}, {b.x + 38, b.y}})
	await(t, page, fmt.Sprintf("squall.view()[1] - squall.view()[0] < %g", (before[1]-before[0])/1.7))
	quiet(t, page)
}
