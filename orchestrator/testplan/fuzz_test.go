package testplan

import (
	"encoding/json"
	"testing"
)

// FuzzPlan: whatever the text, a plan is refused or is one that squall could have
// made, whose name is that of a folder.
func FuzzPlan(f *testing.F) {
	test := DefaultTest()
	test.Seed = 7
	plan, err := NewPlan(test, "v", "squall")
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(plan)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"schemaVersion":1,"test":{"name":"x"},"nodes":["n1","n2","n3","n4","n5"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		plan, err := parsePlan(text)
		if err != nil {
			return
		}
		if err := CheckName(plan.Test.Name); err != nil || len(plan.Nodes) != plan.Test.Nodes || plan.Command != "" {
			t.Fatalf("%+v: %v", plan, err)
		}
	})
}

// FuzzTestFile: whatever the text, a test file is refused or gives settings that
// can be written down and read again.
func FuzzTestFile(f *testing.F) {
	f.Add([]byte("nodes: 3\nnemesis: kill,partition(leader)\ntime: 10s\n"))
	f.Add([]byte("profile: ci\nthreshold: [\"throughput > 5/s\"]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		test := DefaultTest()
		if _, err := parseTestFile("t.yaml", text, &test); err != nil {
			return
		}
		for _, option := range Options() {
			value, again := option.Get(&test), DefaultTest()
			if option.Name == "name" && value == "" {
				continue
			}
			if err := option.Set(&again, value); err != nil || option.Get(&again) != value {
				t.Fatalf("%s: %q does not read back: %q, %v", option.Name, value, option.Get(&again), err)
			}
		}
	})
}
