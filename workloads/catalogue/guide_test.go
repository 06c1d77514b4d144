package catalogue

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"squall/internal/machinetest"
)

// The guide to adding a workload, followed word for word, adds one that works: its files
// and its lines are laid over the sources, and its own test and the catalogue's try it.
func TestTheGuideAddsAWorkload(t *testing.T) {
	machinetest.NotShort(t, "it compiles the catalogue with one workload more")
	if _, err := FindWorkload("counter"); err == nil {
		machinetest.Skip(t, "somebody has followed the guide: its workload is in this catalogue, and tried by the other tests")
	}
	text := read(t, "../../docs/guides/adding-a-workload.md")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) != 4 {
		t.Fatalf("the guide has %d pieces of Go, want the file, two lines and the test", len(blocks))
	}
	file, line, arrow, test := blocks[0][1], blocks[1][1], blocks[2][1], blocks[3][1]
	const imports = "\t\"squall/workloads\"\n"
	list := change(t, read(t, "workloads.go"), imports, imports+"\t\"squall/workloads/counter\"\n")
	const end = ".Workload(),\n\t}\n"
	list = change(t, list, end, strings.Replace(end, "\t}\n", line+"\t}\n", 1))
	files := map[string]string{"workloads/counter/counter.go": file, "workloads/counter/counter_test.go": test, "workloads/catalogue/workloads.go": list}
	dir, root := t.TempDir(), absolute(t, "../..")
	overlay := map[string]string{}
	for name, content := range files {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the guide does not say where %s belongs", name)
		}
		path := filepath.Join(dir, filepath.Base(name))
		write(t, path, content)
		overlay[filepath.Join(root, name)] = path
	}
	permitted(t, arrow, file, test)
	data, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	description := filepath.Join(dir, "overlay.json")
	write(t, description, string(data))
	for room, tests := range map[string]string{"counter": "TestCounter", "catalogue": "TestWorkloadsAreWhole"} {
		// go test and go vet work in a package's folder, and the guide's is not there.
		program := filepath.Join(dir, room+".test")
		if out, err := exec.Command("go", "test", "-vet=off", "-overlay", description, "-c", "-o", program, "squall/workloads/"+room).CombinedOutput(); err != nil {
			t.Fatalf("compile %s with the guide's workload: %v\n%s", room, err, out)
		}
		out, err := exec.Command(program, "-test.v", "-test.run", "^"+tests+"$").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+tests) {
			t.Errorf("%s with the guide's workload: %v\n%s", tests, err, out)
		}
	}
	if gofmt, err := exec.Command("gofmt", "-l", dir).CombinedOutput(); err != nil || len(gofmt) > 0 {
		t.Errorf("the guide's files are not formatted: %v %s", err, gofmt)
	}
}

// permitted checks that the guide's arrow permits what its files import, and stands where
// the table has such lines.
func permitted(t *testing.T, arrow string, files ...string) {
	t.Helper()
	known := strings.Replace(arrow, `"workloads/counter":        {`, `"workloads/register":       {`, 1)
	if known == arrow || !strings.Contains(read(t, "../../arrows_test.go"), known) {
		t.Errorf("the table of arrows has no line like the guide's:\n%s", arrow)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), "", file, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			if room, ours := strings.CutPrefix(spec.Path.Value, `"squall/`); ours && !strings.Contains(arrow, `"`+room) {
				t.Errorf("the guide's arrow does not permit %s", spec.Path.Value)
			}
		}
	}
}

// change replaces what must be in a text once.
func change(t *testing.T, text, before, after string) string {
	t.Helper()
	if before == after || strings.Count(text, before) != 1 {
		t.Fatalf("there is no line %q for the guide to change", before)
	}
	return strings.Replace(text, before, after, 1)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	whole, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}
