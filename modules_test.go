package squall_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

// nestedModules are the folders of the repository that hold modules of their own: what is
// for users to import, or built on foreign libraries. The go command leaves them out of
// ./... of the root.
func nestedModules(t *testing.T) (dirs []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (name == "testdata" || name == "runs" || strings.HasPrefix(name, ".") && name != ".") {
			return fs.SkipDir
		}
		if dir := path.Dir(filepath.ToSlash(file)); name == "go.mod" && dir != "." {
			dirs = append(dirs, dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// TestNestedModules vets and tests the modules within the repository, as they are for
// whoever imports them.
func TestNestedModules(t *testing.T) {
	machinetest.NeedWhole(t, "it builds foreign modules, from the module proxy where they are not here yet")
	dirs := nestedModules(t)
	if len(dirs) == 0 {
		t.Fatal("no nested module was found")
	}
	for _, dir := range dirs {
		t.Run(dir, func(t *testing.T) {
			for _, args := range [][]string{{"mod", "tidy", "-diff"}, {"vet", "./..."}, {"test", "./..."}} {
				cmd := exec.CommandContext(t.Context(), "go", args...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "GOWORK=off")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
				}
			}
		})
	}
}
