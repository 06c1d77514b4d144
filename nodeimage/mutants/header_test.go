package mutants

import (
	"reflect"
	"strings"
	"testing"
)

func TestHeader(t *testing.T) {
	m, err := parse("wrong", []byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	want := Mutant{Name: "wrong", Summary: "it answers something else", Group: "reads", Bug: 42,
		Origin: "somebody's program, the first issue of all", SeenBy: []string{"client", "disk"},
		CaughtBy: "asking", Scenario: "ask", Patch: []byte(patch)}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, want %+v", m, want)
	}
}

func TestHeaderOfABugThatNobodyHadAndNothingFinds(t *testing.T) {
	text := strings.NewReplacer("Bug: 42", "Bug: none", "Caught-by: asking", "Caught-by: none").Replace(patch)
	m, err := parse("wrong", []byte(text))
	if err != nil || m.Bug != 0 || m.CaughtBy != "" {
		t.Errorf("got bug %d, caught by %q, %v", m.Bug, m.CaughtBy, err)
	}
}

func TestHeaderWithSettings(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"nodes=4":               {"nodes": "4"},
		"nodes=4, workload=set": {"nodes": "4", "workload": "set"},
	} {
		m, err := parse("wrong", []byte(strings.Replace(patch, "# Scenario:", "# Settings: "+text+"\n# Scenario:", 1)))
		if err != nil || !reflect.DeepEqual(m.Settings, want) {
			t.Errorf("%s: got %v, %v", text, m.Settings, err)
		}
	}
}

func TestHeaderErrors(t *testing.T) {
	for _, c := range []struct {
		name, before, after string
		want                []string
	}{
		{"a line is missing", "# Group: reads\n", "", []string{"lacks \"# Group: …\" (one of election"}},
		{"two are missing", "# Bug: 42\n# Origin: somebody's program,\n#   the first issue of all\n", "", []string{"# Bug: …", "# Origin: …"}},
		{"no header", header, "", []string{"# Summary: …", "# Scenario: …"}},
		{"unknown group", "Group: reads", "Group: read", []string{"line 2", "Group", `did you mean "reads"?`}},
		{"no number", "Bug: 42", "Bug: 4 or 2", []string{"line 3", "Bug", `"4 or 2"`}},
		{"number below one", "Bug: 42", "Bug: 0", []string{"line 3", "Bug", `"0"`}},
		{"unknown evidence", "client, disk", "client, disc", []string{"line 6", "Seen-by", `did you mean "disk"?`}},
		{"evidence twice", "client, disk", "client, client", []string{"line 6", "client is there twice"}},
		{"no evidence", "client, disk", "", []string{"line 6", "Seen-by says nothing"}},
		{"a setting without a value", "# Scenario:", "# Settings: nodes\n# Scenario:", []string{"line 8", "Settings", `"nodes" is not option=value`}},
		{"a setting twice", "# Scenario:", "# Settings: nodes=4, nodes=5\n# Scenario:", []string{"line 8", "nodes is there twice"}},
		{"unknown key", "# Scenario:", "# Scenarios:", []string{"line 8", `unknown key "Scenarios"`, `did you mean "Scenario"?`}},
		{"a key twice", "# Scenario: ask", "# Scenario: ask\n# Bug: 42", []string{"line 9", "Bug is there a second time, after line 3"}},
		{"a line without a key", "# Scenario: ask", "# Scenario: ask\n# as before", []string{"line 9", "# as before"}},
		{"it begins in the middle", "# Summary", "#   more\n# Summary", []string{"line 1", "none before"}},
		{"nothing said", "Origin: somebody's program,\n#   the first issue of all", "Origin:\n#   ", []string{"line 4", "Origin says nothing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Count(patch, c.before) != 1 {
				t.Fatalf("%q is not in the patch once", c.before)
			}
			_, err := parse("wrong", []byte(strings.Replace(patch, c.before, c.after, 1)))
			if err == nil {
				t.Fatal("it was not refused")
			}
			for _, want := range append(c.want, "mutant wrong") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q in it", err, want)
				}
			}
		})
	}
}
