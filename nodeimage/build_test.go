package nodeimage

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

// scratch makes a module that looks like squall's, with a small program in the
// place of the node.
func scratch(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, root, "go.mod", "module squall\n\ngo 1.26\n")
	write(t, root, "go.sum", "")
	write(t, root, "cmd/squall-node/main.go", "package main\n\nfunc main() { println(\"node\") }\n")
	write(t, root, "history/history.go", "package history\n")
	write(t, root, "internal/plain/plain.go", "package plain\n")
	write(t, root, "nodeimage/nodeimage.go", "package nodeimage\n")
	write(t, root, "workloads/workloads.go", "package workloads\n")
	return root
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T, opts BuildOptions) Binary {
	t.Helper()
	bin, err := Build(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func TestBuildIsCached(t *testing.T) {
	machinetest.NotShort(t, "it compiles nodes")
	opts := BuildOptions{Root: scratch(t), CacheDir: t.TempDir()}
	var wg sync.WaitGroup
	for range 3 { // at once
		wg.Go(func() { build(t, opts) })
	}
	wg.Wait()
	first := build(t, opts)
	file, err := elf.Open(first.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if libs, err := file.ImportedLibraries(); err != nil || len(libs) > 0 {
		t.Errorf("the binary needs %v (%v), want it static", libs, err)
	}
	if left, _ := filepath.Glob(filepath.Join(opts.CacheDir, "*")); len(left) != 1 {
		t.Errorf("the cache holds %v, want the binary alone", left)
	}
	t.Run("a hit runs nothing", func(t *testing.T) {
		bin := filepath.Dir(mustLookPath(t, "go"))
		// A go command that only fails, in the place of the true one.
		fake := t.TempDir()
		write(t, fake, "bin/go", "#!/bin/sh\nexit 1\n")
		version, err := os.ReadFile(filepath.Join(bin, "..", "VERSION"))
		if err != nil {
			machinetest.Skip(t, "this Go has no VERSION file")
		}
		write(t, fake, "VERSION", string(version))
		os.Chmod(filepath.Join(fake, "bin/go"), 0o755)
		t.Setenv("PATH", filepath.Join(fake, "bin"))
		if again := build(t, opts); again != first {
			t.Errorf("got %+v, want %+v", again, first)
		}
	})
	t.Run("a test does not count", func(t *testing.T) {
		write(t, opts.Root, "history/history_test.go", "package history\n")
		write(t, opts.Root, "nodeimage/mutants/x.patch", "")
		write(t, opts.Root, "history/testdata/x", "")
		if again := build(t, opts); again != first {
			t.Errorf("got %+v, want %+v", again, first)
		}
	})
	t.Run("a source counts", func(t *testing.T) {
		write(t, opts.Root, "history/history.go", "package history\n\nconst X = 1\n")
		if again := build(t, opts); again.Key == first.Key {
			t.Error("the key stayed the same")
		}
	})
	t.Run("the processor counts", func(t *testing.T) {
		machinetest.NeedWhole(t, "TestKeys tells it from another; this compiles Go's library for it")
		opts.Arch = "arm64"
		file, err := elf.Open(build(t, opts).Path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if file.Machine != elf.EM_AARCH64 {
			t.Errorf("it is for %v", file.Machine)
		}
	})
}

func mustLookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBuildErrors(t *testing.T) {
	machinetest.NotShort(t, "it compiles nodes")
	root := scratch(t)
	write(t, root, "cmd/squall-node/main.go", "package main\n\nfunc main() { undefined() }\n")
	cache := t.TempDir()
	for _, c := range []struct {
		name string
		opts BuildOptions
		want []string
	}{
		{"does not compile", BuildOptions{Root: root, CacheDir: cache}, []string{"main.go:3:15", "undefined: undefined", "try again with"}},
		{"no such mutant", BuildOptions{Root: root, CacheDir: cache, Mutant: "nope"}, []string{`unknown mutant "nope"`}},
		{"not squall's sources", BuildOptions{Root: t.TempDir(), CacheDir: cache}, []string{"the root of squall's sources?"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Build(t.Context(), c.opts)
			if err == nil {
				t.Fatal("it was not refused")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q in it", err, want)
				}
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "*")); len(left) != 0 {
		t.Errorf("failed builds left %v", left)
	}
}

// TestKeyCoversSources: whatever of this module squall-node is made of lies in
// the directories that the key is taken over.
func TestKeyCoversSources(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", nodePackage)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, pkg := range strings.Fields(string(out)) {
		dir, ours := strings.CutPrefix(pkg, modulePath+"/")
		if ours && !slices.ContainsFunc(sourceDirs(), func(d string) bool { return dir == d || strings.HasPrefix(dir, d+"/") }) {
			t.Errorf("squall-node is made of %s, which no key notices", pkg)
		}
	}
}

// TestKeys: a node for another processor has a key of its own.
func TestKeys(t *testing.T) {
	root, keys := scratch(t), map[string]bool{}
	for _, arch := range []string{"amd64", "arm64", "amd64"} {
		opts, err := BuildOptions{Root: root, CacheDir: t.TempDir(), Arch: arch}.withSources()
		if err != nil {
			t.Fatal(err)
		}
		key, err := buildKey(opts, nil)
		if err != nil {
			t.Fatal(err)
		}
		keys[key] = true
	}
	if len(keys) != 2 {
		t.Errorf("the keys for two processors are %v", keys)
	}
}

func TestRootFS(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(binary, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	if err := RootFS(&image, binary, nil); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int64)
	for r := tar.NewReader(&image); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = h.Mode
		if text, _ := io.ReadAll(r); h.Name == "squall-node" && string(text) != "program" {
			t.Errorf("the program is %q", text)
		}
	}
	if len(found) != 3 || found["squall-node"] != 0o755 || found["tmp/"] != 0o1777 || found["data/"] != 0o755 {
		t.Errorf("the image holds %v", found)
	}
	if err := RootFS(io.Discard, "/nowhere", nil); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("without a program: %v", err)
	}
}

func TestFindRoot(t *testing.T) {
	root := scratch(t)
	write(t, root, "a/b/c", "")
	t.Chdir(filepath.Join(root, "a/b"))
	if got, err := FindRoot(); err != nil || got != root {
		t.Errorf("from inside: %s, %v, want %s", got, err, root)
	}
	other := t.TempDir()
	t.Chdir(other)
	for _, module := range []string{"other", modulePath} { // the second only has the name
		write(t, other, "go.mod", "module "+module+"\n")
		if got, err := FindRoot(); err != nil || got == other || isModule(filepath.Join(got, "go.mod")) != nil {
			t.Errorf("from the module %s elsewhere: %s, %v, want the sources of this test", module, got, err)
		}
	}
}

func BenchmarkBuildCached(b *testing.B) {
	opts := BuildOptions{CacheDir: b.TempDir()}
	if _, err := Build(b.Context(), opts); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Build(b.Context(), opts); err != nil {
			b.Fatal(err)
		}
	}
}
