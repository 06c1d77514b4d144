package orchestrator

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"squall/internal/machinetest"
	"squall/nodeimage"
	"squall/nodeimage/files"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// phases are the phases that were told.
type phases struct {
	quietProgress
	told []string
}

func (p *phases) Phase(text string) { p.told = append(p.told, text) }

// tiny is built of a module without dependencies.
func tiny(text string) *files.Build {
	return &files.Build{Name: "tiny " + text, Package: ".", Instead: "name one with binary=PATH", Sources: map[string]string{
		"go.mod": "module tiny\n\ngo 1.21\n", "go.sum": "", "main.go": "package main\n\nfunc main() { println(\"" + text + "\") }\n",
	}}
}

// TestFilesAreBuilt: looking at a test builds nothing; taking its files does, once, and
// says so.
func TestFilesAreBuilt(t *testing.T) {
	machinetest.NotShort(t, "it compiles")
	machinetest.OwnCache(t)
	p := &provider{program: "/opt/tiny", files: []files.File{{Path: "/opt/tiny", Build: tiny("one"), Exec: true}}}
	if err := checkFiles(t.Context(), p, nil, 3, runtime.GOARCH); err != nil {
		t.Fatal(err)
	}
	if cache, _ := nodeimage.CacheDir(); cache != "" {
		if _, err := os.Stat(cache); err == nil {
			t.Error("looking at it made something")
		}
	}
	told := &phases{}
	from := origins{arch: runtime.GOARCH, progress: told}
	first, err := takeFiles(t.Context(), p, nil, from)
	if err != nil || len(first.servers.Files()) != 1 || !first.servers.Files()[0].Exec {
		t.Fatalf("it took %+v, %v", first, err)
	}
	again, err := takeFiles(t.Context(), p, nil, from)
	if err != nil || again.servers.Key() != first.servers.Key() {
		t.Errorf("again it took %+v, %v", again, err)
	}
	want := []string{"building tiny one (once; that takes minutes)", "taking the files of provider", "taking the files of provider"}
	if !slices.Equal(told.told, want) {
		t.Errorf("it told %q, want %q", told.told, want)
	}
	t.Setenv("PATH", t.TempDir())
	p.files[0].Build = tiny("two")
	var field *testplan.FieldError
	if err := checkFiles(t.Context(), p, nil, 3, runtime.GOARCH); !errors.As(err, &field) || !strings.Contains(err.Error(), "or name one with binary=PATH") {
		t.Errorf("without Go: %v", err)
	}
}

// images has one image, with one file.
type images struct {
	arch, id string
	pulls    bool
	copies   int
	content  string
}

func (i *images) FindImage(_ context.Context, reference, arch string, pulling func()) (string, error) {
	if reference != "store:1" {
		return "", &machines.ImageError{Err: errors.New("there is no image " + reference)}
	}
	if i.pulls {
		pulling()
	}
	return i.id, nil
}

func (i *images) CopyFromImage(_ context.Context, id, path string, to io.Writer) error {
	i.copies++
	if path == "/half" {
		_, _ = io.WriteString(to, "half")
		return errors.New("the engine ended")
	}
	_, err := io.WriteString(to, i.content)
	return err
}

func TestFilesOutOfImages(t *testing.T) {
	machinetest.OwnCache(t)
	engine, told := &images{id: "sha256:1", pulls: true, content: "one"}, &phases{}
	from := origins{arch: "amd64", progress: told, images: func(context.Context) (machines.Images, func(), error) { return engine, func() {}, nil }}
	take := func(reference, path string) (string, error) {
		sets, err := takeFiles(t.Context(), &provider{files: []files.File{{Path: "/etc/x", Image: &files.Image{Reference: reference, Path: path}}}}, nil, from)
		if err != nil {
			return "", err
		}
		text, err := os.ReadFile(sets.servers.Files()[0].Kept)
		return string(text), err
	}
	if got, err := take("store:1", "/x"); got != "one" || err != nil || told.told[0] != "pulling the image store:1" {
		t.Errorf("it took %q, %v, and told %q", got, err, told.told)
	}
	engine.content = "two"
	if got, err := take("store:1", "/x"); got != "one" || err != nil || engine.copies != 1 {
		t.Errorf("of the same image it took %q, %v, by %d copies", got, err, engine.copies)
	}
	engine.id = "sha256:2" // the name means another image now
	if got, err := take("store:1", "/x"); got != "two" || err != nil {
		t.Errorf("of another image it took %q, %v", got, err)
	}
	var field *testplan.FieldError
	if _, err := take("store:2", "/x"); !errors.As(err, &field) || !strings.Contains(err.Error(), "/x of the image store:2 (/etc/x in the machines): there is no image store:2") {
		t.Errorf("of an image that is not there: %v", err)
	}
	if _, err := take("store:1", "/half"); err == nil || errors.As(err, &field) {
		t.Errorf("of an engine that ends: %v", err)
	}
	cache, err := nodeimage.CacheDir()
	if left, _ := filepath.Glob(filepath.Join(cache, "extracts", "*")); len(left) != 2 || err != nil {
		t.Errorf("it keeps %v, %v, want two files", left, err)
	}
	from.images = Config{}.images
	if _, err := take("store:1", "/x"); !errors.As(err, &field) || !strings.Contains(err.Error(), "takes a Docker engine") {
		t.Errorf("without an engine: %v", err)
	}
}
