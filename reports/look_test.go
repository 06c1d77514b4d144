package reports

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"squall/internal/machinetest"
	"squall/reports/browsertest"
)

// TestLook opens the pages of a run that SQUALL_LOOK_RUN names, and says when they
// can be used: for people who change them, with SQUALL_SCREENSHOTS.
func TestLook(t *testing.T) {
	dir := os.Getenv("SQUALL_LOOK_RUN")
	if dir == "" {
		machinetest.Skip(t, "SQUALL_LOOK_RUN names no run")
	}
	page := browsertest.Open(t, 1200, 900)
	for _, file := range []string{ReportFile, TimelineFile} {
		page.GotoFile(filepath.Join(dir, file))
		await(t, page, "'squall' in window")
		t.Logf("%s can be used after %.0f ms", file, browsertest.Eval[float64](page, "squall.usable"))
		page.Screenshot("look-" + file)
		if wide := browsertest.Eval[[]string](page, tooWide); len(wide) > 0 {
			t.Errorf("cut at the right edge: %q", wide)
		}
		if file == ReportFile {
			browsertest.Eval[any](page, "document.getElementById('charts').scrollIntoView()")
			picture(t, page, "look-charts")
			browsertest.Eval[any](page, "document.getElementById('chart-quantiles').scrollIntoView()")
			picture(t, page, "look-lanes")
		}
	}
	browsertest.Eval[any](page, "squall.jump((squall.view()[0] + squall.view()[1]) / 2, 1e6)")
	page.Screenshot("look-moment")
	quiet(t, page)
}

// tooWide are the tables that do not fit into the window: their heads, and by how
// many pixels.
const tooWide = `[...document.querySelectorAll('.scroll')].filter(b => b.scrollWidth > b.clientWidth).map(b => b.innerText.slice(0, 80) + ' by ' + (b.scrollWidth - b.clientWidth))`

// picture saves what the window shows.
func picture(t *testing.T, page *browsertest.Page, name string) {
	t.Helper()
	folder := os.Getenv("SQUALL_SCREENSHOTS")
	if folder == "" {
		return
	}
	page.Do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		png, err := chromedp.CaptureScreenshot()(ctx, target)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644)
		}
		return chromedp.Void{}, err
	})
}
