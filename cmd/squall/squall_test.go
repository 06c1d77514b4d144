package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"squall/internal/machinetest"
	"squall/nodeimage"
)

// The scripts in testdata/script call squall in a process of its own, which is
// this test binary.
func TestMain(m *testing.M) {
	testscript.Main(machinetest.Waiting(m), map[string]func(){
		"squall": func() {
			args := append([]string{"squall"}, os.Args[1:]...)
			os.Exit(run(context.Background(), args, nil, os.Stdout, os.Stderr))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: knowsCaches(t),
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
			"binary": func(ts *testscript.TestScript, _ bool, args []string) { // writes files that are not text
				for _, name := range args {
					ts.Check(os.WriteFile(ts.MkAbs(name), []byte("\x7fELF\x02\x01\x01\x00\xff\xb5"), 0o644))
				}
			},
		},
	})
}

// knowsCaches has a script build with Go's caches and squall's, where its home is
// another: with empty ones a command that needs a node would compile the library of Go,
// for a minute.
func knowsCaches(t *testing.T) func(*testscript.Env) error {
	t.Helper()
	nodes, err := nodeimage.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	caches := []string{"XDG_CACHE_HOME=" + filepath.Dir(nodes)}
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		caches = append(caches, name+"="+machinetest.GoEnv(t, name))
	}
	return func(env *testscript.Env) error {
		// Where Go keeps notes; a user who may write anywhere would make testscript's.
		env.Setenv("HOME", filepath.Join(env.WorkDir, ".home"))
		env.Vars = append(env.Vars, caches...)
		return nil
	}
}

// exits CODE COMMAND [ARG ...] runs a command that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG ...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		if _, scanErr := strconv.Atoi(strings.TrimPrefix(err.Error(), "exit status ")); scanErr != nil {
			ts.Fatalf("%v", err)
		}
		got, _ = strconv.Atoi(strings.TrimPrefix(err.Error(), "exit status "))
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
