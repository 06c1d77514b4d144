package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// names are what is in a folder.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWriteReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "results.json")
	for _, want := range []string{"a long first content", "short", ""} {
		if err := Write(path, []byte(want), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("it holds %q, %v, want %q", got, err, want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v, want permissions 0640", info.Mode(), err)
	}
	if left := names(t, dir); !slices.Equal(left, []string{"results.json"}) {
		t.Errorf("the folder holds %q", left)
	}
}

// TestAReaderKeepsTheOldFile: the file that somebody has open is not changed.
func TestAReaderKeepsTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.json")
	if err := Write(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(path, []byte("new and longer"), 0o644); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, _ := f.Read(buf); string(buf[:n]) != "old" {
		t.Errorf("the open file holds %q", buf[:n])
	}
}

// TestAFailureLeavesNothing: a folder stands where the file should be.
func TestAFailureLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "campaign.json")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("x"), 0o644); err == nil {
		t.Error("a folder was replaced")
	}
	if left := names(t, dir); !slices.Equal(left, []string{"campaign.json"}) {
		t.Errorf("the folder holds %q", left)
	}
	if err := Write(filepath.Join(dir, "missing", "file"), nil, 0o644); err == nil {
		t.Error("a file in a folder that is missing was written")
	}
}

// TestAStreamThatFails leaves the file as it was.
func TestAStreamThatFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.zip")
	if err := Write(path, []byte("whole"), 0o644); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("the disk is full")
	if err := Stream(path, 0o644, func(w io.Writer) error { return errors.Join(errOf(w.Write([]byte("half"))), failed) }); !errors.Is(err, failed) {
		t.Errorf("Stream = %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "whole" {
		t.Errorf("it holds %q, %v", got, err)
	}
	if left := names(t, dir); !slices.Equal(left, []string{"run.zip"}) {
		t.Errorf("the folder holds %q", left)
	}
}

func errOf(_ int, err error) error { return err }
