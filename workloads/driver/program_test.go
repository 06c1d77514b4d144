package driver

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"squall/internal/declare"
	"squall/nodeimage/files"
	"squall/workloads/systems"
)

// scripted is a system whose clients are a script.
type scripted struct {
	*fake
	path string
}

func (s scripted) ClientProgram(a declare.Args) systems.Program {
	return systems.Program{Argv: []string{s.path, a["mood"]}, Workloads: []string{"register"}}
}

func (scripted) ClientFiles(context.Context, string, declare.Args) ([]files.File, error) {
	return nil, nil
}

func script(t *testing.T, text string) scripted {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return scripted{newFake(0, testNodes(1)...), path}
}

// TestAProgramThatIsGivenUp ends the driver, which says why, and what the program said
// last; before the load as well as in it.
func TestAProgramThatIsGivenUp(t *testing.T) {
	for name, probe := range map[string]bool{"before the load": true, "in the load": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := script(t, "echo '{\"event\":\"load-end\"}' >&2\necho my mood is $1 >&2\nexit 3\n")
			r := driveSystem(t, s, Config{System: "fake", SystemArgs: declare.Args{"mood": "bad"}, Workload: "register", Nodes: testNodes(1), Probe: probe})
			err := r.wait()
			want := "the client program " + s.path + " failed 11 times, the last time because it ended: exit status 3; its last lines: "
			if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "my mood is bad") {
				t.Fatalf("%v, want %q", err, want)
			}
			told := ""
			for _, line := range r.status.lines() {
				var e Event
				switch {
				case strings.HasPrefix(line, "client: "): // what the program said, which is nobody's event
				case json.Unmarshal([]byte(line), &e) != nil:
					t.Errorf("the driver wrote %q", line)
				case e.Event == EventError:
					told = e.Error
				case e.Event == EventLoadEnd && probe:
					t.Errorf("%+v, and there never was a load", e)
				}
			}
			if told != err.Error() {
				t.Errorf("it told of %q", told)
			}
		})
	}
}

// TestAProgramThatIsSlowToStart is waited for by the probe.
func TestAProgramThatIsSlowToStart(t *testing.T) {
	t.Setenv(instantProgramEnv, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := script(t, "sleep 2\nexec "+self+"\n")
	r := driveSystem(t, s, Config{System: "fake", Workload: "register", Nodes: testNodes(1), Probe: true})
	if e := r.await(EventServing); e.Text != "write through n1 succeeded" {
		t.Errorf("%+v", e)
	}
	r.await(EventLoadBegin)
	for deadline := time.Now().Add(time.Minute); r.last().OK < 100; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in a minute %+v", r.last())
		}
	}
	r.quit()
	for _, op := range r.ops() {
		if op.Func == "read" && op.Outcome == "ok" && op.Out != `"1"` {
			t.Errorf("%+v", op)
		}
	}
}
