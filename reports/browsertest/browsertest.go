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

	"squall/internal/machinetest"
)

// timeout is for everything that one test does in its browser.
const timeout = 2 * time.Minute

// Page is a tab, with a profile of its own.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	troubles []string
	requests []string
}

// common is the browser of a package whose tests run under Main.
var common struct {
	on  bool
	mu  sync.Mutex
	ctx context.Context
	end func()
}

// Main runs the tests of a package with one browser for all of them, which saves
// the time to start others:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(browsertest.Main(m)) }
//
// Without it every page has a browser of its own.
func Main(m *testing.M) machinetest.Runner { return sharing{machinetest.Main(m)} }

type sharing struct{ machinetest.Runner }

func (m sharing) Run() int {
	common.on = true
	code := m.Runner.Run()
	if common.end != nil {
		common.end()
	}
	return code
}

// Open opens a window of that size, in CSS pixels; it ends with the test.
func Open(t testing.TB, width, height int) *Page {
	t.Helper()
	machinetest.NotShort(t, "it opens a browser")
	path := chromium()
	if path == "" {
		machinetest.Missing(t, "there is no Chromium to open the page in: apt-get install chromium")
	}
	parent, end, err := browser(path)
	if err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	limited, cancelTime := context.WithTimeout(parent, timeout)
	p := &Page{t: t}
	ctx, cancelTab := chromedp.NewContext(limited, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	p.ctx = ctx
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the tab's end
		cancelTab()
		cancelTime()
		end()
	})
	p.Do(chromedp.EmulateViewport(int64(width), int64(height)))
	return p
}

// browser is a browser that runs, and what ends it: the common one, which Main
// ends, or a new one.
func browser(path string) (context.Context, func(), error) {
	if !common.on {
		return start(path)
	}
	common.mu.Lock()
	defer common.mu.Unlock()
	if common.ctx == nil {
		ctx, end, err := start(path)
		if err != nil {
			return nil, nil, err
		}
		common.ctx, common.end = ctx, end
	}
	return common.ctx, func() {}, nil
}

// start starts a browser.
func start(path string) (context.Context, func(), error) {
	// Root, and containers with a small /dev/shm, need the two flags.
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path),
		chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancelAll := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(ctx)
	end := func() {
		_ = chromedp.Cancel(ctx) // waits for the browser's end
		cancel()
		cancelAll()
	}
	if err := chromedp.Do(ctx); err != nil {
		end()
		return nil, nil, err
	}
	return ctx, end, nil
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
