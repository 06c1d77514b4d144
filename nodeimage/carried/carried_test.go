package carried

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestPackedNodesComeBack(t *testing.T) {
	root, dir, source := t.TempDir(), t.TempDir(), t.TempDir()
	programs := map[string]string{}
	for _, arch := range []string{"arm64", "amd64"} {
		programs[arch] = filepath.Join(source, arch)
		if err := os.WriteFile(programs[arch], bytes.Repeat([]byte(arch), 1000), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file, err := Overlay(root, dir, programs)
	if err != nil {
		t.Fatal(err)
	}
	nodes := In(os.DirFS(dir))
	if got := nodes.Platforms(); !slices.Equal(got, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("platforms %v", got)
	}
	for arch := range programs {
		node, err := nodes.Find(arch)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if n, err := node.WriteTo(&got); err != nil || n != node.Size || n != 5000 || !bytes.Equal(got.Bytes(), bytes.Repeat([]byte(arch), 1000)) {
			t.Errorf("%s: %d bytes of %d, %v", arch, n, node.Size, err)
		}
	}
	if _, err := nodes.Find("mips"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
	var overlay struct{ Replace map[string]string }
	if text, err := os.ReadFile(file); err != nil || json.Unmarshal(text, &overlay) != nil || len(overlay.Replace) != 2 {
		t.Errorf("overlay %s, %v", text, err)
	}
	if _, err := Overlay(root, dir, map[string]string{"amd64": filepath.Join(root, "nowhere")}); err == nil {
		t.Error("a program that is not there was packed")
	}
}

// TestTheTreeCarriesNothing: nobody has left packed nodes in the sources.
func TestTheTreeCarriesNothing(t *testing.T) {
	if got := Embedded().Platforms(); got != nil {
		t.Errorf("this build carries %v", got)
	}
	if _, err := Embedded().Find("amd64"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not carried: %v", err)
	}
	if found, _ := filepath.Glob("*" + suffix); len(found) > 0 {
		t.Errorf("packed nodes in the tree: %v", found)
	}
}
