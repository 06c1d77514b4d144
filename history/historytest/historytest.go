// Package historytest makes run directories for tests out of histories that are
// written as plain JSON lines, and holds those that people met elsewhere
// (field/README.md). It imports nothing of the project and refuses nothing: a
// test of damage needs damaged histories, which the recorder does not write.
package historytest

import (
	"bytes"
	"embed"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

//go:embed field/*.jsonl
var field embed.FS

// fileName is history.FileName. Package history has tests that use this one.
const fileName = "history.jsonl.zst"

// FieldNames are the names of the histories in field/, sorted.
func FieldNames(t testing.TB) []string {
	t.Helper()
	entries, err := field.ReadDir("field")
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".jsonl"))
	}
	slices.Sort(names)
	return names
}

// FieldLines are the lines of the history field/NAME.jsonl, the header first.
func FieldLines(t testing.TB, name string) []byte {
	t.Helper()
	lines, err := field.ReadFile("field/" + name + ".jsonl")
	must(t, err)
	return lines
}

// Field is a new run directory that holds the history field/NAME.jsonl, and no
// plan.json.
func Field(t testing.TB, name string) (dir string) {
	t.Helper()
	return Run(t, FieldLines(t, name))
}

// Run is a new run directory that holds a history of these lines, the header
// first, and no plan.json.
func Run(t testing.TB, lines []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, fileName), Pack(t, lines), 0o644))
	return dir
}

// Pack is the file of a history of these lines, the header first: zstd frames
// with a checksum, of about 64 KiB of whole lines each, without numbers.
func Pack(t testing.TB, lines []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	must(t, err)
	defer enc.Close()
	const frameAt = 64 << 10
	var out []byte
	for len(lines) > 0 {
		end := len(lines)
		if end > frameAt {
			if i := bytes.IndexByte(lines[frameAt:], '\n'); i >= 0 {
				end = frameAt + i + 1
			}
		}
		out = enc.EncodeAll(lines[:end], out)
		lines = lines[end:]
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
