package archive

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestName(t *testing.T) {
	for folder, want := range map[string]string{"/a/runs/raftkv-register/20261101T000000Z-7": "raftkv-register-20261101T000000Z-7", "run": "run", "./run": "run", "../run": "run", "/run": "run"} {
		if got := Name(folder); got != want {
			t.Errorf("Name(%q) = %q, want %q", folder, got, want)
		}
	}
}

// TestPack: all regular files are in it, whole, and nothing of what is there for a while.
func TestPack(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"report.html": "a page", "nodes/n1/server.log": "a log", "history.jsonl.zst": "packed", ".hidden": "x", "plan.json.tmp": "x"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "latest")); err != nil {
		t.Skip(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var packed bytes.Buffer
	if err := Pack(t.Context(), &packed, root, ".", "a-run"); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	if want := []string{"a-run/history.jsonl.zst", "a-run/nodes/n1/server.log", "a-run/report.html"}; !slices.Equal(names, want) {
		t.Errorf("it holds %q, want %q", names, want)
	}
	if text, err := fs.ReadFile(r, "a-run/nodes/n1/server.log"); err != nil || string(text) != "a log" {
		t.Errorf("a log is %q, %v", text, err)
	}
	over, end := context.WithCancel(t.Context())
	end()
	if err := Pack(over, &packed, root, ".", "a-run"); !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
}
