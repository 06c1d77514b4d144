package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEmpty: everything goes that a server can leave behind, and nothing that it merely
// points at.
func TestEmpty(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	deep := filepath.Join(dir, "member", "wal")
	steps := []error{
		os.MkdirAll(deep, 0o700),
		os.WriteFile(filepath.Join(deep, "0.wal"), []byte("x"), 0o400),
		os.WriteFile(filepath.Join(dir, ".hidden"), nil, 0o600),
		os.Symlink(outside, filepath.Join(dir, "file")),
		os.Symlink(filepath.Dir(outside), filepath.Join(dir, "folder")),
		os.Symlink("nowhere", filepath.Join(dir, "member", "dangling")),
		os.Chmod(deep, 0o500),
		os.Chmod(filepath.Join(dir, "member"), 0),
	}
	for _, err := range steps {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n, err := empty(dir); n != 7 || err != nil {
		t.Errorf("removed %d, %v, want 7", n, err)
	}
	if left, err := os.ReadDir(dir); len(left) != 0 || err != nil {
		t.Errorf("left are %v, %v", left, err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("what was outside: %v", err)
	}
	if n, err := empty(dir); n != 0 || err != nil {
		t.Errorf("once more: %d, %v", n, err)
	}
	if _, err := empty(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that there is not was wiped")
	}
}

// TestWipeNeedsADirectory: an agent outside of a machine has none.
func TestWipeNeedsADirectory(t *testing.T) {
	if _, err := new(supervisor).wipe(); err == nil || !strings.Contains(err.Error(), "has none") {
		t.Error(err)
	}
}
