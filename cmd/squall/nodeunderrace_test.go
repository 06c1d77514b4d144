package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/machinetest"
	"squall/nodeimage"
	"squall/orchestrator/testplan"
)

// What the race detector writes when it finds something.
const raceFound = "WARNING: DATA RACE"

// TestTheNodeHasNoRaces runs a storm over nodes that are built with the race
// detector: server, agent, hub and driver, under real load and real faults.
func TestTheNodeHasNoRaces(t *testing.T) {
	machinetest.NeedCI(t, "a node with the race detector takes a minute to compile")
	s := newStorm(t, testplan.RuntimeLocal)
	s.app.build = func(ctx context.Context, arch, _ string) (nodeimage.Binary, error) {
		return racedNode(t, ctx, arch, "")
	}
	// Nodes under the detector are several times slower. Whether a promise is kept
	// is for other storms to tell: this one is for what the nodes print.
	code := s.run("run", "--time", "25s", "--seed", "4", "--nemesis", "partition(leader),kill(leader),pause,delay(all),power-cut(leader)",
		"--hold", "1500ms", "--gap", "1s", "--rate", "200")
	if code == exitViolation {
		t.Errorf("exit code %d", code)
	}
	if results := s.results(t); results.Ops.OK < 500 || len(results.Faults) < 4 {
		t.Errorf("%d operations and %d faults: too few for a race to show", results.Ops.OK, len(results.Faults))
	}
	if found := racesIn(t, s); found != "" {
		t.Error(found)
	}
}

// TestARaceOfTheNodeIsFound: a server with a planted race is told by what
// TestTheNodeHasNoRaces looks at.
func TestARaceOfTheNodeIsFound(t *testing.T) {
	machinetest.NeedWhole(t, "as TestTheNodeHasNoRaces")
	s := newStorm(t, testplan.RuntimeLocal)
	s.app.build = func(ctx context.Context, arch, _ string) (nodeimage.Binary, error) {
		return racedNode(t, ctx, arch, `n := 0
			done := make(chan bool)
			for range 2 {
				go func() { for range 1000 { n++ }; done <- true }()
			}
			<-done
			<-done
			return fmt.Errorf("counted to %d", n)`)
	}
	if code := s.run("run", "--time", "5s", "--nodes", "3", "--nemesis", "none"); code == exitPass {
		t.Errorf("exit code %d", code)
	}
	if racesIn(t, s) == "" {
		t.Error("the race was not found")
	}
}

// racesIn is the first race that any file of the newest run, or squall itself,
// tells of.
func racesIn(t *testing.T, s *storm) (found string) {
	t.Helper()
	look := func(name, text string) {
		if i := strings.Index(text, raceFound); i >= 0 && found == "" {
			found = name + ":\n" + text[i:min(len(text), i+4000)]
		}
	}
	look("squall", s.text.String())
	err := filepath.WalkDir(s.dir(t), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".log" {
			return err
		}
		text, err := os.ReadFile(path)
		look(path, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// racedNode builds a squall-node with the race detector, which takes cgo; linked
// so that it needs no library, since there is none in a machine. With a code it
// has that server in the place of its own.
func racedNode(t *testing.T, ctx context.Context, arch, code string) (nodeimage.Binary, error) {
	t.Helper()
	bin, err := buildOther(t, ctx, arch, code, []string{"-race", "-tags", "netgo,osusergo", "-ldflags", "-s -w -linkmode external -extldflags -static"}, "CGO_ENABLED=1")
	if err != nil {
		machinetest.Missing(t, fmt.Sprintf("a C compiler and a static C library (apt-get install gcc libc6-dev): %v", err))
	}
	return bin, err
}

// buildOther builds a squall-node whose server is this code instead, or its own
// without any.
func buildOther(t *testing.T, ctx context.Context, arch, code string, flags []string, env ...string) (nodeimage.Binary, error) {
	t.Helper()
	root, err := nodeimage.FindRoot()
	if err != nil {
		return nodeimage.Binary{}, err
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "squall-node")
	args := append([]string{"build", "-buildvcs=false", "-o", out}, flags...)
	if code != "" {
		source, overlay := filepath.Join(dir, "kv.go"), filepath.Join(dir, "overlay.json")
		text := "package main\n\nimport (\n\t\"errors\"\n\t\"fmt\"\n\t\"os\"\n)\n\nvar _, _, _ = errors.New, fmt.Print, os.Exit\n\n" +
			"func runKV([]string) error { " + code + " }\n"
		replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "cmd/squall-node/kv.go"): source}})
		if err != nil {
			return nodeimage.Binary{}, err
		}
		for path, content := range map[string]string{source: text, overlay: string(replace)} {
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				return nodeimage.Binary{}, err
			}
		}
		args = append(args, "-overlay", overlay)
	}
	build := exec.CommandContext(ctx, "go", append(args, "./cmd/squall-node")...)
	build.Dir, build.Env = root, append(os.Environ(), append([]string{"GOOS=linux", "GOARCH=" + arch}, env...)...)
	if said, err := build.CombinedOutput(); err != nil {
		return nodeimage.Binary{}, fmt.Errorf("%w: %s", err, said)
	}
	return nodeimage.Binary{Path: out, Key: otherKey()}, nil
}
