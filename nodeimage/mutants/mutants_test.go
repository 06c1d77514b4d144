package mutants

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

const program = `package main

import "fmt"

func main() {
	fmt.Println(answer())
}

func answer() int {
	return 42
}
`

const header = `# Summary: it answers something else
# Group: reads
# Bug: 42
# Origin: somebody's program,
#   the first issue of all
# Seen-by: client, disk
# Caught-by: asking
# Scenario: ask
`

const patch = header + `diff --git a/main.go b/main.go
--- a/main.go
+++ b/main.go
@@ -8,4 +8,4 @@ func main() {

 func answer() int {
-	return 42
+	return wrong
 }
diff --git a/wrong.go b/wrong.go
new file mode 100644
--- /dev/null
+++ b/wrong.go
@@ -0,0 +1,3 @@
+package main
+
+const wrong = 41
`

// module makes a module of one program.
func module(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module scratch\n\ngo 1.26\n", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOverlayBuilds(t *testing.T) {
	machinetest.NotShort(t, "it compiles programs")
	for name, source := range map[string]string{
		"as the patch was made":   program,
		"the lines have moved":    strings.Replace(program, "func main", "// A comment\n// of two lines.\nfunc main", 1),
		"the lines have moved up": strings.Replace(program, "import \"fmt\"\n\n", "import \"fmt\"\n", 1),
	} {
		t.Run(name, func(t *testing.T) {
			root := module(t, source)
			m, err := parse("wrong", []byte(patch))
			if err != nil {
				t.Fatal(err)
			}
			overlay, err := m.Overlay(root, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "go", "run", "-overlay", overlay, ".")
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != "41\n" {
				t.Errorf("the mutant says %q (%v), want 41", out, err)
			}
			if now, err := os.ReadFile(filepath.Join(root, "main.go")); err != nil || string(now) != source {
				t.Error("the source was changed")
			}
		})
	}
}

func TestOverlayDeletes(t *testing.T) {
	root := module(t, program)
	text := header + "diff --git a/go.mod b/go.mod\ndeleted file mode 100644\n--- a/go.mod\n+++ /dev/null\n" +
		"@@ -1,3 +0,0 @@\n-module scratch\n-\n-go 1.26\n"
	m, err := parse("gone", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := m.Overlay(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(overlay)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Replace map[string]string }
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if by, ok := got.Replace[filepath.Join(root, "go.mod")]; !ok || by != "" {
		t.Errorf("overlay %s, want go.mod deleted", data)
	}
}

func TestOverlayErrors(t *testing.T) {
	for _, c := range []struct {
		name, source, patch string
		want                []string
	}{
		{"changed source", strings.Replace(program, "42", "43", 1), patch, []string{"mutant wrong", "main.go", "line 8", "does not fit"}},
		{"ambiguous", program + "\nfunc a() int {\n\treturn 1\n}\n\nfunc b() int {\n\treturn 1\n}\n",
			"diff --git a/main.go b/main.go\n--- a/main.go\n+++ b/main.go\n@@ -1,2 +1,2 @@\n-\treturn 1\n+\treturn 2\n }\n",
			[]string{"several places", "[14 18]"}},
		{"missing file", program, strings.ReplaceAll(patch, "main.go", "other.go"), []string{"other.go", "no such file"}},
		{"out of the module", program, strings.ReplaceAll(patch, "main.go", "../main.go"), []string{"within the module"}},
		{"nothing", program, "# only words\n", []string{"changes nothing"}},
		{"not a patch", program, "diff --git a/main.go b/main.go\n--- a/main.go\n+++ b/main.go\n@@ -x @@\n", []string{"reading the patch"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Mutant{Name: "wrong", Patch: []byte(c.patch)}
			_, err := m.Overlay(module(t, c.source), t.TempDir())
			if err == nil {
				t.Fatal("it was not refused")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q in it", err, want)
				}
			}
		})
	}
}

func TestLoad(t *testing.T) {
	all, err := load(fstest.MapFS{
		"b.patch": {Data: []byte(patch)}, "a.patch": {Data: []byte(patch)}, "mutants.go": {Data: []byte("package x")},
	})
	if err != nil || len(all) != 2 || all[0].Name != "a" {
		t.Errorf("got %+v, %v", all, err)
	}
	if m, err := find(all, "b"); err != nil || m.Name != "b" {
		t.Errorf("find: %+v, %v", m, err)
	}
	if _, err := find(all, "nothing-like-it"); err == nil || !strings.Contains(err.Error(), "there are: a, b") {
		t.Errorf("an unknown name: %v, want the known ones listed", err)
	}
	if _, err := load(fstest.MapFS{"x.patch": {Data: []byte("diff --git")}}); err == nil || !strings.Contains(err.Error(), "mutant x") {
		t.Errorf("a patch without header: %v", err)
	}
}
