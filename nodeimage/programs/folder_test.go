package programs

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Of builds, those are cleaned away that nobody goes on with.
func TestBuildsThatWereKilledAreCleaned(t *testing.T) {
	cache := t.TempDir()
	going, release, err := Folder(cache)
	if err != nil {
		t.Fatal(err)
	}
	// One that was killed has a lock that nobody holds; an older squall made none.
	killed, older, young := filepath.Join(cache, "build-1"), filepath.Join(cache, "build-2"), filepath.Join(cache, "build-3")
	for _, dir := range []string{killed, older, young} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(killed, buildLock), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(older, long, long); err != nil {
		t.Fatal(err)
	}
	if n, err := Clean(cache); n != 2 || err != nil {
		t.Errorf("it cleaned %d builds, %v, want 2", n, err)
	}
	left, _ := filepath.Glob(filepath.Join(cache, "build-*"))
	if want := []string{young, going}; len(left) != 2 || !slices.Contains(left, want[0]) || !slices.Contains(left, want[1]) {
		t.Errorf("it left %v, want %v", left, want)
	}
	release()
	if left, _ := filepath.Glob(filepath.Join(cache, "build-*")); len(left) != 1 {
		t.Errorf("a build that ended left %v", left)
	}
}
