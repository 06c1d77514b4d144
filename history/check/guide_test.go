package check

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"squall/internal/machinetest"
)

// The guide to adding a model, followed word for word, adds one that works: its files and
// its line are laid over the sources, and the models' own tests try it.
func TestTheGuideAddsAModel(t *testing.T) {
	machinetest.NotShort(t, "it compiles the checkers with one model more")
	if _, err := FindModel("queue"); err == nil {
		machinetest.Skip(t, "somebody has followed the guide: its model is in this list, and tried by the other tests")
	}
	text, err := os.ReadFile("../../docs/guides/adding-a-model.md")
	must(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 3 {
		t.Fatalf("the guide has %d pieces of Go, want the file, the line and the test", len(blocks))
	}
	line := strings.TrimSpace(blocks[1][1])
	list, err := os.ReadFile("model.go")
	must(t, err)
	before := strings.Replace(line, ", QueueModel()", "", 1)
	if before == line || strings.Count(string(list), before) != 1 {
		t.Fatalf("the list has no line %q for the guide to change", before)
	}
	files := map[string]string{"queue.go": blocks[0][1], "queue_test.go": blocks[2][1], "model.go": strings.Replace(string(list), before, line, 1)}
	for name := range files {
		if !strings.Contains(string(text), "`history/check/"+name+"`") {
			t.Errorf("the guide does not say where %s belongs", name)
		}
	}
	dir := t.TempDir()
	here, err := filepath.Abs(".")
	must(t, err)
	overlay := map[string]string{}
	for name, content := range files {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(content), 0o644))
		overlay[filepath.Join(here, name)] = path
	}
	data, err := json.Marshal(map[string]any{"Replace": overlay})
	must(t, err)
	description := filepath.Join(dir, "overlay.json")
	must(t, os.WriteFile(description, data, 0o644))
	out, err := exec.Command("go", "test", "-overlay", description, "-v", "-run", "^(TestQueue|TestModels|TestEveryModel)$", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("with the guide's model: %v\n%s", err, out)
	}
	for _, want := range []string{"TestQueue/out_of_order", "TestModels", "TestEveryModel/queue"} {
		if !strings.Contains(string(out), "--- PASS: "+want) {
			t.Errorf("%s was not tried:\n%s", want, out)
		}
	}
	if gofmt, err := exec.Command("gofmt", "-l", dir).CombinedOutput(); err != nil || len(gofmt) > 0 {
		t.Errorf("the guide's files are not formatted: %v %s", err, gofmt)
	}
}
