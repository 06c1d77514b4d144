package testplan

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"squall/internal/declare"
	"squall/workloads/catalogue"
)

func TestSystemsAndWorkloadsDeclareTheirParameters(t *testing.T) {
	for _, d := range append(catalogue.SystemDeclarations(), catalogue.WorkloadDeclarations()...) {
		if err := d.Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, o := range olds() {
		d := catalogue.SystemDeclarations()[0]
		if o.of == "workload" {
			d = catalogue.WorkloadDeclarations()[0]
		}
		if _, ok := d.Params.Find(o.param); !ok {
			t.Errorf("%s stands for a parameter %q that %s does not have", o.name, o.param, d.Name)
		}
	}
}

func TestParametersAreResolved(t *testing.T) {
	test := DefaultTest()
	for name, text := range map[string]string{
		"workload": "register(3, mix=1/2/0, look-back=0%)", "system": "raftkv(election=150-300ms, 20ms, snapshot-every=1000)"} {
		option, _ := FindOption(name)
		if err := option.Set(&test, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := test.Validate(); err != nil {
		t.Fatal(err)
	}
	if want := (declare.Args{"heartbeat": "20ms", "election": "150ms-300ms", "snapshot-every": "1000", "pre-vote": "on", "resend": "on", "segment": "16MiB", "sessions": "1024", "slow-disk": "0s", "stickiness": "on", "long-logs": "0", "short-logs": "0", "chunk": "256KiB", "slow-snapshots": "0s", "batch": "1MiB", "in-flight": "64"}); !maps.Equal(test.SystemParams, want) {
		t.Errorf("%v, want %v", test.SystemParams, want)
	}
	if patience := test.Patience(); patience != 75*time.Millisecond {
		t.Errorf("clients wait %v for a node, want half of an election", patience)
	}
	want := declare.Args{"keys": "3", "ops-per-key": "300", "spread": "200", "value-size": "1B", "keys-skew": "even", "mix": "1/2/0", "look-back": "0%"}
	if !maps.Equal(test.WorkloadParams, want) {
		t.Errorf("%v, want %v", test.WorkloadParams, want)
	}
	test.Seed = 1
	command := "squall run --time 30s --workload 'register(keys=3, mix=1/2/0, look-back=0%)' --seed 1 " +
		"--system 'raftkv(heartbeat=20ms, election=150ms-300ms, snapshot-every=1000)'"
	if got := CommandFor("squall", test); got != command {
		t.Errorf("%s\nwant %s", got, command)
	}
}

// A schedule of several lines, as test files have them, is one line in the command.
func TestACommandIsOneLine(t *testing.T) {
	test := DefaultTest()
	test.Seed = 1
	if err := setSchedule(&test, "\n  at 1s for 1s: kill(leader)\n\nafter 2s for 1s: pause; \n"); err != nil {
		t.Fatal(err)
	}
	if got, want := CommandFor("squall", test), "--schedule 'at 1s for 1s: kill(leader); after 2s for 1s: pause'"; !strings.HasSuffix(got, want) {
		t.Errorf("%s\ndoes not end with %s", got, want)
	}
}

// What the defaults were when they were settings of a test, they are as parameters.
func TestDefaultsOfParametersAreThoseOfTheirSettings(t *testing.T) {
	test := DefaultTest()
	if want := (declare.Args{"heartbeat": "50ms", "election": "300ms-600ms", "snapshot-every": "2000", "pre-vote": "on", "resend": "on", "segment": "16MiB", "sessions": "1024", "slow-disk": "0s", "stickiness": "on", "long-logs": "0", "short-logs": "0", "chunk": "256KiB", "slow-snapshots": "0s", "batch": "1MiB", "in-flight": "64"}); !maps.Equal(test.SystemParams, want) {
		t.Errorf("%v, want %v", test.SystemParams, want)
	}
	want := declare.Args{"keys": "5", "ops-per-key": "300", "spread": "200", "value-size": "1B", "keys-skew": "even", "mix": "50/30/20", "look-back": "3%"}
	if !maps.Equal(test.WorkloadParams, want) {
		t.Errorf("%v, want %v", test.WorkloadParams, want)
	}
}

func TestParametersInATestFile(t *testing.T) {
	for text, want := range map[string]string{
		"workload: register(keys=3, mix=1/1/0)\n":                         "register(keys=3, mix=1/1/0)",
		"workload:\n  register:\n    keys: 3\n    mix: 1/1/0\n":           "register(keys=3, mix=1/1/0)",
		"workload: {register: {keys: 3}}\nsystem: {raftkv: }\n":           "register(keys=3)",
		"workload: register\nkeys: 3\n":                                   "register(keys=3)",
		"keys: 3\nworkload: register(ops-per-key=20)\nnemesis: none\n":    "register(keys=3, ops-per-key=20)",
		"workload: register(keys=5)\n":                                    "register",
		"workload: \"register( look-back = 5% )\"\nops-per-key: \"10\"\n": "register(ops-per-key=10, look-back=5%)",
	} {
		test := DefaultTest()
		file, err := parseTestFile("t.yaml", []byte(text), &test)
		if err == nil {
			err = file.Place(test.Validate())
		}
		option, _ := FindOption("workload")
		if got := option.Get(&test); err != nil || got != want {
			t.Errorf("%q is %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestMistakesInParametersHaveAPlace(t *testing.T) {
	workloads := strings.Join(workloadOption().Choices, ", ")
	for _, tt := range []struct{ text, want string }{
		{"workload: register(kyes=3)\n", `t.yaml:1:20: workload: register has no parameter "kyes" (its parameters: keys (whole number), `},
		{"workload: register(kyes=3)\n", `did you mean "keys"?`},
		{"workload: registr(keys=3)\n", `t.yaml:1:11: workload: expected one of ` + workloads + `, found "registr"; did you mean "register"?`},
		{"nodes: 3\nworkload: 'register(keys=0)'\n", `t.yaml:2:26: workload: keys: expected from 1 to 1000, found 0`},
		{"workload: register(keys=3ms)\n", `t.yaml:1:25: workload: keys: expected a whole number, found "3ms"`},
		{"workload: register(keys=3\n", `t.yaml:1:19: workload: the parenthesis is not closed`},
		{"workload: register(mix=0/1/1)\n", `t.yaml:1:24: workload: mix has no reads`},
		{"workload:\n  register:\n    mix: 1/1/1\n    kyes: 3\n", `t.yaml:4:5: workload: register has no parameter "kyes"`},
		{"workload:\n  register:\n    mix: 1/1/1\n    keys: 0\n", `t.yaml:4:11: workload: keys: expected from 1 to 1000, found 0`},
		{"workload:\n  register:\n    keys: [1]\n", `t.yaml:3:11: workload: keys: expected a value, found a list`},
		{"workload: {regster: {keys: 3}}\n", `t.yaml:1:12: workload: expected one of ` + workloads + `, found "regster"`},
		{"workload: {register: 3}\n", `t.yaml:1:22: workload: expected the parameters of register as`},
		{"workload: [register]\n", `t.yaml:1:11: workload: expected a workload, found a list`},
		{"system: raftkv(heartbeat=200ms)\n", `t.yaml:1:26: system: heartbeat must be at most half of the shortest election timeout, which is 300ms`},
		{"system: raftkv(election=300ms)\n", `t.yaml:1:25: system: election: the longest timeout must be greater`},
		{"system:\n  raftkv: {election: 2s-1s}\n", `t.yaml:2:22: system: election: expected a range that goes up`},
		{"system: raftkv(snapshot-every=500)\nheartbeat: 200ms\n", `t.yaml:2:12: system: heartbeat must be at most half`},
		{"workload: register(keys=3)\nkeys: 3\n", `t.yaml:2:7: keys: workload already says keys=3; leave out keys`},
		{"election-min: 200ms\nsystem: {raftkv: {election: 300ms-600ms}}\n", `t.yaml:1:15: election-min: system already says election=300ms-600ms; leave out election-min`},
		{"keys: 0\n", `t.yaml:1:7: keys: expected from 1 to 1000, found 0`},
		{"election-max: 1s-2s\n", `t.yaml:1:15: election-max: expected one duration`},
	} {
		test := DefaultTest()
		file, err := parseTestFile("t.yaml", []byte(tt.text), &test)
		if err == nil {
			err = file.Place(test.Validate())
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

// A flag of a later source goes over an old setting of an earlier one, and the
// other way round, in any order.
func TestOldSettingsAreParametersWhateverTheirOrder(t *testing.T) {
	for _, tt := range []struct {
		set  [][2]string
		want string
	}{
		{[][2]string{{"election-min", "2s"}, {"election-max", "3s"}, {"heartbeat", "5ms"}}, "raftkv(heartbeat=5ms, election=2s-3s)"},
		{[][2]string{{"election-max", "3s"}, {"system", "raftkv(snapshot-every=10)"}, {"election-min", "2s"}}, "raftkv(election=2s-3s, snapshot-every=10)"},
		{[][2]string{{"heartbeat", "5ms"}, {"system", "raftkv(heartbeat=7ms)"}, {"system", "raftkv"}}, "raftkv"},
		{[][2]string{{"system", "raftkv(election=100ms-900ms)"}, {"election-min", "200ms"}}, "raftkv(election=200ms-900ms)"},
	} {
		test := DefaultTest()
		for _, s := range tt.set {
			option, _ := FindOption(s[0])
			before := test
			args := maps.Clone(test.SystemParams)
			if err := option.Set(&test, s[1]); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(before.SystemParams, args) {
				t.Errorf("%v changed a copy of the test", s)
			}
		}
		system, _ := FindOption("system")
		if err := test.Validate(); err != nil || system.Get(&test) != tt.want {
			t.Errorf("%v is %s, %v, want %s", tt.set, system.Get(&test), err, tt.want)
		}
	}
}

func TestOldSettingsSayWhatToWriteInstead(t *testing.T) {
	test := DefaultTest()
	for name, value := range map[string]string{"keys": "3", "heartbeat": "20ms"} {
		option, _ := FindOption(name)
		if err := option.Set(&test, value); err != nil {
			t.Fatal(err)
		}
	}
	used := []string{"heartbeat", "keys"}
	want := "--heartbeat and --keys are deprecated, and the next version refuses them; write --system 'raftkv(heartbeat=20ms)' --workload 'register(keys=3)' instead"
	if got := Instead(used, &test, true); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	want = "keys is deprecated, and the next version refuses it; write `workload: register(keys=3)` instead"
	if got := Instead(used[1:], &test, false); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	want = "keys is deprecated, and the next version refuses it; write `workload: register(keys=5)` instead"
	if got := InsteadOf(used[1:]); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if Instead(nil, &test, true) != "" {
		t.Error("nothing old was used")
	}
}

// A plan of schema version 2, as squall 0.1.0 wrote it.
func TestAPlanOfVersion2IsReadAndReplayed(t *testing.T) {
	path := filepath.Join("testdata", "plan-v2.json")
	plan, err := ReadPlanFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := (declare.Args{"heartbeat": "20ms", "election": "100ms-300ms", "snapshot-every": "500", "pre-vote": "on", "resend": "off", "segment": "16MiB", "sessions": "1024", "slow-disk": "0s", "stickiness": "on", "long-logs": "0", "short-logs": "0", "chunk": "256KiB", "slow-snapshots": "0s", "batch": "1MiB", "in-flight": "64"}); !maps.Equal(plan.Test.SystemParams, want) {
		t.Errorf("%v, want %v", plan.Test.SystemParams, want)
	}
	if want := (declare.Args{"keys": "3", "ops-per-key": "100", "spread": "0", "value-size": "1B", "keys-skew": "even", "mix": "50/30/20", "look-back": "3%"}); !maps.Equal(plan.Test.WorkloadParams, want) {
		t.Errorf("%v, want %v", plan.Test.WorkloadParams, want)
	}
	again, err := ReplayPlan(plan, plan.Test, "v", "squall", path)
	if err != nil || len(again.Schedule) != len(plan.Schedule) || len(plan.Schedule) == 0 || again.SchemaVersion != PlanVersion {
		t.Fatalf("%+v, %v", again, err)
	}
	text, err := json.Marshal(again)
	if err != nil {
		t.Fatal(err)
	}
	back, err := parsePlan(text)
	if err != nil || !maps.Equal(back.Test.SystemParams, plan.Test.SystemParams) || strings.Contains(string(text), "opsPerKey") {
		t.Errorf("%v in %s", err, text)
	}
	want := "squall run --time 20s --workload 'register(keys=3, ops-per-key=100, spread=0)' --nemesis 'kill(leader),delay' --seed 7 " +
		"--system 'raftkv(heartbeat=20ms, election=100ms-300ms, snapshot-every=500, resend=off)' --runtime local"
	if plan.Command != want {
		t.Errorf("%s\nwant %s", plan.Command, want)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsePlan([]byte(strings.Replace(string(old), `"keys": 3`, `"keys": 0`, 1))); err == nil || !strings.Contains(err.Error(), "keys: expected from 1 to 1000") {
		t.Errorf("a plan of no keys: %v", err)
	}
}
