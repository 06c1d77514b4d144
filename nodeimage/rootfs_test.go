package nodeimage

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"squall/nodeimage/files"
)

// taken takes files of these contents, by their paths in machines.
func taken(t *testing.T, contents map[string]string) *files.Set {
	t.Helper()
	var list []files.File
	for path, text := range contents {
		f := files.File{Path: path, Source: filepath.Join(t.TempDir(), "source")}
		if err := os.WriteFile(f.Source, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	set, err := (files.Store{Dir: filepath.Join(t.TempDir(), "files")}).Take(t.Context(), list, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestRootFSWithFiles: the archive has every file after its directories, whose
// modes are then not up to the engine.
func TestRootFSWithFiles(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(binary, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := "/opt/" + strings.Repeat(strings.Repeat("n", 90)+"/", 5) + "file"
	contents := map[string]string{"/opt/a/b": "1", "/opt/a/c": "22", "/d": "", long: "333", "/opt/ü": "4"}
	var image, again bytes.Buffer
	for _, to := range []*bytes.Buffer{&image, &again} {
		if err := RootFS(to, binary, taken(t, contents)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(image.Bytes(), again.Bytes()) {
		t.Error("the same files make other bytes")
	}
	var names []string
	for r := tar.NewReader(&image); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		want, ours := contents["/"+h.Name]
		if ours && (string(text) != want || h.Mode != 0o444 || err != nil) {
			t.Errorf("%s is %q with the mode %o, %v", h.Name, text, h.Mode, err)
		}
		if dir := dirOf(h.Name); dir != "" && !slices.Contains(names, dir) {
			t.Errorf("%s comes before its directory", h.Name)
		}
		if slices.Contains(names, h.Name) || h.Uid != 0 || !strings.HasPrefix(h.Name, "tmp") && strings.HasSuffix(h.Name, "/") && h.Mode != 0o755 {
			t.Errorf("%s is there twice, or has the mode %o", h.Name, h.Mode)
		}
		names = append(names, h.Name)
	}
	for name := range contents {
		if !slices.Contains(names, name[1:]) {
			t.Errorf("%s is missing", name)
		}
	}
}

// dirOf is the directory that a name of an archive is in; "" is the root.
func dirOf(name string) string {
	dir, _ := filepath.Split(strings.TrimSuffix(name, "/"))
	return dir
}

// TestAnImageHoldsWhatWasTaken: a copy that somebody changed makes no image.
func TestAnImageHoldsWhatWasTaken(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(binary, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"two", "longer"} {
		set := taken(t, map[string]string{"/a": "one"})
		kept := set.Files()[0].Kept
		if err := os.Chmod(kept, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(kept, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := RootFS(io.Discard, binary, set)
		if err == nil || !strings.Contains(err.Error(), "somebody changed squall's copy of /a") {
			t.Errorf("with %q in it: %v", text, err)
		}
		if _, err := os.Stat(kept); err == nil {
			t.Error("the next run finds it again")
		}
	}
}

// TestLargeFilesAreStreamed: of 100 MiB nothing stays in memory.
func TestLargeFilesAreStreamed(t *testing.T) {
	const size, bound = 100 << 20, 4 << 20
	source := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(source, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(source, size); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	set, err := (files.Store{Dir: filepath.Join(t.TempDir(), "files")}).Take(t.Context(), []files.File{{Path: "/large", Source: source}}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	written := new(counter)
	if err := RootFS(written, source, set); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > bound {
		t.Errorf("taking and packing %d bytes takes %d bytes of memory, want %d at most", size, allocated, bound)
	}
	if *written < 2*size {
		t.Errorf("%d bytes were packed", *written)
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// TestWhatMachinesNeedIsReserved: no file of a machine takes its place.
func TestWhatMachinesNeedIsReserved(t *testing.T) {
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{BinaryPath, DataDir, TempDir} {
		for _, path := range []string{taken, taken + "/x"} {
			err := files.Check([]files.File{{Path: path, Source: source}}, "amd64")
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s is the machine's own", taken)) {
				t.Errorf("a file may be at %s: %v", path, err)
			}
		}
	}
}
