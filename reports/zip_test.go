package reports

import (
	"archive/zip"
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/reports/archive"
	"squall/reports/browsertest"
)

// TestAZipOpensAnywhere: in the zip of a run every link of its pages leads to a file that is
// in it too, and the pages need nothing else.
func TestAZipOpensAnywhere(t *testing.T) {
	dir := unzipped(t, hostileRun(t))
	for _, name := range []string{ReportFile, TimelineFile} {
		page := browsertest.Open(t, 1200, 900)
		page.GotoFile(filepath.Join(dir, name))
		await(t, page, "document.readyState === 'complete'")
		links := browsertest.Eval[[]string](page, `[...document.querySelectorAll('[href],[src]')].map(e => e.getAttribute('href') ?? e.getAttribute('src'))`)
		files := 0
		for _, link := range links {
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "" || u.Path == "" {
				continue
			}
			files++
			if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(u.Path))); err != nil || !info.Mode().IsRegular() || strings.Contains(u.Path, "..") {
				t.Errorf("%s links to %q: %v", name, link, err)
			}
		}
		if files == 0 {
			t.Errorf("%s links to nothing, of %d links", name, len(links))
		}
		if troubles := page.Troubles(); len(troubles) > 0 {
			t.Errorf("%s: the console says %q", name, troubles)
		}
	}
}

// unzipped is a run after it was packed and unpacked elsewhere.
func unzipped(t *testing.T, run string) (dir string) {
	t.Helper()
	root, err := os.OpenRoot(run)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var packed bytes.Buffer
	if err := archive.Pack(t.Context(), &packed, root, ".", "a-run"); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, r); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "a-run")
}
