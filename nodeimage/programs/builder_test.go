package programs

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"squall/internal/machinetest"
	"squall/nodeimage/files"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

// tiny is a module without dependencies, whose program prints a text.
func tiny(text string) *files.Build {
	return &files.Build{Name: "tiny 1", Package: ".", Instead: "name one with binary=PATH", Sources: map[string]string{
		"go.mod":        "module tiny\n\ngo 1.21\n",
		"go.sum":        "",
		"main.go":       "package main\n\nimport \"tiny/sub\"\n\nfunc main() { println(sub.Text) }\n",
		"sub/sub.go":    fmt.Sprintf("package sub\n\nconst Text = %q\n", text),
		"other/main.go": "package main\n\nfunc main() { undefined() }\n",
	}}
}

func make1(t *testing.T, b Builder, build *files.Build) (path string, built bool) {
	t.Helper()
	path, err := b.Make(t.Context(), build, runtime.GOARCH, func() { built = true })
	if err != nil {
		t.Fatal(err)
	}
	return path, built
}

// says runs a program.
func says(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestAProgramIsBuiltOnce(t *testing.T) {
	machinetest.NotShort(t, "it compiles")
	if runtime.GOOS != "linux" {
		machinetest.Skip(t, "what is built runs on Linux")
	}
	t.Setenv("GOFLAGS", "-mod=vendor") // what the user's own modules need is of no matter
	b := Builder{Cache: filepath.Join(t.TempDir(), "cache")}
	var built atomic.Int64
	var all sync.WaitGroup
	for range 3 { // at once
		all.Go(func() {
			if _, err := b.Make(t.Context(), tiny("one"), runtime.GOARCH, func() { built.Add(1) }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	first, again := make1(t, b, tiny("one"))
	if got := says(t, first); got != "one" || again || built.Load() == 0 {
		t.Errorf("it says %q; it was built %d times, and again: %v", got, built.Load(), again)
	}
	if err := files.Check([]files.File{{Path: "/opt/tiny", Source: first, Exec: true}}, runtime.GOARCH); err != nil {
		t.Errorf("a machine cannot hold it: %v", err)
	}
	// Whoever reads it while it is used again sees that nothing changes.
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	make1(t, b, tiny("one"))
	if after, err := os.Stat(first); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("its time has changed: %v", err)
	}
	if other, _ := make1(t, b, tiny("two")); says(t, other) != "two" {
		t.Errorf("of other sources it is the same program")
	}
	if stale, _ := filepath.Glob(filepath.Join(b.Cache, "build-*")); len(stale) > 0 {
		t.Errorf("builds left %v", stale)
	}
	t.Run("what is there needs no Go", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if b.home(tiny("one"), runtime.GOARCH) != filepath.Dir(first) {
			machinetest.Skip(t, "squall was compiled with another Go than that in PATH")
		}
		if path, built := make1(t, b, tiny("one")); path != first || built {
			t.Errorf("%s is not %s; built: %v", path, first, built)
		}
	})
}

// TestWhatIsBuiltOfDependsOnEverything: of what a program depends on each part has a say
// in its key.
func TestWhatIsBuiltOfDependsOnEverything(t *testing.T) {
	base := func() *files.Build {
		return &files.Build{Name: "x", Package: "p", Sources: map[string]string{"main.go": "a"}, Requires: []files.Module{{Path: "m", Version: "v1.0.0"}}}
	}
	seen := map[string]string{key(base(), "amd64"): "the same"}
	for what, change := range map[string]func(*files.Build){
		"package": func(b *files.Build) { b.Package = "q" },
		"source":  func(b *files.Build) { b.Sources["main.go"] = "b" },
		"name":    func(b *files.Build) { b.Sources = map[string]string{"min.go": "a"} },
		"module":  func(b *files.Build) { b.Requires[0].Path = "n" },
		"version": func(b *files.Build) { b.Requires[0].Version = "v1.0.1" },
	} {
		b := base()
		change(b)
		if other, twice := seen[key(b, "amd64")]; twice {
			t.Errorf("another %s has the key of %s", what, other)
		}
		seen[key(b, "amd64")] = what
	}
	if _, twice := seen[key(base(), "arm64")]; twice {
		t.Error("another processor has the same key")
	}
	t.Setenv("GOAMD64", "v3")
	if _, twice := seen[key(base(), "amd64")]; twice {
		t.Error("another setting of the compiler has the same key")
	}
}

// moduleProxy is a module proxy in a folder, with the module example.test/hello at
// v1.0.0 and v1.2.0, whose package cmd/hello says its version.
func moduleProxy(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, "example.test", "hello", "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(at, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("list", "v1.0.0\nv1.2.0\n")
	for _, version := range []string{"v1.0.0", "v1.2.0"} {
		mod := "module example.test/hello\n\ngo 1.20\n"
		put(version+".info", fmt.Sprintf(`{"Version":%q}`, version))
		put(version+".mod", mod)
		f, err := os.Create(filepath.Join(at, version+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		for name, text := range map[string]string{
			"go.mod":            mod,
			"hello.go":          fmt.Sprintf("package hello\n\nconst Version = %q\n", version),
			"cmd/hello/main.go": "package main\n\nimport \"example.test/hello\"\n\nfunc main() { println(hello.Version) }\n",
		} {
			w, err := z.Create("example.test/hello@" + version + "/" + name)
			if err == nil {
				_, err = w.Write([]byte(text))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(z.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(dir))
	t.Setenv("GOSUMDB", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-modcacherw") // so that it can be removed
}

func TestAProgramOfAModuleOfTheProxy(t *testing.T) {
	machinetest.NotShort(t, "it compiles")
	if runtime.GOOS != "linux" {
		machinetest.Skip(t, "what is built runs on Linux")
	}
	moduleProxy(t)
	b := Builder{Cache: t.TempDir()}
	for _, version := range []string{"v1.0.0", "v1.2.0"} {
		requires := []files.Module{{Path: "example.test/hello", Version: version}}
		path, _ := make1(t, b, &files.Build{Name: "hello", Package: "example.test/hello/cmd/hello", Requires: requires})
		if got := says(t, path); got != version {
			t.Errorf("the program of the module's own package says %s, want %s", got, version)
		}
		wrapper := map[string]string{"main.go": "package main\n\nimport \"example.test/hello\"\n\nfunc main() { println(\"wrapped \" + hello.Version) }\n"}
		path, _ = make1(t, b, &files.Build{Name: "hello", Package: ".", Sources: wrapper, Requires: requires})
		if got := says(t, path); got != "wrapped "+version {
			t.Errorf("the program of sources that require it says %s, want %s", got, version)
		}
	}
}

func TestProgramsThatCannotBeHad(t *testing.T) {
	machinetest.NotShort(t, "it runs Go")
	requires := func(path, version string) *files.Build {
		return &files.Build{Name: "hello", Package: "example.test/hello/cmd/hello", Instead: "name one with binary=PATH",
			Requires: []files.Module{{Path: path, Version: version}}}
	}
	broken := tiny("x")
	broken.Package = "./other"
	for name, tc := range map[string]struct {
		build *files.Build
		env   [2]string
		want  []string
	}{
		"no such version": {build: requires("example.test/hello", "v1.1.0"),
			want: []string{"building hello: go build: exit status 1", "example.test/hello@v1.1.0 cannot be had", "there are: v1.0.0, v1.2.0; or name one with binary=PATH"}},
		"no such module": {build: requires("example.test/nope", "v1.1.0"),
			want: []string{"example.test/nope@v1.1.0 cannot be had", "the proxy does not say which versions there are"}},
		"no network": {build: requires("example.test/hello", "v1.0.0"), env: [2]string{"GOPROXY", "http://127.0.0.1:1"},
			want: []string{"the module proxy does not answer (GOPROXY=http://127.0.0.1:1)", "set GOPROXY", "; or name one with binary=PATH"}},
		"does not compile": {build: broken, want: []string{"other/main.go:3:15: undefined: undefined", "name one with binary=PATH"}},
		"no Go":            {build: tiny("x"), env: [2]string{"PATH", "/nonexistent"}, want: []string{"building tiny 1: there is no Go on this computer", "install Go (https://go.dev/dl), or name one with binary=PATH"}},
	} {
		t.Run(name, func(t *testing.T) {
			moduleProxy(t)
			if tc.env[0] != "" {
				t.Setenv(tc.env[0], tc.env[1])
			}
			b := Builder{Cache: t.TempDir()}
			_, err := b.Make(t.Context(), tc.build, runtime.GOARCH, func() {})
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("%v, want an *Error", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q in it", err, want)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(b.Cache, "build-*")); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
			if can := b.Can(tc.build, runtime.GOARCH); (can != nil) != errors.Is(err, ErrNoGo) {
				t.Errorf("before it was tried: %v", can)
			}
		})
	}
}

func TestABuildThatIsCalledOff(t *testing.T) {
	machinetest.NotShort(t, "it runs Go")
	why := errors.New("called off")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := Builder{Cache: t.TempDir()}.Make(ctx, tiny("x"), runtime.GOARCH, func() { cancel(why) })
	if !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
}

func TestACacheThatCannotBeWritten(t *testing.T) {
	machinetest.NotShort(t, "it runs Go")
	cache := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(cache, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Builder{Cache: cache}.Make(t.Context(), tiny("x"), runtime.GOARCH, func() {})
	if err == nil || !strings.Contains(err.Error(), "set XDG_CACHE_HOME") || errors.As(err, new(*Error)) {
		t.Errorf("%v, want what to do about the cache", err)
	}
}

func TestQuoted(t *testing.T) {
	var lines []string
	for i := range 40 {
		lines = append(lines, "go: downloading x", fmt.Sprint("line ", i))
	}
	got := quoted(strings.Join(lines, "\n"))
	if !strings.HasPrefix(got, "…\nline 28\n") || !strings.HasSuffix(got, "line 39") || strings.Contains(got, "downloading") {
		t.Errorf("it quotes %q", got)
	}
}
