package linearizable

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"squall/history/check/checktest"
	"squall/internal/guidetest"
	"squall/internal/machinetest"
)

// The guide to adding a model, followed word for word, adds one that works: its files and
// its line are laid over the sources, and the models' own tests try it.
func TestTheGuideAddsAModel(t *testing.T) {
	machinetest.NeedCI(t, "it compiles the checkers with one model more")
	if _, err := FindModel("stack"); err == nil {
		machinetest.Skip(t, "somebody has followed the guide: its model is in this list, and tried by the other tests")
	}
	text := guidetest.Read(t, "../../../docs/guides/adding-a-model.md")
	pieces := guidetest.Pieces(text)["go"]
	if len(pieces) != 3 {
		t.Fatalf("the guide has %d pieces of Go, want the file, the line and the test", len(pieces))
	}
	line := strings.TrimSpace(pieces[1])
	list := guidetest.Change(t, guidetest.Read(t, "model.go"), strings.Replace(line, ", StackModel()", "", 1), line)
	dir := t.TempDir()
	here, err := filepath.Abs(".")
	checktest.Must(t, err)
	files := map[string]string{}
	for name, content := range map[string]string{"stack.go": pieces[0], "stack_test.go": pieces[2], "model.go": list} {
		if !strings.Contains(text, "`history/check/linearizable/"+name+"`") {
			t.Errorf("the guide does not say where %s belongs", name)
		}
		files[filepath.Join(here, name)] = content
	}
	overlay := guidetest.Overlay(t, dir, files)
	if gofmt, err := exec.Command("gofmt", "-l", dir).CombinedOutput(); err != nil || len(gofmt) > 0 {
		t.Errorf("the guide's files are not formatted: %v %s", err, gofmt)
	}
	guidetest.Compiles(t, overlay, ".")
	machinetest.NeedWhole(t, "what the guide adds compiles; this runs its tests and others on it")
	out, err := exec.Command("go", "test", "-overlay", overlay, "-v", "-run", "^(TestStack|TestModels|TestEveryModel)$", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("with the guide's model: %v\n%s", err, out)
	}
	for _, want := range []string{"TestStack/out_of_order", "TestModels", "TestEveryModel/stack"} {
		if !strings.Contains(string(out), "--- PASS: "+want) {
			t.Errorf("%s was not tried:\n%s", want, out)
		}
	}
}
