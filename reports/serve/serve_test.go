package serve

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/history"
	"squall/history/check"
	"squall/history/ledger"
	"squall/reports/browsertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(browsertest.Main(m)) }

// write makes a file, and the folders on the way to it.
func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// addRun puts a run with results into the folder.
func addRun(t *testing.T, out, dir string, r check.Results) {
	t.Helper()
	write(t, out, dir+"/plan.json", `{"test":{"name":"t","time":"15s","seed":1}}`)
	write(t, out, dir+"/results.json", asJSON(t, r))
	write(t, out, dir+"/report.html", "<p>report of "+filepath.Base(dir))
}

// folder is a folder of runs with one of every kind, and a secret beside it.
func folder(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	write(t, home, "secret.txt", "secret")
	out := filepath.Join(home, "runs")
	pass := check.Results{Verdict: check.Pass}
	pass.Ops.Throughput, pass.Ops.LoadSeconds = 1234, 15
	addRun(t, out, "alpha/20260101T000000Z-7", pass)
	write(t, out, "alpha/20260101T000000Z-7/plan.json", `{"test":{"name":"alpha","system":"raftkv","nodes":3,"workload":"register","nemesis":"kill, <b>","mutant":"local-reads"}}`)
	addRun(t, out, "beta/20260102T000000Z-8", check.Results{Verdict: check.Violation, Reasons: []string{"linearizable: <b>no</b>"}})
	addRun(t, out, "beta/20260103T000000Z-9", check.Results{Verdict: check.Pass, Thresholds: []check.Threshold{{Text: "p(99) < 5ms"}}})
	addRun(t, out, "odd <i>&#% name/20260104T000000Z-10", check.Results{Verdict: check.Unknown})
	write(t, out, "elections/20251231T000000Z-5/elections.json", `{}`)
	write(t, out, "elections/20251231T000000Z-5/results.json", `{"verdict":"pass"}`)
	write(t, out, "elections/20251231T000000Z-5/elections-cdf.svg", `<svg/>`)
	write(t, out, "beta/20260105T000000Z-11/plan.json", `{`)
	write(t, out, "beta/20260106T000000Z-12/plan.json", `{}`)
	write(t, out, "beta/20260106T000000Z-12/results.json", `{"verdict": 5`)
	for name, text := range map[string]string{"timeline.html": "<p>t", "crash.html": "<p>c", "violation-k.html": "<p>v", "other.html": "<p>o", "throughput.png": "png",
		"throughput.svg": "<svg/>", "squall.log": "<b>log", "history.jsonl.zst": "zst", "evil.js": "alert(1)", "nodes/n1/server.log": "n1"} {
		write(t, out, "alpha/20260101T000000Z-7/"+name, text)
	}
	campaign := ledger.Campaign{SchemaVersion: 1, Name: "nightly", Began: time.Now(), Cells: []ledger.Cell{
		{ID: "a", State: ledger.Done, Attempts: []ledger.Attempt{{Verdict: check.Pass}}},
		{ID: "b", State: ledger.Done, Attempts: []ledger.Attempt{{Verdict: check.Invalid}, {Verdict: check.Violation}}},
		{ID: "c", State: ledger.Waiting},
	}}
	write(t, out, "campaigns/nightly/20260201T000000Z/campaign.json", asJSON(t, campaign))
	write(t, out, "campaigns/nightly/20260201T000000Z/index.html", "<p>campaign")
	addRun(t, out, "campaigns/nightly/20260201T000000Z/cells/cell-a/20260201T000001Z-3", pass)
	write(t, out, "campaigns/broken/20260202T000000Z/campaign.json", "nonsense")
	if runtime.GOOS != "windows" {
		for link, target := range map[string]string{"latest": "alpha/20260101T000000Z-7", "out": "..", "alpha/20260101T000000Z-7/leak.txt": "../../../secret.txt",
			"alpha/20260101T000000Z-7/leak-abs.txt": filepath.Join(home, "secret.txt"), "alpha/20260101T000000Z-7/inside.txt": "squall.log"} {
			if err := os.Symlink(target, filepath.Join(out, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

func newServer(t *testing.T, out string) *Server {
	t.Helper()
	s, err := New(Config{Out: out})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// ask answers a request whose target is taken as it stands, as a raw client
// would send it.
func ask(s *Server, method, target, host string) *http.Response {
	r := httptest.NewRequest(method, "/", nil)
	r.Host = host
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return &http.Response{StatusCode: http.StatusBadRequest, Body: http.NoBody} // so does net/http
	}
	r.URL = u
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

const here = "127.0.0.1:8080"

func get(t *testing.T, s *Server, target string) (*http.Response, string) {
	t.Helper()
	res := ask(s, "GET", target, here)
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

const run7 = "/runs/alpha/20260101T000000Z-7"

func TestNothingLeavesTheFolder(t *testing.T) {
	s := newServer(t, folder(t))
	for _, target := range []string{
		"/../secret.txt", "/runs/../secret.txt", "/runs/../../secret.txt", "/runs/%2e%2e/secret.txt", "/runs/%2E%2e/%2e%2e/secret.txt",
		"/runs/..%2fsecret.txt", "/runs/%2e%2e%2fsecret.txt", "/runs/..%5csecret.txt", `/runs/..\secret.txt`, "/runs//etc/passwd", "/runs/%2fetc%2fpasswd",
		"//etc/passwd", "/runs/C:/Windows/win.ini", "/runs/C:%5cWindows%5cwin.ini", "/runs/%00", run7 + "/squall.log%00.png", run7 + "/./squall.log",
		run7 + "/nodes/../squall.log", "/runs/out/secret.txt", run7 + "/leak.txt", run7 + "/leak-abs.txt", "/runs/.", "/runs/..", "/runs/..;/secret.txt",
		"/runs/....//secret.txt", "/runs/%252e%252e/secret.txt", "/runs/alpha/20260101T000000Z-7/leak.txt/", "/runs/.hidden",
		"/zip/..", "/zip/%2e%2e", "/zip/out", "/zip/alpha", "/zip/", "/live/..%2f..", "/live/out", "/live/", "/stream/%2e%2e/x", "/stream/out",
		"/assets/..%2fserve.go", "/assets/../serve.go", "/assets/head.html.tmpl", "/assets/",
	} {
		res, text := get(t, s, target)
		if res.StatusCode < 400 {
			t.Errorf("%s: status %d", target, res.StatusCode)
		}
		if strings.Contains(text, "secret\n") || text == "secret" || strings.Contains(text, "root:") {
			t.Errorf("%s gave what is outside: %q", target, text)
		}
	}
	for target, want := range map[string]string{"/runs/latest/squall.log": "<b>log", run7 + "/inside.txt": "<b>log", run7 + "/nodes/n1/server.log": "n1",
		"/runs/odd%20%3Ci%3E&%23%25%20name/20260104T000000Z-10/report.html": "<p>report of 20260104T000000Z-10"} {
		if res, text := get(t, s, target); res.StatusCode != 200 || text != want {
			t.Errorf("%s: status %d, %q, want %q", target, res.StatusCode, text, want)
		}
	}
}

func TestPipesAndOtherThingsAreNotOpened(t *testing.T) {
	out := folder(t)
	makePipe(t, filepath.Join(out, "alpha", "20260101T000000Z-7", "pipe.log"))
	s := newServer(t, out)
	if res, _ := get(t, s, run7+"/pipe.log"); res.StatusCode != 404 {
		t.Errorf("status %d", res.StatusCode)
	}
	if res, _ := get(t, s, "/zip/alpha/20260101T000000Z-7"); res.StatusCode != 200 {
		t.Errorf("zip: status %d", res.StatusCode)
	}
}

func TestOnlyReadingByTheRightName(t *testing.T) {
	out := folder(t)
	s := newServer(t, out)
	remote, err := New(Config{Out: out, Host: "Lab.example"})
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	for _, tt := range []struct {
		server       *Server
		method, host string
		want         int
	}{
		{s, "GET", here, 200}, {s, "HEAD", here, 200}, {s, "GET", "localhost:1", 200}, {s, "GET", "LOCALHOST", 200}, {s, "GET", "[::1]:8080", 200}, {s, "GET", "127.0.0.2", 200},
		{s, "POST", here, 405}, {s, "PUT", here, 405}, {s, "DELETE", here, 405}, {s, "OPTIONS", here, 405}, {s, "TRACE", here, 405}, {s, "WHATEVER", here, 405},
		{s, "GET", "", 403}, {s, "GET", "evil.example", 403}, {s, "GET", "evil.example:8080", 403}, {s, "GET", "127.0.0.1.evil.example", 403}, {s, "GET", "localhost.evil.example", 403},
		{s, "GET", "192.168.1.5:8080", 403}, {s, "GET", "0.0.0.0:8080", 403}, {s, "GET", "[::]:8080", 403}, {s, "GET", "2130706433", 403},
		{remote, "GET", "lab.example:80", 200}, {remote, "GET", "192.168.1.5:8080", 200}, {remote, "GET", "evil.example", 403}, {remote, "GET", here, 200},
	} {
		res := ask(tt.server, tt.method, "/", tt.host)
		if res.StatusCode != tt.want {
			t.Errorf("%s for %q: status %d, want %d", tt.method, tt.host, res.StatusCode, tt.want)
		}
		if res.StatusCode == 405 && res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("Allow is %q", res.Header.Get("Allow"))
		}
	}
}

func TestHeadersAndTypes(t *testing.T) {
	s := newServer(t, folder(t))
	for _, tt := range []struct {
		target, contentType, policy string
		download                    bool
	}{
		{"/", "text/html; charset=utf-8", "script-src 'self'", false},
		{run7 + "/", "text/html; charset=utf-8", "script-src 'self'", false},
		{"/assets/base.css", "text/css; charset=utf-8", "sandbox", false},
		{"/assets/index.js", "text/javascript; charset=utf-8", "sandbox", false},
		{run7 + "/report.html", "text/html; charset=utf-8", "sandbox allow-scripts", false},
		{run7 + "/crash.html", "text/html; charset=utf-8", "sandbox allow-scripts", false},
		{run7 + "/timeline.html", "text/html; charset=utf-8", "sandbox allow-scripts", false},
		{run7 + "/violation-k.html", "text/html; charset=utf-8", "sandbox allow-scripts", false},
		{"/runs/campaigns/nightly/20260201T000000Z/index.html", "text/html; charset=utf-8", "sandbox allow-scripts", false},
		{run7 + "/other.html", "application/octet-stream", "sandbox;", true},
		{run7 + "/evil.js", "application/octet-stream", "sandbox;", true},
		{run7 + "/history.jsonl.zst", "application/octet-stream", "sandbox;", true},
		{run7 + "/throughput.png", "image/png", "sandbox;", false},
		{run7 + "/throughput.svg", "image/svg+xml", "sandbox;", false},
		{run7 + "/squall.log", "text/plain; charset=utf-8", "sandbox;", false},
		{run7 + "/plan.json", "text/plain; charset=utf-8", "sandbox;", false},
		{"/nowhere", "text/plain; charset=utf-8", "sandbox;", false},
		{run7 + "/nothing", "text/plain; charset=utf-8", "sandbox;", false},
	} {
		res, _ := get(t, s, tt.target)
		h := res.Header
		if h.Get("Content-Type") != tt.contentType {
			t.Errorf("%s is %q, want %q", tt.target, h.Get("Content-Type"), tt.contentType)
		}
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{tt.policy, "default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q has no %q", tt.target, policy, want)
			}
		}
		if strings.Contains(policy, "allow-same-origin") || strings.Contains(policy, "http:") {
			t.Errorf("%s: the policy %q lets too much through", tt.target, policy)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s lacks a header: %v", tt.target, h)
		}
		if got := strings.HasPrefix(h.Get("Content-Disposition"), "attachment"); got != tt.download {
			t.Errorf("%s: saved %v, want %v", tt.target, got, tt.download)
		}
	}
}

func TestTheListShowsEveryRunAndCampaign(t *testing.T) {
	s := newServer(t, folder(t))
	_, text := get(t, s, "/?cells=on")
	for _, want := range []string{"badge-pass", "badge-violation", "badge-threshold", "badge-unknown", "badge-unfinished", "badge-damaged", "8 of 8 runs",
		"results.json cannot be read", "campaign.json cannot be read", "1,234/s", "15 s", "2 of 3", "1 violation", "1 pass", "odd &lt;i&gt;&amp;#% name",
		"linearizable: &lt;b&gt;no&lt;/b&gt;", `href="/runs/odd%20%3Ci%3E&amp;%23%25%20name/20260104T000000Z-10/report.html"`, run7 + "/timeline.html",
		`href="/zip/alpha/20260101T000000Z-7"`, "/runs/campaigns/nightly/20260201T000000Z/index.html", "of nightly", "missed: p(99) &lt; 5ms", "raftkv with local-reads", "3 nodes", "kill, &lt;b&gt;", `title="2026-01-02 00:00:00 UTC"`, "/runs/elections/20251231T000000Z-5/elections-cdf.svg"} {
		if !strings.Contains(text, want) {
			t.Errorf("the list has no %q", want)
		}
	}
	if newest, oldest := strings.Index(text, "20260201T000001Z-3"), strings.Index(text, "20260101T000000Z-7"); newest < 0 || newest > oldest {
		t.Error("the newest run is not first")
	}
	for query, want := range map[string]string{"?q=BETA": "4 of 8", "?verdict=violation": "1 of 8", "?q=beta+violation": "1 of 8", "?q=nightly&cells=on": "1 of 8", "?q=nothing": "0 of 8",
		"?q=raftkv": "1 of 8", "?q=kill+alpha": "1 of 8", "?": "7 of 8", "?q=nightly": "0 of 8",
		"?verdict=nonsense&sort=nonsense&page=-3&cells=on": "8 of 8", "?page=999999999&cells=yes": "8 of 8", "?q=" + strings.Repeat("x", 100_000): "0 of 8"} {
		if res, text := get(t, s, "/"+query); res.StatusCode != 200 || !strings.Contains(text, want+" runs") {
			t.Errorf("%.40s: status %d and not %q", query, res.StatusCode, want)
		}
	}
	if _, text := get(t, s, "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"); strings.Contains(text, "<script>") {
		t.Error("what was asked for became a script")
	}
	if _, text := get(t, s, "/?q=nightly"); !strings.Contains(text, "1 more is a cell of a campaign") {
		t.Error("nothing tells of the cell that is left out")
	}
	_, up := get(t, s, "/?sort=-started&cells=on")
	if strings.Index(up, "20260201T000001Z-3") < strings.Index(up, "20260101T000000Z-7") {
		t.Error("the oldest run is not first")
	}
}

func TestARunIsRunningWhileItIsHeld(t *testing.T) {
	out := folder(t)
	dir := filepath.Join(out, "beta", "20260105T000000Z-11")
	release, err := history.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, out)
	const live = "/live/beta/20260105T000000Z-11"
	if _, text := get(t, s, "/?verdict=running"); !strings.Contains(text, live) || !strings.Contains(text, `data-busy="true"`) {
		t.Error("the run is not shown as running")
	}
	if res, text := get(t, s, live); res.StatusCode != 200 || !strings.Contains(text, "/stream/beta/20260105T000000Z-11") {
		t.Errorf("its page has status %d", res.StatusCode)
	}
	release()
	if res, _ := get(t, s, live); res.StatusCode != 302 || res.Header.Get("Location") != "/runs/beta/20260105T000000Z-11/" {
		t.Errorf("when it is over: status %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	if res, _ := get(t, s, "/live/latest"); res.StatusCode != 302 || res.Header.Get("Location") != run7+"/report.html" {
		t.Errorf("the latest, which is over: status %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
}

// What has changed on the disk is read again, and what went is forgotten.
func TestTheListKeepsUp(t *testing.T) {
	out := folder(t)
	s := newServer(t, out)
	s.scanner.look()
	addRun(t, out, "beta/20260106T000000Z-12", check.Results{Verdict: check.Invalid})
	if err := os.RemoveAll(filepath.Join(out, "alpha")); err != nil {
		t.Fatal(err)
	}
	s.scanner.until = time.Time{}
	found := s.scanner.look()
	var states []string
	for _, r := range found.runs {
		if strings.HasPrefix(r.Path, "alpha/") {
			t.Error("a run that was removed is in the list")
		}
		if r.Path == "beta/20260106T000000Z-12" {
			states = append(states, r.State)
		}
	}
	if !slices.Equal(states, []string{"invalid"}) {
		t.Errorf("the run that was mended is %v", states)
	}
	for name := range s.scanner.files {
		if strings.HasPrefix(name, "alpha/") {
			t.Errorf("%s is still remembered", name)
		}
	}
}

func TestZipHoldsTheRun(t *testing.T) {
	out := folder(t)
	write(t, out, "alpha/20260101T000000Z-7/running", "")
	s := newServer(t, out)
	for target, name := range map[string]string{"/zip/alpha/20260101T000000Z-7": "alpha-20260101T000000Z-7", "/zip/latest": "alpha-20260101T000000Z-7",
		"/zip/campaigns/nightly/20260201T000000Z": "nightly-20260201T000000Z"} {
		res, text := get(t, s, target)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/zip" ||
			res.Header.Get("Content-Disposition") != "attachment; filename="+name+".zip" {
			t.Fatalf("%s: %d %v", target, res.StatusCode, res.Header)
		}
		packed, err := zip.NewReader(bytes.NewReader([]byte(text)), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		for _, f := range packed.File {
			in, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(in)
			if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			files[f.Name] = string(content)
			stored := strings.HasSuffix(f.Name, ".zst") || strings.HasSuffix(f.Name, ".png")
			if stored != (f.Method == zip.Store) {
				t.Errorf("%s is packed by method %d", f.Name, f.Method)
			}
		}
		want, not := name+"/nodes/n1/server.log", "n1"
		if strings.HasPrefix(name, "nightly") {
			want, not = name+"/cells/cell-a/20260201T000001Z-3/report.html", "<p>report of 20260201T000001Z-3"
		}
		if files[want] != not {
			t.Errorf("%s: %s is %q", target, want, files[want])
		}
		for _, gone := range []string{"/running", "/leak.txt", "/leak-abs.txt"} {
			if _, there := files[name+gone]; there {
				t.Errorf("%s holds %s", target, gone)
			}
		}
	}
}

// A file that grows while it is packed is in the zip as long as it was.
func TestZipOfAGrowingRunIsWhole(t *testing.T) {
	out := folder(t)
	path := filepath.Join(out, "alpha", "20260101T000000Z-7", "squall.log")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond): // slower than it is packed
				_, _ = f.WriteString("more and more\n")
			}
		}
	}()
	s := newServer(t, out)
	for range 20 {
		_, text := get(t, s, "/zip/alpha/20260101T000000Z-7")
		packed, err := zip.NewReader(strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range packed.File {
			in, err := entry.Open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, in); err != nil { // it compares the sum
				t.Errorf("%s: %v", entry.Name, err)
			}
		}
	}
	close(stop)
	<-stopped
}

// A list of thousands is cut into pages.
func TestThousandsOfRuns(t *testing.T) {
	out := t.TempDir()
	for i := range 1000 {
		write(t, out, fmt.Sprintf("many/20260101T%02d%02d00Z-%d/plan.json", i/60, i%60, i), "{}")
	}
	s := newServer(t, out)
	_, first := get(t, s, "/")
	if n := strings.Count(first, "badge-unfinished"); n != perPage || !strings.Contains(first, "1 to 100 shown") || !strings.Contains(first, "page=2") {
		t.Errorf("the first page lists %d runs", n)
	}
	_, last := get(t, s, "/?page=10")
	if !strings.Contains(last, "901 to 1000 shown") || !strings.Contains(last, "page=9") || strings.Contains(last, "page=11") {
		t.Error("the last page is not the last")
	}
}

// How long ago something was says more than when, as long as it is not long ago.
func TestSince(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for ago, want := range map[time.Duration]string{
		-time.Hour: "2026-11-29 13:00:00", 59 * time.Second: "less than a minute ago", 5*time.Minute + 59*time.Second: "5 min ago", 23 * time.Hour: "23 h ago",
		30 * time.Hour: "yesterday", 13 * 24 * time.Hour: "13 days ago", 20 * 24 * time.Hour: "2026-11-09",
	} {
		if got := since(now, now.Add(-ago)); got.Text != want || got.Exact != when(now.Add(-ago))+" UTC" {
			t.Errorf("%v ago: %+v, want %q", ago, got, want)
		}
	}
	if got := since(now, time.Time{}); got != (moment{"–", ""}) {
		t.Errorf("an unknown time: %+v", got)
	}
}

// Who asks with a browser for what is not there gets a page that leads on.
func TestWhatIsNotThereLeadsOn(t *testing.T) {
	s := newServer(t, folder(t))
	for _, target := range []string{"/nothing", "/runs/nothing", "/live/nothing", "/zip/nothing", "/assets/nothing"} {
		for accept, want := range map[string]string{"text/html,*/*": `<a href="/">All runs and campaigns</a>`, "*/*": "there is no"} {
			r := httptest.NewRequest("GET", target, nil)
			r.Host = here
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if body := w.Body.String(); w.Code != 404 || !strings.Contains(body, want) || strings.Contains(body, "<html") != (accept != "*/*") {
				t.Errorf("%s, %s: %d, %q", target, accept, w.Code, body)
			}
		}
	}
}

// Two runs of the list are compared, the older one first; other than two are not.
func TestTwoRunsAreCompared(t *testing.T) {
	out := folder(t)
	for name, perSecond := range map[string]int64{"alpha/20260101T000000Z-7": 1000, "beta/20260102T000000Z-8": 500} {
		res := check.Results{Verdict: check.Pass}
		if perSecond < 1000 {
			res.Verdict = check.Violation
		}
		res.Ops.OK, res.Ops.Total, res.Ops.LoadSeconds = 30*perSecond, 30*perSecond, 30
		res.Blocks.Seconds = 1
		for i := range int64(30) {
			res.Blocks.OK, res.Blocks.Fail, res.Blocks.Info = append(res.Blocks.OK, perSecond+i%3), append(res.Blocks.Fail, 0), append(res.Blocks.Info, 0)
		}
		addRun(t, out, name, res)
	}
	s := newServer(t, out)
	const alpha, beta, damaged = "alpha/20260101T000000Z-7", "beta/20260102T000000Z-8", "beta/20260106T000000Z-12"
	ask := func(runs ...string) string { return "/compare?" + url.Values{"run": runs}.Encode() }
	for _, runs := range [][]string{{alpha, beta}, {beta, alpha}} {
		res, text := get(t, s, ask(runs...))
		before, after := strings.Index(text, "badge-pass"), strings.Index(text, "badge-violation")
		if res.StatusCode != 200 || before < 0 || after < before || !strings.Contains(text, "-50.0%") || !strings.Contains(text, "lost") || !strings.Contains(text, "squall compare &#39;") {
			t.Errorf("%v: status %d, %s", runs, res.StatusCode, text)
		}
	}
	for target, want := range map[string]int{ask(): 400, ask(alpha): 400, ask(alpha, alpha): 400, ask(alpha, beta, damaged): 400, ask(alpha, "../secret"): 404, ask(alpha, "gone"): 404, ask(alpha, damaged): 422} {
		if res, _ := get(t, s, target); res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", target, res.StatusCode, want)
		}
	}
}
