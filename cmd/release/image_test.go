package main

import (
	"archive/tar"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestImage(t *testing.T) {
	dir := t.TempDir()
	p := program{name: "squall", target: target{"linux", "arm64"}, path: filepath.Join(dir, "squall")}
	if err := os.WriteFile(p.path, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "image.tar")
	if err := packImage(p, "squall:1.2.3", path); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("squall:1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(path, &tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != "arm64" || config.Created.Unix() != 0 {
		t.Errorf("an image for %s/%s of %v", config.OS, config.Architecture, config.Created)
	}
	if c := config.Config; !slices.Equal(c.Entrypoint, []string{"/squall"}) || c.WorkingDir != "/" || !slices.Contains(c.Env, "XDG_CACHE_HOME=/cache") {
		t.Errorf("config %+v", c)
	}
	modes := map[string]int64{}
	files := mutate.Extract(image)
	defer files.Close()
	for r := tar.NewReader(files); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		modes[filepath.Clean(h.Name)] = h.Mode
		if text, _ := io.ReadAll(r); h.Name == "squall" && string(text) != "a program" {
			t.Errorf("the program is %q", text)
		}
	}
	if want := map[string]int64{"squall": 0o755, "runs": 0o1777, "tmp": 0o1777, "cache": 0o1777}; !maps.Equal(modes, want) {
		t.Errorf("the image holds %v, want %v", modes, want)
	}
	if err := packImage(program{path: filepath.Join(dir, "nowhere")}, "squall:1.2.3", path); err == nil {
		t.Error("an image without a program was made")
	}
}
