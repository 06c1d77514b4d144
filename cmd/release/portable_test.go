package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"squall/internal/machinetest"
	"squall/nodeimage"
)

// TestCompilesForEveryTarget checks the types of squall as each target sees it.
// That finds whatever is not there on a system, and takes seconds where
// building all packages for a target takes most of a minute.
func TestCompilesForEveryTarget(t *testing.T) {
	machinetest.NotShort(t, "it checks the types of every package")
	if raced {
		machinetest.Skip(t, "the race detector makes minutes of it")
	}
	root, err := nodeimage.FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range allTargets() {
		if target == host() {
			continue // what runs this test compiles
		}
		t.Run(strings.ReplaceAll(target.String(), "/", "-"), func(t *testing.T) {
			if target != smallTarget {
				machinetest.NeedWhole(t, smallTarget.String()+" is tried, which differs the most from others")
			}
			checkTypes(t, target, listPackages(t, root, target, "./cmd/squall"))
		})
	}
}

// smallTarget is the one target that is tried when not all of them are.
var smallTarget = target{"windows", "amd64"}

// TestCheckTypesFinds: what holds on one system only does not pass on another.
func TestCheckTypesFinds(t *testing.T) {
	root := scratchModule(t, map[string]string{
		"cmd/squall/main.go":       "package main\n\nfunc main() { println(clock()) }\n",
		"cmd/squall/main_linux.go": "package main\n\nfunc clock() int { return 1 }\n",
	})
	check := func(target target) []error {
		return typeErrors(target, listPackages(t, root, target, "./cmd/squall"))
	}
	if errs := check(target{"linux", "arm64"}); len(errs) > 0 {
		t.Errorf("linux: %v", errs)
	}
	if errs := check(target{"windows", "amd64"}); len(errs) != 1 || !strings.Contains(errs[0].Error(), "undefined: clock") {
		t.Errorf("windows: %v, want that clock is undefined", errs)
	}
}

// listed is what `go list` tells of a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	ImportMap  map[string]string
	Module     *struct{ Main bool }
}

// listPackages are all packages of a program, each after those that it imports.
func listPackages(t *testing.T, root string, target target, pkg string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module", pkg)
	cmd.Dir = root
	cmd.Env = compileEnv(cmd.Environ(), target)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func checkTypes(t *testing.T, target target, packages []listed) {
	t.Helper()
	for _, err := range typeErrors(target, packages) {
		t.Errorf("squall does not compile for %s: %v", target, err)
	}
}

func typeErrors(target target, packages []listed) []error {
	var errs []error
	done := map[string]*types.Package{"unsafe": types.Unsafe}
	files := token.NewFileSet()
	for _, p := range packages {
		if p.ImportPath == "unsafe" {
			continue
		}
		ours := p.Module != nil && p.Module.Main
		config := types.Config{
			// Nobody doubts the bodies of others' functions.
			IgnoreFuncBodies: !ours,
			Sizes:            types.SizesFor("gc", target.arch),
			FakeImportC:      true,
			Importer:         importer{p, done},
			Error: func(err error) {
				if ours {
					errs = append(errs, err)
				}
			},
		}
		var parsed []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return append(errs, err)
			}
			parsed = append(parsed, file)
		}
		done[p.ImportPath], _ = config.Check(p.ImportPath, files, parsed, nil)
	}
	return errs
}

// importer finds what one package imports among those checked before.
type importer struct {
	by   listed
	done map[string]*types.Package
}

func (i importer) Import(path string) (*types.Package, error) {
	if mapped, ok := i.by.ImportMap[path]; ok {
		path = mapped
	}
	if p := i.done[path]; p != nil {
		return p, nil
	}
	return nil, errors.New(path + " is not there")
}

// host is where this test runs.
func host() target { return target{runtime.GOOS, runtime.GOARCH} }
