package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// ghStep is what the tests below read of a step.
type ghStep struct {
	Uses, Run, If, Shell string
	With                 map[string]any
	Env                  map[string]string
}

func readYAML(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("not YAML: %v\n%s", err, text)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The action is of the form that GitHub wants, what it says of its steps is
// there, and no expression gets into a script.
func TestAction(t *testing.T) {
	var action struct {
		Name, Description string
		Inputs            map[string]struct{ Description, Default string }
		Outputs           map[string]struct{ Description, Value string }
		Runs              struct {
			Using string
			Steps []struct {
				ghStep `yaml:",inline"`
				ID     string
			}
		}
	}
	text := readFile(t, "../../action.yml")
	readYAML(t, text, &action)
	if action.Runs.Using != "composite" || len(action.Runs.Steps) < 4 {
		t.Fatalf("%+v", action.Runs)
	}
	for _, s := range action.Runs.Steps {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("an expression is put into a script: %s", s.Run)
		}
		if (s.Run == "") == (s.Uses == "") || s.Run != "" && s.Shell != "bash" {
			t.Errorf("a step needs uses, or run with its shell: %+v", s)
		}
		heldToFlags(t, s.Run)
	}
	for _, name := range regexp.MustCompile(`inputs\.([a-z-]+)`).FindAllStringSubmatch(text, -1) {
		if _, ok := action.Inputs[name[1]]; !ok {
			t.Errorf("there is no input %s", name[1])
		}
	}
	for name, out := range action.Outputs {
		if !strings.Contains(out.Value, "steps.storm.outputs."+name+" ") || !strings.Contains(text, `echo "`+name+`=`) {
			t.Errorf("the output %s is set nowhere", name)
		}
	}
	for _, code := range []int{exitPass, exitViolation, exitUnknown, exitThreshold, exitUsage} {
		if !strings.Contains(text, fmt.Sprintf("\n          %d) verdict=", code)) {
			t.Errorf("the action knows no verdict of the exit code %d", code)
		}
	}
}

// Every workflow of the guide is YAML, passes inputs that the action has, and
// calls squall by flags that there are.
func TestGuideToCI(t *testing.T) {
	var action struct{ Inputs map[string]any }
	readYAML(t, readFile(t, "../../action.yml"), &action)
	guide := readFile(t, "../../docs/guides/ci.md")
	calls := 0
	for _, block := range regexp.MustCompile("(?s)```(yaml|sh)\n(.*?)```").FindAllStringSubmatch(guide, -1) {
		if block[1] == "sh" {
			calls += heldToFlags(t, block[2])
			continue
		}
		var workflow struct {
			Jobs  map[string]struct{ Steps []ghStep }
			Storm struct{ Script []string }
		}
		readYAML(t, block[2], &workflow)
		calls += heldToFlags(t, strings.Join(workflow.Storm.Script, "\n"))
		for _, job := range workflow.Jobs {
			for _, s := range job.Steps {
				calls += heldToFlags(t, s.Run)
				if !strings.Contains(s.Uses, "/squall@") {
					continue
				}
				for name, value := range s.With {
					if _, ok := action.Inputs[name]; !ok {
						t.Errorf("the action has no input %s", name)
					}
					if name == "flags" {
						calls += heldToFlags(t, "squall run '"+strings.Join(strings.Split(strings.TrimSpace(value.(string)), "\n"), "' '")+"'")
					}
				}
			}
		}
	}
	if calls < 6 {
		t.Errorf("only %d calls of squall were found", calls)
	}
}

// heldToFlags has the command line read every call of squall in a script. It
// returns how many there are.
func heldToFlags(t *testing.T, script string) int {
	t.Helper()
	calls, bad := readCalls(script)
	for _, err := range bad {
		t.Error(err)
	}
	return calls
}

// readCalls reads every call of squall in a script by the command line's own
// rules, without running anything.
func readCalls(script string) (calls int, bad []error) {
	for line := range strings.Lines(script) {
		words := shellWords(strings.TrimSpace(line))
		if len(words) < 2 || words[0] != "squall" {
			continue
		}
		calls++
		words = slices.DeleteFunc(words[1:], func(w string) bool { return w == "${flags[@]}" })
		root := newTestApp().root()
		cmd, rest, err := root.Find(words)
		if err == nil && cmd == root {
			err = fmt.Errorf("there is no such command")
		}
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", line, err))
		}
	}
	return calls, bad
}

func newTestApp() *app {
	var out bytes.Buffer
	return &app{program: "squall", out: &out, errOut: &out}
}

// shellWords splits a line at spaces that are not within quotes.
func shellWords(line string) []string {
	var words []string
	for _, w := range regexp.MustCompile(`(?:[^\s'"]|'[^']*'|"[^"]*")+`).FindAllString(line, -1) {
		words = append(words, strings.NewReplacer("'", "", `"`, "").Replace(w))
	}
	return words
}

// The test of the test: a flag or a command that is not there is found.
func TestReadCalls(t *testing.T) {
	script := "echo squall\nsquall run --threshold 'throughput > 1/s'\nsquall compare a b --tolerance 5%\n"
	if n, bad := readCalls(script); n != 2 || len(bad) > 0 {
		t.Errorf("%d calls, %v", n, bad)
	}
	for _, wrong := range []string{"squall run --no-such-flag", "squall run --threshold 'nothing > 1'", "squall storm"} {
		if _, bad := readCalls(wrong); len(bad) != 1 {
			t.Errorf("%s passed", wrong)
		}
	}
}
