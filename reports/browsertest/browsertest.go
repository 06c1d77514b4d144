// Package browsertest opens pages in headless Chromium, for the tests of what
// squall writes for browsers. Where there is no Chromium a test is skipped, and
// in CI (CI=true) it fails.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// timeout is for everything that one test does in its browser.
const timeout = 2 * time.Minute

// Page is a tab of a browser of its own.
type Page struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	troubles []string
	requests []string
}

// Open starts a browser with a window of that size, in CSS pixels; it ends with
// the test.
func Open(t *testing.T, width, height int) *Page {
	t.Helper()
	path := chromium()
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no Chromium: apt-get install chromium")
		}
		t.Skip("there is no Chromium to open the page in: apt-get install chromium")
	}
	// Root, and containers with a small /dev/shm, need the two flags.
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path),
		chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(width, height))
	ctx, cancelAll := context.WithTimeout(context.Background(), timeout)
	ctx, cancelBrowser := chromedp.NewExecAllocator(ctx, options...)
	p := &Page{t: t}
	ctx, cancelTab := chromedp.NewContext(ctx, chromedp.WithListener(p.hear))
	p.ctx = ctx
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser's end
		cancelTab()
		cancelBrowser()
		cancelAll()
	})
	p.Do(chromedp.EmulateViewport(int64(width), int64(height)))
	return p
}

func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// hear notes what the page asks for and what goes wrong in it.
func (p *Page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			text += " " + thrown.Description
		}
		p.troubles = append(p.troubles, "exception: "+text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.troubles = append(p.troubles, fmt.Sprintf("%s: %s", e.Entry.Level, e.Entry.Text))
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			text := "console"
			for _, a := range e.Args {
				text += " " + string(a.Value) + a.Description
			}
			p.troubles = append(p.troubles, text)
		}
	}
}

// Do runs actions in the page; one that fails fails the test.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatalf("browser: %v", err)
	}
}

// Goto opens a URL and waits until it is loaded.
func (p *Page) Goto(url string) {
	p.t.Helper()
	p.Do(chromedp.Navigate(url))
}

// GotoFile opens a file.
func (p *Page) GotoFile(path string) {
	p.t.Helper()
	whole, err := filepath.Abs(path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Goto("file://" + filepath.ToSlash(whole))
}

// Eval is the value of a JavaScript expression.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("browser: %s: %v", expression, err)
	}
	return value
}

// Dark sets whether the user wishes dark pages.
func (p *Page) Dark(dark bool) {
	p.t.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	p.Do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
		})
		return chromedp.Void{}, err
	})
}

// Requests are the URLs that pages asked for since the browser was opened.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Troubles are errors and warnings of the console, and exceptions.
func (p *Page) Troubles() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.troubles)
}

// Screenshot saves the whole page as a PNG, for a person to look at, in the folder
// that SQUALL_SCREENSHOTS names; without it there is none.
func (p *Page) Screenshot(name string) {
	p.t.Helper()
	folder := os.Getenv("SQUALL_SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatalf("browser: take a picture: %v", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
