package faults

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"squall/internal/machinetest"
	"squall/nemesis"
)

// The guide to adding a fault, followed word for word, adds one that works: its
// file and its line are laid over the sources, and the catalogue's own tests
// try it.
func TestTheGuideAddsAFault(t *testing.T) {
	machinetest.NotShort(t, "it compiles the catalogue with one fault more")
	if _, ok := nemesis.Find(All(), "island"); ok {
		machinetest.Skip(t, "somebody has followed the guide: its fault is in this catalogue, and tried by the other tests")
	}
	text, err := os.ReadFile("../../docs/guides/adding-a-fault.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 {
		t.Fatalf("the guide has %d pieces of Go, want the file and the line", len(blocks))
	}
	file, line := blocks[0][1], strings.TrimSpace(blocks[1][1])
	catalogue, err := os.ReadFile("faults.go")
	if err != nil {
		t.Fatal(err)
	}
	before := strings.Replace(line, ", island()", "", 1)
	if before == line || strings.Count(string(catalogue), before) != 1 {
		t.Fatalf("the catalogue has no line %q for the guide to change", before)
	}
	dir, here := t.TempDir(), must(filepath.Abs("."))(t)
	overlay := map[string]string{}
	for name, content := range map[string]string{"island.go": file, "faults.go": strings.Replace(string(catalogue), before, line, 1)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(here, name)] = path
	}
	description := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(description, must(json.Marshal(map[string]any{"Replace": overlay}))(t), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-overlay", description, "-v",
		"-run", "TestTheCatalogueIsInOrder|TestEveryFaultBitesAndHeals|TestAFaultThatDoesNotBiteIsVoid|TestAHealThatDoesNothingIsAnError", ".")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("with the guide's fault: %v\n%s", err, out)
	}
	for _, want := range []string{"TestEveryFaultBitesAndHeals/island(leader)", "TestAFaultThatDoesNotBiteIsVoid/island", "TestAHealThatDoesNothingIsAnError/island"} {
		if !strings.Contains(string(out), "--- PASS: "+want) {
			t.Errorf("%s was not tried:\n%s", want, out)
		}
	}
}

// must is for calls that do not fail in a test that goes on.
func must[V any](v V, err error) func(*testing.T) V {
	return func(t *testing.T) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
