package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"squall/nodeimage/mutants"
)

// TestListMutants: every known bug is listed with all that its patch says of it, by
// group, for people and as JSON, by itself and among the other lists.
func TestListMutants(t *testing.T) {
	all, err := mutants.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list", "mutants"}, {"list", "--out", t.TempDir()}} {
		said, code := hear(t, &app{}, false, args...)
		if code != exitPass {
			t.Fatalf("%v ends with %d: %s", args, code, said.errOut)
		}
		words := strings.Join(strings.Fields(said.out), " ") // however its lines are broken
		for _, m := range all {
			want := m.Name + " " + m.Summary + " from: " + m.Origin + " seen by: " + strings.Join(m.SeenBy, ", ")
			if !strings.Contains(words, want) {
				t.Errorf("%v does not say %q", args, want)
			}
		}
	}
	said, _ := hear(t, &app{}, false, "list", "mutants")
	last := -1
	for _, group := range mutants.Groups() {
		if at := strings.Index(said.out, "  "+group+"\n"); at >= 0 {
			if at < last {
				t.Errorf("the group %s is out of order", group)
			}
			last = at
		}
	}
	for line := range strings.Lines(said.out) {
		if n := len([]rune(line)) - 1; n > listWidth {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	said, _ = hear(t, &app{}, false, "list", "mutants", "--json")
	var listed []mutantListing
	if err := json.Unmarshal([]byte(said.out), &listed); err != nil {
		t.Fatal(err)
	}
	byName := map[string]mutantListing{}
	for _, m := range listed {
		byName[m.Name] = m
	}
	for _, m := range all {
		want := mutantListing{listing{m.Name, m.Summary}, m.Group, m.Bug, m.Origin, m.SeenBy, m.CaughtBy, m.Scenario}
		if !reflect.DeepEqual(byName[m.Name], want) {
			t.Errorf("the JSON has %+v, want %+v", byName[m.Name], want)
		}
	}
}
