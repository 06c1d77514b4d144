// Package guidetest helps tests to follow a guide word for word: it takes the pieces of
// code from the page and lays them over the sources, for the go command to build.
package guidetest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Read is the content of a file.
func Read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Pieces are the pieces of code on a page, by language, in their order.
func Pieces(page string) map[string][]string {
	pieces := map[string][]string{}
	for _, m := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(page, -1) {
		pieces[m[1]] = append(pieces[m[1]], m[2])
	}
	return pieces
}

// Change replaces what must be in a text once.
func Change(t testing.TB, text, before, after string) string {
	t.Helper()
	if before == after || strings.Count(text, before) != 1 {
		t.Fatalf("there is no line %q for the guide to change", before)
	}
	return strings.Replace(text, before, after, 1)
}

// Overlay puts files, by their absolute paths in the sources, into dir, and returns the
// description that `go build -overlay` takes to build as if they stood there.
func Overlay(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	replace := map[string]string{}
	for path, content := range files {
		replace[path] = filepath.Join(dir, filepath.Base(path))
		write(t, replace[path], content)
	}
	description, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	write(t, file, string(description))
	return file
}

// Compiles fails the test unless the packages compile with what the overlay lays over
// them.
func Compiles(t testing.TB, overlay string, packages ...string) {
	t.Helper()
	if out, err := exec.Command("go", append([]string{"build", "-overlay", overlay}, packages...)...).CombinedOutput(); err != nil {
		t.Fatalf("with what the guide adds: %v\n%s", err, out)
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
