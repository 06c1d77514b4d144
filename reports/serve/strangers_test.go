package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"squall/history"
	"squall/history/historytest"
)

// live serves a folder on a free port until the test ends, and gives the server too.
func live(t *testing.T, out string) (s *Server, host string) {
	t.Helper()
	s = newServer(t, out)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, listener.Addr().String()
}

// fetch is the answer to one request, whole.
func fetch(t *testing.T, address string) (status int, text string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Minute}
	res, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return res.StatusCode, string(all)
}

// eventually waits for what must come.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("it never came to it: %s", what)
		}
	}
}

// TestAHistoryOfSixHundredYears is the case from the field: the difference of the
// header's time and that of an operation overflows, on a page that is looked at.
func TestAHistoryOfSixHundredYears(t *testing.T) {
	for i, times := range [][2]string{{"-9000000000000000000", "9000000000000000000"}, {"9000000000000000000", "-9000000000000000000"}, {"0", "9223372036854775807"}} {
		out := t.TempDir()
		name := fmt.Sprintf("alpha/20260101T000000Z-%d", i+1)
		write(t, out, name+"/plan.json", `{"test":{"name":"t","time":"30s","seed":1}}`)
		lines := fmt.Sprintf(`{"format":"squall-history","version":1,"test":"t","system":"raftkv","workload":"register","nodes":["n1"],"seed":1,"mono":%s,"wall":"2026-11-28T00:00:00Z"}
{"mark":"up","t":%s}
{"op":"ok","p":1,"n":"n1","f":"write","k":"r","v":"1","t":%s,"d":1}
`, times[0], times[1], times[1])
		write(t, out, name+"/"+history.FileName, string(historytest.Pack(t, []byte(lines))))
		release, err := history.Hold(filepath.Join(out, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		other := newGrowing(t, out, "beta/20260102T000000Z-8", time.Now())
		other.mark(history.MarkUp, 0)
		other.load(1, 1)
		_, host := live(t, out)
		if status, _ := fetch(t, "http://"+host+"/live/"+name); status != http.StatusOK {
			t.Errorf("the live page has status %d", status)
		}
		if line := event(t, "http://"+host+"/stream/"+name, `"trouble":"`); !strings.Contains(line, "history") {
			t.Errorf("the page is told %.500q", line)
		}
		if status, text := fetch(t, "http://"+host+"/"); status != http.StatusOK || !strings.Contains(text, "alpha") {
			t.Errorf("the list afterwards: status %d", status)
		}
		event(t, "http://"+host+"/stream/beta/20260102T000000Z-8", `"phase":`)
		release()
	}
}

// event reads a stream until a line holds part.
func event(t *testing.T, address, part string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for last := ""; ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%s ends with %v after %.500q", address, err, last)
		}
		if strings.Contains(line, part) {
			return line
		}
		if strings.TrimSpace(line) != "" {
			last = line
		}
	}
}

// TestSlowReadersHoldNobodyUp: all but one of the places for zips are taken by
// people who read nothing, and so many files too.
func TestSlowReadersHoldNobodyUp(t *testing.T) {
	out := t.TempDir()
	const run = "alpha/20260101T000000Z-7"
	write(t, out, run+"/plan.json", "{}")
	big := filepath.Join(out, filepath.FromSlash(run), history.FileName)
	write(t, out, run+"/"+history.FileName, "")
	const length = 64 << 20 // more than two sockets take
	if err := os.Truncate(big, length); err != nil {
		t.Fatal(err)
	}
	write(t, out, "beta/20260102T000000Z-8/plan.json", "{}")
	s, host := live(t, out)
	var slow []net.Conn
	for i := range 2 * (zipsAtOnce - 1) {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		slow = append(slow, conn)
		path := "/zip/" + run
		if i%2 == 1 {
			path = "/runs/" + run + "/" + history.FileName
		}
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "every slow reader's zip is under way", func() bool { return len(s.zips) == zipsAtOnce-1 })
	if status, _ := fetch(t, "http://"+host+"/"); status != http.StatusOK {
		t.Errorf("the list has status %d", status)
	}
	if status, text := fetch(t, "http://"+host+"/zip/beta/20260102T000000Z-8"); status != http.StatusOK || !strings.HasPrefix(text, "PK") {
		t.Errorf("somebody else's zip has status %d", status)
	}
	if status, text := fetch(t, "http://"+host+"/runs/beta/20260102T000000Z-8/plan.json"); status != http.StatusOK || text != "{}" {
		t.Errorf("somebody else's file has status %d: %q", status, text)
	}
	for _, conn := range slow {
		_ = conn.Close()
	}
	eventually(t, "the places of those who left are free", func() bool { return len(s.zips) == 0 })
}

// TestAnyPageOfThousandsOfRuns are listed by the hundred, to many at a time, and any page
// can be asked for.
func TestAnyPageOfThousandsOfRuns(t *testing.T) {
	out := t.TempDir()
	const runs = 3000
	for i := range runs {
		dir := fmt.Sprintf("t%d/20260101T000000Z-%d", i%7, i)
		write(t, out, dir+"/plan.json", "{}")
		write(t, out, dir+"/results.json", `{"verdict":"pass","ops":{"ok":1,"loadSeconds":1,"throughput":1}}`)
	}
	_, host := live(t, out)
	var all sync.WaitGroup
	for _, page := range []string{"", "?page=2", "?page=30", "?page=31", "?page=99999", "?page=92233720368547758", "?page=9223372036854775807", "?sort=seed&page=4611686018427387904"} {
		all.Go(func() {
			status, text := fetch(t, "http://"+host+"/"+page)
			if status != http.StatusOK || !strings.Contains(text, "3000 of 3000 runs, ") || !strings.Contains(text, " shown") || len(text) > 1<<20 {
				t.Errorf("%s: status %d, %d bytes", page, status, len(text))
			}
		})
	}
	all.Wait()
}

// TestOddResultsAreListed: whatever stands in a run's results, the list is shown
// and the run is in it.
func TestOddResultsAreListed(t *testing.T) {
	out := t.TempDir()
	odd := []string{"", "null", "[]", "7", `{"verdict":7}`, `{"verdict":"pass","ops":{"throughput":1e999}}`, `{"verdict":"pass","ops":{"ok":-5,"loadSeconds":-1e308,"throughput":1e308}}`,
		`{"verdict":"pass","ops":null,"elections":null,"faults":null,"reasons":null,"thresholds":null}`, `{"verdict":"violation","reasons":[` + strings.Repeat(`"r",`, 1e6) + `"r"]}`,
		`{"verdict":"pass","faults":[` + strings.Repeat(`{},`, 1e6) + `{}]}`, `{"verdict":"pass","x":` + strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6) + "}",
		`{"verdict":"` + strings.Repeat("v", 1<<20) + `"}`, `{"verdict":"pass","stopped":"` + strings.Repeat("v", 1<<20) + `"}`}
	for i, text := range odd {
		dir := fmt.Sprintf("odd/20260101T000000Z-%d", i)
		write(t, out, dir+"/plan.json", text)
		write(t, out, dir+"/env.json", text)
		write(t, out, dir+"/results.json", text)
	}
	s := newServer(t, out)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", nil)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Body.Len() > 1<<20 {
		t.Errorf("status %d, %d bytes", w.Code, w.Body.Len())
	}
	for i := range odd {
		if !strings.Contains(w.Body.String(), fmt.Sprintf("20260101T000000Z-%d/", i)) {
			t.Errorf("%.60q is not listed", odd[i])
		}
	}
}
