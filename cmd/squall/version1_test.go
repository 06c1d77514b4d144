package main

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
)

// version1 is a run that squall recorded when histories had format version 1, as it
// lies in testdata, with the results of then.
func version1(t *testing.T) (out, dir string) {
	t.Helper()
	out = t.TempDir()
	dir = filepath.Join(out, "v1", "20261128T071548Z-7")
	if err := os.CopyFS(dir, os.DirFS("testdata/version1")); err != nil {
		t.Fatal(err)
	}
	return out, dir
}

// TestRunsOfVersion1: every command reads a run of format version 1, and finds in it what
// it found then.
func TestRunsOfVersion1(t *testing.T) {
	out, dir := version1(t)
	then, err := check.ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	say(t, out, exitPass, "check", dir)
	now, err := check.ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	// What later versions look for as well was not looked for then.
	now.Checks = slices.DeleteFunc(now.Checks, func(c check.Result) bool {
		return !slices.ContainsFunc(then.Checks, func(old check.Result) bool { return old.Name == c.Name })
	})
	now.Situations = nil
	for i := range now.Checks {
		maps.DeleteFunc(now.Checks[i].Stats, func(figure string, _ float64) bool {
			_, known := then.Checks[i].Stats[figure]
			return !known
		})
	}
	// The text of a histogram is compressed, and another Go compresses it otherwise; the
	// quantiles beside it are made of it.
	ignored := []cmp.Option{cmpopts.IgnoreFields(check.Result{}, "Seconds", "Summary"),
		cmpopts.IgnoreFields(measure.Ops{}, "Beside", "Functions", "NoSuccessMax"), cmpopts.IgnoreFields(measure.FuncOps{}, "Histogram")}
	if diff := cmp.Diff(then, now, ignored...); diff != "" {
		t.Errorf("the results have changed (-then +now):\n%s", diff)
	}
	say(t, out, exitPass, "report", dir)
	for name, part := range map[string]string{"report.html": "2494", "timeline.html": `"total":2494`} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		wantAll(t, string(text), part)
	}
	wantAll(t, say(t, out, exitPass, "compare", dir, dir), "throughput", "latency{op=cas}")
}

// TestServeFollowsVersion1: the page of a run under way reads it as well.
func TestServeFollowsVersion1(t *testing.T) {
	out, dir := version1(t)
	release, err := history.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	read, write := io.Pipe()
	signals := make(chan os.Signal, 1)
	code := make(chan int, 1)
	args := []string{"squall", "serve", "--out", out, "--addr", "127.0.0.1:0"}
	go func() { code <- run(context.Background(), args, signals, write, write); write.Close() }()
	said := bufio.NewScanner(read)
	if !said.Scan() {
		t.Fatal("serve says nothing")
	}
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(said.Text())
	go func() {
		for said.Scan() {
		}
	}()
	res, err := http.Get(address + "/stream/v1/" + filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(res.Body); ; {
		if !lines.Scan() {
			t.Fatalf("the stream ended: %v", lines.Err())
		}
		if strings.Contains(lines.Text(), `"trouble":"`) {
			t.Fatal(lines.Text())
		}
		if strings.Contains(lines.Text(), `"totals":[2079,337,42]`) {
			break
		}
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	signals <- os.Interrupt
	if got := <-code; got != exitPass {
		t.Errorf("exit code %d", got)
	}
}
