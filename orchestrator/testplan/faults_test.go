package testplan

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/nemesis/schedule"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// bare is a system that can nothing beside serve.
type bare struct{ systems.System }

func (bare) Name() string { return "plain" }

func TestWhatASystemCannotIsRefusedByName(t *testing.T) {
	raftkv, err := catalogue.FindSystem("raftkv")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		system systems.System
		need   nemesis.Need
		want   string
	}{
		{bare{raftkv}, nemesis.NeedClock, "plain uses the computer's clock"},
		{bare{raftkv}, nemesis.NeedMembership, "members of plain"},
		{raftkv, nemesis.NeedClock, ""},
		{bare{raftkv}, nemesis.NeedMessages, "the servers of plain take no rules for the messages"},
		{raftkv, nemesis.NeedMessages, ""},
		{bare{raftkv}, nemesis.NeedLeader, "nobody can say who leads"},
		{bare{raftkv}, nemesis.NeedCandidate, "nobody can say who stands"},
		{bare{raftkv}, nemesis.NeedIntegrity, "plain leaves it to TCP"},
		{raftkv, nemesis.NeedIntegrity, ""},
		{raftkv, nemesis.NeedLeader, ""},
		{raftkv, nemesis.NeedCandidate, ""},
		{raftkv, nemesis.NeedMembership, "members of raftkv"},
		{bare{raftkv}, nemesis.NeedCPU, ""}, // not the system's to meet
	} {
		if got := SystemCannot(tc.system, tc.need); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s, %s: %q, want %q", tc.system.Name(), tc.need, got, tc.want)
		}
	}
}

func TestMutantsOfAnotherProgram(t *testing.T) {
	raftkv, err := catalogue.FindSystem("raftkv")
	if err != nil {
		t.Fatal(err)
	}
	if err := mutantFor(raftkv, "half-quorum"); err != nil {
		t.Errorf("on raftkv: %v", err)
	}
	var field *FieldError
	if err := mutantFor(bare{raftkv}, "half-quorum"); !errors.As(err, &field) || field.Option != "mutant" || !strings.Contains(err.Error(), "half-quorum cannot be planted in plain") {
		t.Errorf("on another program: %v", err)
	}
	if err := mutantFor(bare{raftkv}, ""); err != nil {
		t.Errorf("without a bug: %v", err)
	}
}

// TestTargetsThatNobodyCanFind: where nobody can say who leads, faults are not drawn
// for the leader, and those that were asked for are refused by name.
func TestTargetsThatNobodyCanFind(t *testing.T) {
	raftkv, err := catalogue.FindSystem("raftkv")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ nemesis, steps, want string }{
		{nemesis: "kill, partition"},
		{nemesis: "kill(n2)"},
		{nemesis: "network"},
		{nemesis: "kill(one), kill(leader)", want: "fault kill(leader) is not available here: plain writes no trace, and does not tell its clients, " +
			"so nobody can say who leads; other targets of kill are n1, one, minority, majority, all"},
		{nemesis: "partition(primaries)", want: "nobody can say who leads; other targets of partition are n1, halves"},
		{nemesis: "pause(candidate)", want: "nobody can say who stands for election"},
		{steps: "at 1s for 1s: kill(one); at 3s for 1s: kill(old-leader)", want: "fault kill(old-leader) is not available here"},
	} {
		spec, err := schedule.Parse(faults.All(), schedule.Text{Nemesis: tc.nemesis, Schedule: tc.steps})
		if err != nil {
			t.Fatal(err)
		}
		cards := len(spec.Cards)
		err = aim(bare{raftkv}, &spec)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s%s: %v, want %q", tc.nemesis, tc.steps, err, tc.want)
		}
		var item *schedule.ItemError
		if tc.steps != "" && (!errors.As(err, &item) || item.Item != 1) {
			t.Errorf("%s: %v has no place", tc.steps, err)
		}
		if err != nil {
			continue
		}
		if len(spec.Cards) != cards {
			t.Errorf("%s: %d of %d faults are left", tc.nemesis, len(spec.Cards), cards)
		}
		for _, card := range spec.Cards {
			for _, v := range card.Variants {
				if v.Need != "" || v.Leader {
					t.Errorf("%s: %s(%s) may be drawn", tc.nemesis, card.Fault.Name, v.Name)
				}
			}
		}
		if spec, err = schedule.Parse(faults.All(), schedule.Text{Nemesis: tc.nemesis}); err != nil || aim(raftkv, &spec) != nil || len(spec.Cards) != cards {
			t.Errorf("%s on raftkv: %v", tc.nemesis, err)
		}
	}
}

// TestFaultsOfAMixThatASystemCannotHave: they are left out, and that is said; those that
// were asked for by name are refused.
func TestFaultsOfAMixThatASystemCannotHave(t *testing.T) {
	raftkv, err := catalogue.FindSystem("raftkv")
	if err != nil {
		t.Fatal(err)
	}
	const messages = "message-delay,message-loss,message-duplicate,message-reorder,message-replay"
	for nemesis, want := range map[string]string{
		"storm":              messages + ",clock-offset,clock-strobe,clock-drift,clock-back,clock-freeze",
		"network":            messages,
		"kill, clock-offset": "!clock-offset is not available here",
		"storm,clock-drift":  "!clock-drift is not available here",
		"message-replay":     "!message-replay is not available here: the servers of plain take no rules",
	} {
		spec, err := schedule.Parse(faults.All(), schedule.Text{Nemesis: nemesis})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range new(Test).leaveOut(bare{raftkv}, &spec) {
			out = append(out, c.Fault.Name)
		}
		err = systemCan(bare{raftkv}, choicesOf(spec))
		if refused, is := strings.CutPrefix(want, "!"); is {
			if err == nil || !strings.Contains(err.Error(), refused) {
				t.Errorf("%s: %v, want %q", nemesis, err, refused)
			}
		} else if err != nil || strings.Join(out, ",") != want {
			t.Errorf("%s: %v is left out, %v, want %s", nemesis, out, err, want)
		}
		if spec, err = schedule.Parse(faults.All(), schedule.Text{Nemesis: nemesis}); err != nil || new(Test).leaveOut(raftkv, &spec) != nil {
			t.Errorf("%s on raftkv: something is left out, %v", nemesis, err)
		}
	}
	test := DefaultTest()
	test.Nemesis, test.System = "storm", "etcd"
	want := "left out  clock-offset, clock-strobe, clock-drift, clock-back, clock-freeze: etcd uses the computer's clock"
	if lines := test.LeftOut(); len(lines) != 3 || !strings.HasPrefix(lines[0], want) || !strings.HasPrefix(lines[1], "left out  corrupt(as=payload): etcd leaves it to TCP") ||
		!strings.HasPrefix(lines[2], "left out  message-delay, message-loss") {
		t.Errorf("it says %q, want %q", lines, want)
	}
	if test.System = "raftkv"; test.LeftOut() != nil {
		t.Errorf("of raftkv it says %q", test.LeftOut())
	}
}

// TestAReplayKnowsItsRoles: the plan of a run says who led when a fault began.
func TestAReplayKnowsItsRoles(t *testing.T) {
	raftkv, err := catalogue.FindSystem("raftkv")
	if err != nil {
		t.Fatal(err)
	}
	kill, _ := nemesis.Find(faults.All(), "kill")
	planned := nemesis.Planned{Fault: "kill", Variant: "leader"}
	if err := new(Test).checkChoice(bare{raftkv}, kill, planned, []string{"n1", "n2", "n3"}); err == nil || !strings.Contains(err.Error(), "nobody can say who leads") {
		t.Errorf("without roles: %v", err)
	}
	planned.Roles = &nemesis.Roles{Leader: "n2"}
	if err := new(Test).checkChoice(bare{raftkv}, kill, planned, []string{"n1", "n2", "n3"}); err != nil {
		t.Errorf("with roles: %v", err)
	}
}

func TestRefusalSaysHowToGoOn(t *testing.T) {
	if err := Refusal(nil, nil); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
	err := Refusal(map[nemesis.Need][]string{nemesis.NeedCPU: {"slow-cpu"}, nemesis.NeedMemory: {"low-memory", "out-of-memory"}},
		func(n nemesis.Need) string { return "no " + string(n) })
	want := "slow-cpu is not available here: no cpu-limit; low-memory, out-of-memory are not available here: no memory-limit; " +
		"to run without, add to the list of faults: -slow-cpu,-low-memory,-out-of-memory"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	// What it says to add can be added.
	if _, err := schedule.ParseFaults(faults.All(), "storm,-slow-cpu,-low-memory,-out-of-memory"); err != nil {
		t.Error(err)
	}
}

func TestReplayRefusesAnEditedPlan(t *testing.T) {
	test := DefaultTest()
	test.Nemesis = "delay(50ms, leader)"
	for what, edit := range map[string]func(*Plan){
		"has schema version 1":            func(p *Plan) { p.SchemaVersion = 1 },
		"which this squall does not have": func(p *Plan) { p.Schedule[0].Fault = "earthquake" },
		"has no variant":                  func(p *Plan) { p.Schedule[0].Variant = "nobody" },
		"delay: expected":                 func(p *Plan) { p.Schedule[0].Params["delay"] = "-5ms" },
		"its order is of":                 func(p *Plan) { p.Schedule[0].Order = []string{"n1"} },
		`there is no node "n9"`:           func(p *Plan) { p.Schedule[0].Nodes = []string{"n9"} },
		"and the load ends after":         func(p *Plan) { p.Schedule[0].ForMs = 1 << 40 },
	} {
		test.Seed = 3
		plan, err := NewPlan(test, "v", "squall")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReplayPlan(plan, plan.Test, "v", "squall", "p.json"); err != nil {
			t.Fatalf("as it is: %v", err)
		}
		edit(plan)
		if _, err := ReplayPlan(plan, plan.Test, "v", "squall", "p.json"); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "p.json") {
			t.Errorf("%v, want an error with %q", err, what)
		}
	}
}

func TestMistakesInAScheduleHaveTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"nemesis:\n  - kill\n  - earthquake\n":                                     "t.yaml:3:5: nemesis: unknown fault",
		"nemesis:\n  - kill(leader): 3\n  - kill: 0\n":                             "t.yaml:3:5: nemesis:",
		"nemesis: [delay(-5ms)]\n":                                                 "t.yaml:1:11: nemesis: fault delay: delay: expected from",
		"time: 20s\nschedule:\n  - at 1s for 2s: kill\n  - at 2s for 2s: pause\n":  "t.yaml:4:5: schedule: pause",
		"time: 20s\nschedule:\n  - at 1s for 2s: kill\n  - at 19s for 2s: pause\n": "t.yaml:4:5: schedule: pause lasts until 21s",
		"nemesis: [add-member]\n":                                                  "t.yaml:1:10: nemesis: add-member is not available here",
		"hold: 5s-1s\n":                                                            "t.yaml:1:7: hold: the range",
		"limit: most\n":                                                            "t.yaml:1:8: limit: expected one of",
		"swarm: perhaps\n":                                                         "t.yaml:1:8: swarm: expected true or false",
		"overlap: 9\n":                                                             "t.yaml:1:10: overlap: expected a whole number from 0 to 5",
		"nemesis:\n  - [kill]\n":                                                   "t.yaml:2:5: nemesis: expected a fault, found a list",
		"nemesis: [kill(majority)]\nlimit: majority\n":                             "t.yaml:1:10: nemesis: fault kill(majority) would leave no majority",
	} {
		test := DefaultTest()
		file, err := parseTestFile("t.yaml", []byte(text), &test)
		if err == nil {
			err = file.Place(test.Validate())
		}
		var bad *FileErrors
		if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestMomentsThatNobodySeesAreRefused: before the test, by name, with those that can be seen.
func TestMomentsThatNobodySeesAreRefused(t *testing.T) {
	for _, tt := range []struct{ system, nemesis, want string }{
		{"raftkv", "kill(moment) when=vote-granted", ""},
		{"raftkv", "kill(moment) when=truncated", "fault kill(moment) when=truncated cannot be aimed here: that takes --trace full, so nobody sees when a node removes entries from its log; " +
			"moments that can be seen are election-begun, vote-granted, leader-elected, leader-lost, term-advanced, commit-advanced, snapshot-taken, snapshot-installed, server-started, server-ended"},
		{"etcd", "kill(moment) when=leader-elected", ""},
		{"etcd", "kill(one) when=server-started", ""},
		{"etcd", "kill(moment) when=vote-granted", "fault kill(moment) when=vote-granted cannot be aimed here: etcd writes no trace, so nobody sees when a node grants its vote to another; " +
			"moments that can be seen are leader-elected, leader-lost, server-started, server-ended"},
	} {
		test := DefaultTest()
		test.System, test.Nemesis, test.Time = tt.system, tt.nemesis, Duration(time.Minute)
		drawn, err := test.drawFaults(1)
		if (err == nil) != (tt.want == "") || err != nil && err.Error() != "nemesis: "+tt.want {
			t.Errorf("%s, %s: %v, want %q", tt.system, tt.nemesis, err, tt.want)
		}
		if err == nil && (len(drawn.Planned) == 0 || drawn.Planned[0].Aim == nil) {
			t.Errorf("%s, %s: %+v", tt.system, tt.nemesis, drawn.Planned)
		}
		test.Nemesis, test.Schedule = "", "at 2s for 2s: "+tt.nemesis
		if _, err := test.drawFaults(1); (err == nil) != (tt.want == "") {
			t.Errorf("%s, as a step: %v", tt.nemesis, err)
		}
	}
}

// TestMomentsOfTheFullTrace can be aimed at where a test asks for that trace.
func TestMomentsOfTheFullTrace(t *testing.T) {
	test := DefaultTest()
	test.Nemesis, test.Time, test.Trace = "kill(moment) when=truncated", Duration(time.Minute), TraceFull
	if drawn, err := test.drawFaults(1); err != nil || len(drawn.Planned) == 0 {
		t.Errorf("%+v, %v", drawn, err)
	}
}

// TestAPlanSaysWhatItLeavesOut, and reads it back.
func TestAPlanSaysWhatItLeavesOut(t *testing.T) {
	test := DefaultTest()
	test.Nemesis, test.Time = "kill,pause,delay,rate,loss,partition", Duration(8*time.Second)
	plan, err := NewPlan(test, "v", "squall")
	if err != nil || len(plan.Schedule)+len(plan.LeftOut) != 6 || len(plan.LeftOut) == 0 {
		t.Fatalf("%+v, %v", plan, err)
	}
	if text := strings.Join(plan.Omitted(), "\n"); !strings.Contains(text, "left out  "+strings.Join(plan.LeftOut, ", ")+": 8s of load are too short for every fault") {
		t.Error(text)
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parsePlan(text)
	if err != nil || !slices.Equal(again.LeftOut, plan.LeftOut) {
		t.Errorf("read back %+v, %v", again, err)
	}
}

// TestChangedBytesAreDrawnForThoseWhoCheck: a system that relies on TCP is sent bytes that
// TCP cannot tell from good ones only when a test asks for that.
func TestChangedBytesAreDrawnForThoseWhoCheck(t *testing.T) {
	drawn := func(system, nemesis string) map[string]bool {
		all := map[string]bool{}
		for seed := range uint64(30) {
			test := DefaultTest()
			test.System, test.Nemesis, test.Time = system, nemesis, Duration(time.Minute)
			plan, err := test.drawFaults(seed + 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range plan.Planned {
				if p.Fault == "corrupt" {
					all[p.Params["as"]] = true
				}
			}
		}
		return all
	}
	for _, tt := range []struct {
		system, nemesis string
		payload         bool
	}{{"raftkv", "corrupt", true}, {"etcd", "corrupt", false}, {"etcd", "storm", false}, {"etcd", "corrupt(as=payload)", true}} {
		if got := drawn(tt.system, tt.nemesis); got["payload"] != tt.payload || len(got) == 0 {
			t.Errorf("%s under %s: %v", tt.system, tt.nemesis, got)
		}
	}
}
