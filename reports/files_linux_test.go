package reports

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"squall/internal/machinetest"
)

// fullDisk is a file on a disk with room for so many bytes more.
type fullDisk struct {
	tempFile
	room *int
}

func (f fullDisk) Write(p []byte) (int, error) {
	if *f.room -= len(p); *f.room < 0 {
		return 0, syscall.ENOSPC
	}
	return f.tempFile.Write(p)
}

// A disk that fills up while a report is written costs neither the report that
// was there nor the results, and nothing half is left behind.
func TestDiskFull(t *testing.T) {
	in := newStorm(3, 3, 2, 20*time.Millisecond, false)
	dir, first := write(t, in, judged(in))
	before, _ := os.ReadDir(dir)
	for _, room := range []int{0, 60_000, 120_000} {
		left := room
		files := newBatch(dir)
		create := files.create
		files.create = func(dir, name string) (tempFile, error) {
			f, err := create(dir, name)
			return fullDisk{f, &left}, err
		}
		err := writeTo(context.Background(), files, coarse)
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("with room for %d bytes: %v", room, err)
		}
		for _, want := range []string{dir, "free some space", "squall report " + dir, resultsFile} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		}
		after, _ := os.ReadDir(dir)
		if len(after) != len(before) || readPage(t, dir) != first {
			t.Errorf("with room for %d bytes: %d files became %d, or the page changed", room, len(before), len(after))
		}
	}
}

// The same on a real disk that is too small, for those who may make one.
func TestSmallDisk(t *testing.T) {
	if os.Getuid() != 0 {
		machinetest.Skip(t, "only root may mount a small disk")
	}
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=160k"); err != nil {
		machinetest.Skipf(t, "no small disk can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	})
	in := newStorm(3, 3, 2, 20*time.Millisecond, false)
	saveRun(t, dir, in, judged(in))
	before, _ := os.ReadDir(dir)
	if err := writeTo(context.Background(), newBatch(dir), coarse); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error: %v", err)
	}
	if after, _ := os.ReadDir(dir); len(after) != len(before) {
		t.Errorf("%d files became %d", len(before), len(after))
	}
}

// A folder that may not be written names itself and the mend.
func TestGoneFolder(t *testing.T) {
	files := newBatch(filepath.Join(t.TempDir(), "gone"))
	err := files.stageBytes(ReportFile, []byte("x"))
	if err == nil || !strings.Contains(err.Error(), ReportFile) || !strings.Contains(err.Error(), "make the folder writable") {
		t.Errorf("error: %v", err)
	}
}
