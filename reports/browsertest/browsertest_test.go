package browsertest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestItHears: what goes wrong in a page must be noticed, or else tests that ask
// for nothing to be wrong would pass whatever happens.
func TestItHears(t *testing.T) {
	page := Open(t, 800, 600)
	path := filepath.Join(t.TempDir(), "bad.html")
	html := `<!doctype html><title>bad</title><img src="missing.png"><script>console.error("said"); setTimeout(() => { throw new Error("thrown") }, 1)</script>`
	if err := os.WriteFile(path, []byte(html), 0o644); err != nil {
		t.Fatal(err)
	}
	page.GotoFile(path)
	if title := Eval[string](page, "document.title"); title != "bad" {
		t.Errorf("title %q", title)
	}
	heard := func() string { return strings.Join(page.Troubles(), "\n") }
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		if strings.Contains(heard(), "thrown") {
			break
		}
	}
	for _, want := range []string{"said", "thrown", "ERR_FILE_NOT_FOUND"} {
		if !strings.Contains(heard(), want) {
			t.Errorf("%s was not heard in:\n%s", want, heard())
		}
	}
	if !slices.ContainsFunc(page.Requests(), func(url string) bool { return strings.HasSuffix(url, "missing.png") }) {
		t.Errorf("the request is not among %q", page.Requests())
	}
}
