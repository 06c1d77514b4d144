package nodeimage

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"

	"squall/internal/machinetest"
	"squall/nodeimage/carried"
)

// carrying packs a program as a release does, for both architectures.
func carrying(t *testing.T, program string) carried.Nodes {
	t.Helper()
	dir, source := t.TempDir(), filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(source, []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := carried.Overlay(t.TempDir(), dir, map[string]string{"amd64": source, "arm64": source}); err != nil {
		t.Fatal(err)
	}
	return carried.In(os.DirFS(dir))
}

// withoutGo leaves no Go in reach.
func withoutGo(t *testing.T) {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
}

func TestCarriedNodeIsUnpacked(t *testing.T) {
	withoutGo(t)
	program := strings.Repeat("a program ", 10_000)
	opts := BuildOptions{Arch: "arm64", CacheDir: filepath.Join(t.TempDir(), "not", "there", "yet")}
	nodes := carrying(t, program)
	var wg sync.WaitGroup
	for range 4 { // at once
		wg.Go(func() {
			if _, err := buildOr(t.Context(), opts, nodes); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	bin, err := buildOr(t.Context(), opts, nodes)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(bin.Path); err != nil || string(got) != program {
		t.Errorf("unpacked %d bytes (%v), want %d", len(got), err, len(program))
	}
	if info, err := os.Stat(bin.Path); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the node cannot be run: %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(opts.CacheDir, "*")); len(left) != 1 {
		t.Errorf("the cache holds %v, want the node alone", left)
	}
	if other, err := buildOr(t.Context(), opts, carrying(t, program+"!")); err != nil || other.Key == bin.Key {
		t.Errorf("another node has the key %s too (%v)", other.Key, err)
	}
	if err := os.Truncate(bin.Path, 17); err != nil {
		t.Fatal(err)
	}
	if _, err := buildOr(t.Context(), opts, nodes); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(bin.Path); string(got) != program {
		t.Error("a node that was cut short in the cache is taken for whole")
	}
}

func TestCarriedErrors(t *testing.T) {
	withoutGo(t)
	nodes := carrying(t, strings.Repeat("a program ", 100))
	pack, err := carried.Pack(bytes.Repeat([]byte("0123456789abcdef"), 64))
	if err != nil {
		t.Fatal(err)
	}
	pack[len(pack)-1] ^= 1 // of the checksum
	broken := carried.In(fstest.MapFS{"squall-node-linux-amd64.zst": {Data: pack}})
	noise := carried.In(fstest.MapFS{"squall-node-linux-amd64.zst": {Data: []byte("noise")}})
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		opts  BuildOptions
		nodes carried.Nodes
		want  []string
	}{
		{"not carried", BuildOptions{Arch: "riscv64"}, nodes, []string{"linux/riscv64", "carries squall-node for linux/amd64, linux/arm64"}},
		{"a mutant without Go", BuildOptions{Arch: "amd64", Mutant: "local-reads"}, nodes,
			[]string{"planting the bug local-reads", "Go and a checkout"}},
		{"damaged", BuildOptions{Arch: "amd64"}, broken, []string{"linux/amd64", "damaged", "SHA256SUMS"}},
		{"noise", BuildOptions{Arch: "amd64"}, noise, []string{"linux/amd64", "damaged", "SHA256SUMS"}},
		{"no folder", BuildOptions{Arch: "amd64", CacheDir: filepath.Join(blocked, "x")}, nodes, []string{blocked, "XDG_CACHE_HOME"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.opts.CacheDir == "" {
				c.opts.CacheDir = t.TempDir()
			}
			_, err := buildOr(t.Context(), c.opts, c.nodes)
			if err == nil {
				t.Fatal("it was not refused")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q in it", err, want)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(c.opts.CacheDir, "*")); len(left) != 0 {
				t.Errorf("it left %v", left)
			}
			// What is not there at all is seen without building.
			missing := c.name == "not carried" || c.opts.Mutant != ""
			before := canBuild(c.opts, c.nodes)
			if (before != nil) != missing || missing && before.Error() != err.Error() {
				t.Errorf("beforehand it says %v, and then %v", before, err)
			}
			if c.opts.Mutant != "" && !errors.Is(before, ErrMutantNeedsSources) {
				t.Errorf("the mutant is not to blame: %v", before)
			}
		})
	}
}

// fullDisk writes a part, and then there is no space.
type fullDisk struct{}

func (fullDisk) WriteTo(w io.Writer) (int64, error) {
	n, _ := io.WriteString(w, "half of a pro")
	return int64(n), &os.PathError{Op: "write", Path: "node", Err: syscall.ENOSPC}
}

func TestFullDiskLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "squall-node-x")
	if err := keep(path, fullDisk{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("keep on a full disk: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 0 {
		t.Errorf("a full disk left %v", left)
	}
}

// TestFullDisk fills a true one, where there is one to fill.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		machinetest.Skip(t, err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	node, err := carrying(t, strings.Repeat("a program ", 10_000)).Find("amd64")
	if err != nil {
		t.Fatal(err)
	}
	_, err = node.WriteTo(full)
	if err = cacheError("/cache/x", err); !errors.Is(err, syscall.ENOSPC) ||
		!strings.Contains(err.Error(), "/cache/x") || strings.Contains(err.Error(), "damaged") {
		t.Errorf("on a full disk: %v", err)
	}
}

func TestDefaultCacheDir(t *testing.T) {
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		t.Setenv(name, "")
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp)
	dir, err := CacheDir()
	if err != nil || filepath.Dir(dir) != temp {
		t.Fatalf("without a home: %s, %v; want one in %s", dir, err, temp)
	}
	if again, err := CacheDir(); err != nil || again != dir {
		t.Errorf("the second time: %s, %v", again, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others can get at %s: %v, %v", dir, info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := CacheDir(); err == nil || !strings.Contains(err.Error(), "belongs to this user alone") {
		t.Errorf("one that others can write to: %v", err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := CacheDir(); err == nil {
		t.Error("a link to somewhere else was taken")
	}
	t.Setenv("XDG_CACHE_HOME", temp)
	if dir, err := CacheDir(); err != nil || dir != filepath.Join(temp, "squall") {
		t.Errorf("with XDG_CACHE_HOME: %s, %v", dir, err)
	}
}
