package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/guidetest"
	"squall/internal/machinetest"
	"squall/orchestrator/testplan"
)

// written is the folder that `squall new` writes, with its programs compiled.
func written(t *testing.T) (dir string) {
	t.Helper()
	machinetest.NotShort(t, "it compiles a server and a client")
	dir = filepath.Join(t.TempDir(), "mynode")
	var text strings.Builder
	a := app{program: "squall", out: &text, errOut: &text}
	if code := a.run(t.Context(), []string{"squall", "new", dir}); code != exitPass {
		t.Fatalf("exit code %d: %s", code, &text)
	}
	build := exec.Command("go", "build", "-o", "bin/", "./server", "./client")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestNew: what new writes compiles, its files are taken, its client is that of the page
// about clients, and nothing is overwritten.
func TestNew(t *testing.T) {
	dir := written(t)
	page := guidetest.Pieces(guidetest.Read(t, "../../docs/clients.md"))["go"]
	if len(page) == 0 || strings.TrimSpace(guidetest.Read(t, filepath.Join(dir, "client", "main.go"))) != strings.TrimSpace(page[0]) {
		t.Error("the client is not that of docs/clients.md")
	}
	t.Chdir(dir)
	for _, args := range [][]string{{"run", "test.yaml", "--dry-run"}, {"campaign", "campaign.yaml", "--dry-run"}} {
		if said, code := hear(t, &app{open: noRuntime}, false, args...); code == exitUsage || !strings.Contains(said.out, "mynode") { // there is no runtime to look into
			t.Errorf("%q: exit code %d: %s", args, code, said.out)
		}
	}
	for _, args := range [][]string{{"new", "."}, {"new"}, {"new", "a b"}, {"new", "Node"}} {
		if said, code := hear(t, &app{}, false, args...); code != exitUsage || said.errOut == "" {
			t.Errorf("%q: exit code %d: %s", args, code, said.errOut)
		}
	}
}

// TestNewRunsAsWritten: its test passes, and is a violation where each server has data of its
// own.
func TestNewRunsAsWritten(t *testing.T) {
	machinetest.NeedWhole(t, "storms; without, its programs are compiled and its files read")
	dir := written(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	apart := guidetest.Change(t, guidetest.Read(t, at("system.yaml")), `, -forward, "http://${first.addr}:${port.client}"`, "")
	writeFile(t, dir, "apart.yaml", apart)
	test := guidetest.Read(t, at("test.yaml")) // its path is one from the folder
	whole := writeFile(t, dir, "whole-test.yaml", guidetest.Change(t, test, "./system.yaml", at("system.yaml")))
	broken := writeFile(t, dir, "broken-test.yaml", guidetest.Change(t, test, "./system.yaml", at("apart.yaml")))
	besideOthers(t, testplan.RuntimeLocal, func(t *testing.T, s *storm) {
		if code := s.runUnlessOverloaded(t, "run", whole, "--time", "10s"); code != exitPass {
			t.Errorf("exit code %d, want %d", code, exitPass)
		}
		if code := s.runUnlessOverloaded(t, "run", broken, "--nemesis", "none", "--time", "3s"); code != exitViolation {
			t.Errorf("with data of their own: exit code %d, want %d", code, exitViolation)
		}
	})
}
