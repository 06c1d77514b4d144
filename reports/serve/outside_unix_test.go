//go:build unix

package serve

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipesHoldNobodyUp: each file that serve looks at is a named pipe, a link to
// itself, a folder or a device. Were one of them opened, the test would not end.
func TestPipesHoldNobodyUp(t *testing.T) {
	out := t.TempDir()
	names := []string{"running", ".lock", "results.json", "plan.json", "env.json", "history.jsonl.zst", "elections.json", "campaign.json", "report.html"}
	for kind, spoil := range map[string]func(string) error{
		"pipe":   func(p string) error { return syscall.Mkfifo(p, 0o644) },
		"loop":   func(p string) error { return os.Symlink(filepath.Base(p), p) },
		"folder": func(p string) error { return os.Mkdir(p, 0o755) },
		"device": func(p string) error { return os.Symlink("/dev/zero", p) },
	} {
		for _, name := range names {
			for _, dir := range []string{filepath.Join("t-"+kind, "20260101T000000Z-1-"+name), filepath.Join("campaigns", "c-"+kind, name)} {
				dir = filepath.Join(out, dir)
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				for _, whole := range []string{"plan.json", "campaign.json"} {
					if err := os.WriteFile(filepath.Join(dir, whole), []byte("{}"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				path := filepath.Join(dir, name)
				_ = os.Remove(path)
				if err := spoil(path); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	s, err := New(Config{Out: out})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	get := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	if w := get("/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "t-pipe") {
		t.Errorf("the list: %d", w.Code)
	}
	for _, name := range names {
		run := "/t-pipe/20260101T000000Z-1-" + name
		for _, path := range []string{"/runs" + run + "/", "/runs" + run + "/" + name, "/live" + run, "/zip" + run} {
			if w := get(path); w.Code >= http.StatusInternalServerError {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
		_, leave, err := s.watches.join(strings.TrimPrefix(run, "/"))
		if err != nil {
			t.Fatal(err)
		}
		leave()
	}
}
