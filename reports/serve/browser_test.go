package serve

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/reports"
	"squall/reports/browsertest"
)

// until waits for a JavaScript expression to be true.
func until(t *testing.T, p *browsertest.Page, expression string) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(30 * time.Millisecond) {
		if browsertest.Eval[bool](p, "!!("+expression+")") {
			return
		}
	}
	t.Fatalf("never true: %s; the page says: %s; %v", expression, browsertest.Eval[string](p, "document.body.innerText"), p.Troubles())
}

// goesTo waits until the page asks for another: nothing can be evaluated in it
// while it leaves.
func goesTo(t *testing.T, p *browsertest.Page, url string) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(30 * time.Millisecond) {
		if slices.Contains(p.Requests(), url) {
			return
		}
	}
	t.Fatalf("it never went to %s, but to %v", url, p.Requests())
}

func calm(t *testing.T, p *browsertest.Page) {
	t.Helper()
	for _, trouble := range p.Troubles() {
		t.Error(trouble)
	}
}

func TestTheListInABrowser(t *testing.T) {
	p := browsertest.Open(t, 1280, 900)
	out := folder(t)
	address := serveOn(t, out)
	p.Goto(address)
	rows := "document.querySelectorAll('#runs tbody tr').length"
	until(t, p, rows+" === 7")
	p.Screenshot("serve-list-light")
	p.Dark(true)
	p.Screenshot("serve-list-dark")
	p.Dark(false)

	// The cells of campaigns come when they are asked for.
	browsertest.Eval[bool](p, `(document.querySelector('[name=cells]').click(), true)`)
	until(t, p, rows+" === 8 && location.search.includes('cells=on')")
	browsertest.Eval[bool](p, `(document.querySelector('[name=cells]').click(), true)`)
	until(t, p, rows+" === 7")

	// It filters while one types, and by verdict.
	browsertest.Eval[bool](p, `(() => { const q = document.querySelector('[name=q]'); q.value = 'beta'; q.dispatchEvent(new Event('input', {bubbles: true})); return true })()`)
	until(t, p, rows+" === 4")
	browsertest.Eval[bool](p, `(() => { const v = document.querySelector('[name=verdict]'); v.value = 'violation'; v.dispatchEvent(new Event('input', {bubbles: true})); return true })()`)
	until(t, p, rows+" === 1 && document.querySelector('#runs .badge').innerText.includes('violation')")
	if at := browsertest.Eval[string](p, "location.search"); !strings.Contains(at, "q=beta") || !strings.Contains(at, "verdict=violation") {
		t.Errorf("the address is %s: it cannot be kept", at)
	}
	p.Goto(address + "/?sort=started&cells=on")
	first := "document.querySelector('#runs tbody tr td.named a').innerText"
	until(t, p, first+" === 'cell-a'")
	browsertest.Eval[bool](p, `(document.querySelectorAll('a.sort')[1].click(), true)`)
	until(t, p, first+" === 'alpha'")
	browsertest.Eval[bool](p, `(document.querySelectorAll('a.sort')[1].click(), true)`)
	until(t, p, first+".startsWith('odd')")
	if sort := browsertest.Eval[string](p, "document.querySelectorAll('#runs th')[2].ariaSort"); sort != "descending" {
		t.Errorf("the names go down and the table says %s", sort)
	}
	// What is new comes by itself.
	p.Goto(address)
	g := newGrowing(t, out, "alpha/20260401T000000Z-44", time.Now())
	g.mark(history.MarkUp, 0)
	until(t, p, "document.querySelector('#runs .badge-running')")

	// Two that are ticked are compared; what is ticked stays so while the list refreshes.
	browsertest.Eval[bool](p, `(['alpha/20260101T000000Z-7', 'beta/20260102T000000Z-8'].forEach((run) => document.querySelector('[value="' + run + '"]').click()), true)`)
	addRun(t, out, "alpha/20260501T000000Z-45", check.Results{Verdict: check.Pass})
	until(t, p, "document.querySelector('[value$=\"-45\"]') && document.querySelectorAll('#runs [name=run]:checked').length === 2")
	browsertest.Eval[bool](p, "(document.querySelector('#compare button').click(), true)")
	until(t, p, "document.readyState === 'complete' && document.title.startsWith('Two runs compared')")
	p.Screenshot("serve-compare")

	p.Goto(address + run7 + "/")
	until(t, p, "document.querySelectorAll('tbody tr').length > 5")
	p.Screenshot("serve-files")
	if wide := browsertest.Eval[bool](p, "document.documentElement.scrollWidth > innerWidth"); wide {
		t.Error("the page is wider than its window")
	}
	calm(t, p)
	for _, url := range p.Requests() {
		if !strings.HasPrefix(url, address) && !strings.HasPrefix(url, "data:") {
			t.Errorf("a page asked for %s", url)
		}
	}
}

// What was typed counts, though the list refreshes itself before the answer is
// there.
func TestAFilterOutlivesARefresh(t *testing.T) {
	p := browsertest.Open(t, 1280, 900)
	p.Goto(serveOn(t, folder(t)))
	rows := "document.querySelectorAll('#runs tbody tr').length"
	until(t, p, rows+" === 7")
	browsertest.Eval[bool](p, `(() => {
		const usual = window.fetch;
		window.asked = 0;
		window.fetch = async (to) => {
			if (++asked === 1) await new Promise((go) => { window.answer = go; });
			return usual(to);
		};
		const q = document.querySelector('[name=q]');
		q.value = 'beta';
		q.dispatchEvent(new Event('input', {bubbles: true}));
		return true;
	})()`)
	until(t, p, "asked > 1")
	browsertest.Eval[bool](p, "(answer(), true)")
	until(t, p, rows+" === 4 && location.search.includes('q=beta')")
	calm(t, p)
}

func TestTheListOnAPhone(t *testing.T) {
	p := browsertest.Open(t, 390, 800)
	p.Goto(serveOn(t, folder(t)))
	until(t, p, "document.querySelector('#runs')")
	p.Screenshot("serve-list-phone")
	if wide := browsertest.Eval[bool](p, "document.documentElement.scrollWidth > innerWidth"); wide {
		t.Error("the page is wider than its window")
	}
	calm(t, p)
}

func TestALiveRunInABrowser(t *testing.T) {
	p := browsertest.Open(t, 1280, 900)
	out := t.TempDir()
	g := newGrowing(t, out, "alpha/20260101T000000Z-7", time.Now().Add(-30*time.Second))
	g.leader("n1", 3, 1)
	g.mark(history.MarkLoadBegin, 2)
	for second := 2; second < 30; second++ {
		g.load(second, 40+7*(second%5))
	}
	g.fault(1, history.Inject, 8, "all is cut")
	g.fault(1, history.Heal, 12, "whole")
	g.fault(2, history.Inject, 20, hostile)
	address := serveOn(t, out)
	p.Goto(address + "/live/alpha/20260101T000000Z-7")
	until(t, p, "document.getElementById('force').innerText.includes('document.title') && document.getElementById('leader').innerText === 'n1'")
	until(t, p, "document.querySelector('#chart canvas') && document.getElementById('ok').innerText !== '0'")
	drawn := `(() => { const c = document.querySelector('#chart canvas'), o = new OffscreenCanvas(c.width, c.height), x = o.getContext('2d', {willReadFrequently: true});
		x.drawImage(c, 0, 0);
		const d = x.getImageData(0, 0, c.width, c.height).data;
		let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i]) n++; return n > 1000 })()`
	until(t, p, drawn)
	if n := browsertest.Eval[int](p, "document.querySelectorAll('#force img, #force script').length"); n != 0 {
		t.Errorf("a proof became %d elements", n)
	}
	p.Screenshot("serve-live-light")
	p.Dark(true)
	until(t, p, drawn)
	p.Screenshot("serve-live-dark")

	g.leader("n3", 4, 31)
	g.fault(2, history.Heal, 32, "whole")
	until(t, p, "document.getElementById('leader').innerText === 'n3' && document.getElementById('force').innerText === 'none'")
	g.over()
	goesTo(t, p, address+"/runs/alpha/20260101T000000Z-7/report.html")
	calm(t, p)
}

// A page in a run directory runs its own scripts and reaches nothing.
func TestAPageOfARunIsInASandbox(t *testing.T) {
	p := browsertest.Open(t, 800, 600)
	out := folder(t)
	const page = `<title>waiting</title><style>p { color: rgb(1, 2, 3) }</style><p>text</p><script>
(async () => {
  const got = [];
  try { localStorage.x = 1; got.push('storage') } catch {}
  try { document.cookie = 'a=b'; got.push('cookie') } catch {}
  for (const url of ['/', 'results.json']) { try { await fetch(url); got.push('fetch ' + url) } catch {} }
  try { window.top.parent.opener.document; got.push('opener') } catch {}
  await new Promise((done) => { const s = document.createElement('script'); s.src = 'evil.js'; s.onload = () => { got.push('script'); done() }; s.onerror = done; document.head.append(s) });
  document.title = 'ran; ' + origin + ';' + getComputedStyle(document.querySelector('p')).color + '; reached: ' + got.join(', ');
})();
</script>`
	for _, name := range []string{"report.html", "violation-k.html", "timeline.html"} {
		if err := os.WriteFile(filepath.Join(out, "alpha", "20260101T000000Z-7", name), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	address := serveOn(t, out)
	for _, name := range []string{"report.html", "violation-k.html", "timeline.html"} {
		p.Goto(address + run7 + "/" + name)
		until(t, p, "document.title.startsWith('ran')")
		if title := browsertest.Eval[string](p, "document.title"); title != "ran; null;rgb(1, 2, 3); reached:" {
			t.Errorf("%s: %s", name, title)
		}
	}
}

// What squall itself writes of a run of hostile keys and values works as it is
// served: the report's charts are drawn, and the checker's picture of a violation,
// which a library writes, takes nothing of the run for HTML.
func TestPagesOfAHostileRunWorkAsServed(t *testing.T) {
	p := browsertest.Open(t, 1000, 800)
	out := t.TempDir()
	g := newGrowing(t, out, "alpha/20260101T000000Z-7", time.Now())
	g.leader("n1", 1, 0.5)
	g.mark(history.MarkLoadBegin, 1)
	op := func(process int64, f history.Func, v string, at float64) {
		o := history.Op{Process: process, Node: "n1", Func: f, Key: hostile, Outcome: history.OK, Call: g.at(at), Return: g.at(at + 0.1)}
		o.SetRegister(history.Register{Value: history.Some(v), Result: history.Some(v)})
		g.add(history.Record{Op: &o})
	}
	op(1, history.Write, hostile+"1", 1.1)
	op(1, history.Write, hostile+"2", 1.3)
	op(2, history.Read, hostile+"1", 1.5) // stale
	for i := range 200 {
		g.add(history.Record{Op: &history.Op{Process: 3, Node: "n1", Func: history.Read, Key: "other", Out: history.Null, Outcome: history.OK, Call: g.at(2 + float64(i)/100), Return: g.at(2.005 + float64(i)/100)}})
	}
	g.fault(1, history.Inject, 2, hostile)
	g.fault(1, history.Heal, 3, hostile)
	g.mark(history.MarkLoadEnd, 5)
	if err := g.rec.Close(); err != nil {
		t.Fatal(err)
	}
	results, err := check.Run(t.Context(), g.dir, []check.Checker{linearizable.Checker(linearizable.RegisterModel())}, check.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(check.WriteResults(g.dir, results), reports.Write(t.Context(), g.dir)); err != nil {
		t.Fatal(err)
	}
	g.release()
	picture := results.Checks[0].Picture
	if picture == "" {
		t.Fatalf("there is no picture of the stale read: %+v", results.Checks)
	}
	address := serveOn(t, out) + "/runs/alpha/20260101T000000Z-7/"
	p.Goto(address + "report.html")
	until(t, p, "document.querySelector('.uplot canvas')")
	p.Goto(address + reports.TimelineFile)
	until(t, p, "document.querySelector('canvas, svg')")
	p.Goto(address + picture)
	until(t, p, "document.querySelector('svg rect')")
	for range 2 { // into every operation, so that the library shows what it says of it
		browsertest.Eval[bool](p, `(document.querySelectorAll('svg *').forEach((e) => { for (const kind of ['mouseover', 'mousemove', 'click'])
			e.dispatchEvent(new MouseEvent(kind, {bubbles: true, clientX: 50, clientY: 50})) }), true)`)
	}
	if n := browsertest.Eval[int](p, "document.querySelectorAll('img').length"); n != 0 || browsertest.Eval[string](p, "document.title") == "owned" {
		t.Errorf("a value became HTML in the picture: %d images", n)
	}
	if !browsertest.Eval[bool](p, "document.body.textContent.includes('onerror')") {
		t.Error("the picture does not show the hostile values: nothing was tried")
	}
	calm(t, p)
}
