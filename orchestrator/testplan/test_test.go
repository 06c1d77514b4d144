package testplan

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTestFile(t *testing.T) {
	test := DefaultTest()
	text := "# a comment\nnodes: 3\ntime: 1m30s\nnemesis:\n  - partition(leader)\n  - kill\nrate: 250.5\nseed: 18446744073709551615\n"
	if _, err := parseTestFile("t.yaml", []byte(text), &test); err != nil {
		t.Fatal(err)
	}
	if test.Nodes != 3 || time.Duration(test.Time) != 90*time.Second || test.Nemesis != "partition(leader),kill" ||
		test.Rate.String() != "250.5" || test.Seed != 1<<64-1 || test.Clients != DefaultTest().Clients {
		t.Errorf("read %+v", test)
	}
}

func TestTestFileMistakesHaveAPlace(t *testing.T) {
	workloads := strings.Join(workloadOption().Choices, ", ")
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "nodes: 5\nclinets: 3\n", `t.yaml:2:1: unknown setting "clinets"; did you mean "clients"?`},
		{"unknown key, nothing near", "weather: bad\n", "there are: nodes, time,"},
		{"wrong type", "clients: many\n", `t.yaml:1:10: clients: expected a whole number from 1 to 1000, found "many"`},
		{"a list for a number", "nodes: [1, 2]\n", "t.yaml:1:8: nodes: expected a whole number, found a list"},
		{"a word for a weight", "nemesis:\n  - {kill: one}\n", "t.yaml:2:5: nemesis: \"kill*one\": expected a whole number from 1 to 100 after *"},
		{"no value", "time:\n", "t.yaml:1:6: time: expected a duration, found nothing"},
		{"impossible", "nodes: 0\n", "t.yaml:1:8: nodes: expected a whole number from 1 to 9"},
		{"negative duration", "time: -3s\n", "t.yaml:1:7: time: expected a duration from 1s"},
		{"too short, where 0s is allowed", "available-within: 500ms\n", "t.yaml:1:19: available-within: expected 0s, or a duration from 1s to 1h0m0s, found 500ms"},
		{"unknown fault", "nemesis: earthquake\n", `t.yaml:1:10: nemesis: unknown fault "earthquake"; there are: partition, flapping`},
		{"unknown workload", "workload: teapot\n", "workload: expected one of " + workloads + `, found "teapot"`},
		{"twice", "nodes: 3\nnodes: 5\n", "nodes"},
		{"not YAML", "nodes: [1\n", "t.yaml:2:1: not YAML"},
		{"a list at the top", "- nodes\n", "t.yaml:1:1: expected settings as `name: value`, found a list"},
		{"two mistakes", "nodes: 0\nrate: fast\n", "t.yaml:2:7: rate: expected a number"},
		{"a folder in the name", "name: ../../etc\n", `t.yaml:1:7: name: "../../etc" holds '/', which cannot stand in the name of a folder`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			test := DefaultTest()
			_, err := parseTestFile("t.yaml", []byte(tc.text), &test)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v\nwant one with %s", err, tc.want)
			}
		})
	}
}

func TestMistakesBetweenSettingsHaveAPlaceToo(t *testing.T) {
	for text, want := range map[string]string{
		"time: 5s\nelection-min: 2s\n":                  `t.yaml:2:15: system: election: expected a range that goes up, such as "600ms-2s"`,
		"nodes: 2\nnemesis: partition\n":                "t.yaml:2:10: nemesis: fault partition needs at least 3 nodes",
		"time: 3s\nnemesis: kill\n":                     "t.yaml:2:10: nemesis: a load of 3s is too short",
		"heartbeat: 200ms\n":                            "t.yaml:1:12: system: heartbeat must be at most half of the shortest election timeout, which is 300ms",
		"election-min: 500ms\nelection-max: 400ms\n":    "t.yaml:1:15: system: election: expected a range that goes up",
		"nemesis: none\ntime: 1s\nnodes: 1\nrate: 10\n": "",
	} {
		test := DefaultTest()
		file, err := parseTestFile("t.yaml", []byte(text), &test)
		if err != nil {
			t.Fatal(err)
		}
		if err = test.Validate(); err != nil {
			err = file.Place(err)
		}
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: error %v, want one with %s", text, err, want)
		}
	}
}

func TestAFlagOverTheFileIsNotTheFilesMistake(t *testing.T) {
	test := DefaultTest()
	file, err := parseTestFile("t.yaml", []byte("nemesis: kill\n"), &test)
	if err != nil {
		t.Fatal(err)
	}
	file.Override("nemesis")
	err = file.Place(&FieldError{"nemesis", errors.New("wrong")})
	if strings.Contains(err.Error(), "t.yaml") {
		t.Errorf("the file is blamed: %v", err)
	}
}

func TestEveryOptionRoundTrips(t *testing.T) {
	for _, option := range Options() {
		a, b := DefaultTest(), DefaultTest()
		text := option.Get(&a)
		if text == "" {
			continue
		}
		if err := option.Set(&b, text); err != nil || option.Get(&b) != text {
			t.Errorf("%s: %q reads back as %q, %v", option.Name, text, option.Get(&b), err)
		}
	}
}

func TestPlanIsAFunctionOfTheSeed(t *testing.T) {
	test := DefaultTest()
	test.Seed = 42
	a, err := NewPlan(test, "v", "squall")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := NewPlan(test, "v", "squall")
	if len(a.Schedule) == 0 || len(a.Schedule) != len(b.Schedule) || a.Schedule[0].AtMs != b.Schedule[0].AtMs {
		t.Errorf("one seed, two schedules: %+v, %+v", a.Schedule, b.Schedule)
	}
	if a.Command != "squall run --time 30s --seed 42" {
		t.Errorf("command %q", a.Command)
	}
	test.Seed, test.Nemesis, test.Out = 0, "kill(leader)", "my runs"
	c, _ := NewPlan(test, "v", "squall")
	if c.Test.Seed == 0 || !strings.Contains(c.Command, "--nemesis 'kill(leader)'") || !strings.Contains(c.Command, "--out 'my runs'") {
		t.Errorf("seed %d, command %q", c.Test.Seed, c.Command)
	}
}

// The phases of a rate must have their time in the test.
func TestPhasesOfARateFitTheTest(t *testing.T) {
	for text, want := range map[string]string{
		"100 for 20s, 200 for 20s": "rate: its phases take 40s, and the test 30s",
		"100 for 30s, 200":         "rate: its phases take 30s, and the test 30s",
		"100 for 10s, 200 for 20s": "",
		"100 for 10s, 200":         "",
		"100-2000":                 "",
	} {
		test := DefaultTest()
		test.Time = Duration(30 * time.Second)
		rate, _ := FindOption("rate")
		if err := rate.Set(&test, text); err != nil {
			t.Fatal(err)
		}
		if err := test.Validate(); fmt.Sprint(err) != cmp.Or(want, "<nil>") && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
