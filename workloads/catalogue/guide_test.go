package catalogue

import (
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/guidetest"
	"squall/internal/machinetest"
)

// The guide to adding a workload, followed word for word, adds one that works: its files
// and its lines are laid over the sources, and its own test and the catalogue's try it.
func TestTheGuideAddsAWorkload(t *testing.T) {
	machinetest.NotShort(t, "it compiles the catalogue with one workload more")
	if _, err := FindWorkload("tally"); err == nil {
		machinetest.Skip(t, "somebody has followed the guide: its workload is in this catalogue, and tried by the other tests")
	}
	text := guidetest.Read(t, "../../docs/guides/adding-a-workload.md")
	pieces := guidetest.Pieces(text)["go"]
	if len(pieces) != 4 {
		t.Fatalf("the guide has %d pieces of Go, want the file, two lines and the test", len(pieces))
	}
	file, line, arrow, test := pieces[0], pieces[1], pieces[2], pieces[3]
	const imports = "\t\"squall/workloads/setremove\"\n"
	list := guidetest.Change(t, guidetest.Read(t, "workloads.go"), imports, imports+"\t\"squall/workloads/tally\"\n")
	const end = ".Workload(),\n\t}\n"
	list = guidetest.Change(t, list, end, strings.Replace(end, "\t}\n", line+"\t}\n", 1))
	files := map[string]string{"workloads/tally/tally.go": file, "workloads/tally/tally_test.go": test, "workloads/catalogue/workloads.go": list}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	overlaid := map[string]string{}
	for name, content := range files {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the guide does not say where %s belongs", name)
		}
		overlaid[filepath.Join(root, name)] = content
	}
	permitted(t, arrow, file, test)
	dir := t.TempDir()
	overlay := guidetest.Overlay(t, dir, overlaid)
	if gofmt, err := exec.Command("gofmt", "-l", dir).CombinedOutput(); err != nil || len(gofmt) > 0 {
		t.Errorf("the guide's files are not formatted: %v %s", err, gofmt)
	}
	guidetest.Compiles(t, overlay, ".")
	machinetest.NeedWhole(t, "what the guide adds compiles; this runs its tests and others on it")
	for room, tests := range map[string]string{"tally": "TestTally", "catalogue": "TestWorkloadsAreWhole"} {
		// go test and go vet work in a package's folder, and the guide's is not there.
		program := filepath.Join(dir, room+".test")
		if out, err := exec.Command("go", "test", "-vet=off", "-overlay", overlay, "-c", "-o", program, "squall/workloads/"+room).CombinedOutput(); err != nil {
			t.Fatalf("compile %s with the guide's workload: %v\n%s", room, err, out)
		}
		out, err := exec.Command(program, "-test.v", "-test.run", "^"+tests+"$").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+tests) {
			t.Errorf("%s with the guide's workload: %v\n%s", tests, err, out)
		}
	}
}

// permitted checks that the guide's arrow permits what its files import, and stands where
// the table has such lines.
func permitted(t *testing.T, arrow string, files ...string) {
	t.Helper()
	// gofmt moves the second column of the table with every longer name in the first.
	packed := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	// The register's room needs the same, but for the data of an add.
	known := strings.Replace(packed(arrow), `"workloads/tally":`, `"workloads/register":`, 1)
	known, _, _ = strings.Cut(known, ` "history/objects"`)
	if known == packed(arrow) || !strings.Contains(packed(guidetest.Read(t, "../../arrows_test.go")), known) {
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
