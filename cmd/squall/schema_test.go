package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"squall/orchestrator/testplan"
)

// compiled is a schema of squall, checked against the schema of schemas.
func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	text, err := schemaText(name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("squall.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("squall.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestSchemasTakeWhatSquallTakes(t *testing.T) {
	test, campaign := compiled(t, "test"), compiled(t, "campaign")
	if err := validate(t, test, string(exampleTest)); err != nil {
		t.Error(err)
	}
	if err := validate(t, campaign, string(exampleCampaign)); err != nil {
		t.Error(err)
	}
	// What is commented out in the examples must hold too.
	for _, text := range []string{
		"profile: ci\nseed: 42\nrate: 500\nheartbeat: 50ms\nswarm: true\nschedule:\n- at 3s for 2s: kill(leader)\n",
		"nemesis: [partition, {kill: 3}]\ncpus: 0.5\n",
		"workload: register(keys=3, mix=50/30/20)\nsystem: raftkv\n",
		"workload:\n  register:\n    keys: 3\n    mix: 50/30/20\n    look-back: 3%\nsystem: {raftkv: {election: 150ms-300ms, heartbeat: 50ms}}\n",
		"workload: {register: }\nkeys: 3\nelection-max: 1s\n",
	} {
		if err := validate(t, test, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	uncommented := strings.NewReplacer("\n# exclude:\n#   -", "\nexclude:\n  -", "\n# include:\n#   -", "\ninclude:\n  -", "\n# budget:", "\nbudget:",
		"\n# jobs:", "\njobs:", "\n# invalid-retries:", "\ninvalid-retries:", "\n# max-cells:", "\nmax-cells:", "\n# seed:", "\nseed:", "\n# repeats:", "\nrepeats:").
		Replace(string(exampleCampaign))
	if err := validate(t, campaign, uncommented); err != nil || strings.Contains(uncommented, "\n# jobs") {
		t.Errorf("%s: %v", uncommented, err)
	}
	for _, option := range append(testplan.Options(), testplan.OldOptions()...) { // every default, as text and as YAML reads it
		defaults := testplan.DefaultTest()
		if value := option.Get(&defaults); value != "" {
			if err := validate(t, test, option.Name+": "+value+"\n"); err != nil {
				t.Errorf("%s: %v", option.Name, err)
			}
		}
	}
}

func TestSchemasRefuseMistakes(t *testing.T) {
	for name, texts := range map[string][]string{
		"test": {"nodse: 3\n", "nodes: 10\n", "nodes: many\n", "time: soon\n", "time: 30\n", "workload: teapot\n", "swarm: often\n", "nemesis: 3\n",
			"nemesis: []\n", "workload: {register: {kyes: 3}}\n", "workload: {register: {keys: 0}}\n", "workload: {register: {mix: 1/2}}\n", "workload: registers(keys=3)\n",
			"workload: {teapot: }\n", "system: {raftkv: {election: soon}}\n", "system: [raftkv]\n", "keys: many\n", "profile: weekend\n", "rate: -1\n", "- nodes\n"},
		"campaign": {"matirx: {}\n", "matrix: {}\n", "matrix: {nodes: 3}\n", "matrix: {nodes: []}\n", "matrix: {nodes: [3, 3]}\n", "matrix: {seed: [1]}\n",
			"test: {out: x}\n", "seeds: []\n", "seeds: [0]\n", "jobs: 0\n", "budget: 3\n", "exclude: {nodes: 3}\n", "include: [{}]\n", "name: a/b\n", "nodes: 3\n"},
	} {
		schema := compiled(t, name)
		for _, text := range texts {
			if validate(t, schema, text) == nil {
				t.Errorf("the schema of %s takes %s", name, text)
			}
		}
	}
}

// What an editor shows beside a setting is there for all of them.
func TestSchemasExplainEverySetting(t *testing.T) {
	for _, name := range []string{"test", "campaign"} {
		for key, property := range compiled(t, name).Properties {
			if property.Description == "" {
				t.Errorf("%s: %s has no description", name, key)
			}
		}
	}
}
