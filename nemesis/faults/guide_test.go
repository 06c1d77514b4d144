package faults

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/guidetest"
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
	pieces := guidetest.Pieces(guidetest.Read(t, "../../docs/guides/adding-a-fault.md"))["go"]
	if len(pieces) != 2 {
		t.Fatalf("the guide has %d pieces of Go, want the file and the line", len(pieces))
	}
	line := strings.TrimSpace(pieces[1])
	list := guidetest.Change(t, guidetest.Read(t, "faults.go"), strings.Replace(line, ", island()", "", 1), line)
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	overlay := guidetest.Overlay(t, t.TempDir(), map[string]string{
		filepath.Join(here, "island.go"): pieces[0],
		filepath.Join(here, "faults.go"): list,
	})
	guidetest.Compiles(t, overlay, ".")
	machinetest.NeedWhole(t, "what the guide adds compiles; this runs its tests and others on it")
	cmd := exec.Command("go", "test", "-overlay", overlay, "-v",
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
