package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"squall/nodeimage"
)

// TestCleanFiles: the files of machines that are kept for the next run go with the
// cached images, but for those that a run may be about to use.
func TestCleanFiles(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	store, err := nodeimage.Files()
	if err != nil {
		t.Fatal(err)
	}
	name := func(digit string) string { return filepath.Join(store.Dir, string(bytes.Repeat([]byte(digit), 64))) }
	for digit, unused := range map[string]time.Duration{"1": time.Hour, "2": 0} {
		if err := os.MkdirAll(name(digit), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(name(digit), "content"), nil, 0o444); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-unused)
		if err := os.Chtimes(name(digit), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		images bool
		want   string
	}{{false, ""}, {true, "files: removed 1\n"}, {true, ""}} {
		var out bytes.Buffer
		if err := (&app{out: &out}).cleanFiles(tc.images); err != nil || out.String() != tc.want {
			t.Errorf("with --images=%v: %q, %v, want %q", tc.images, out.String(), err, tc.want)
		}
	}
	if _, err := os.Stat(name("2")); err != nil {
		t.Errorf("what was just taken is gone: %v", err)
	}
}
