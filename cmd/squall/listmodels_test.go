package main

import (
	"encoding/json"
	"strings"
	"testing"

	"squall/history/check/linearizable"
)

// TestListModels: every model is listed with its functions, for people and as JSON, by
// itself and among the other lists.
func TestListModels(t *testing.T) {
	for _, args := range [][]string{{"list", "models"}, {"list", "--out", t.TempDir()}} {
		said, code := hear(t, &app{}, false, args...)
		if code != exitPass {
			t.Fatalf("%v ends with %d: %s", args, code, said.errOut)
		}
		for _, m := range linearizable.Models() {
			if !strings.Contains(said.out, m.Doc) || !strings.Contains(said.out, "functions: "+m.Functions.String()) {
				t.Errorf("%v does not list the model %s: %s", args, m.Name, said.out)
			}
		}
	}
	said, _ := hear(t, &app{}, false, "list", "models", "--json")
	var listed []modelListing
	if err := json.Unmarshal([]byte(said.out), &listed); err != nil {
		t.Fatal(err)
	}
	for i, m := range linearizable.Models() {
		if len(listed) <= i || listed[i].Name != m.Name || len(listed[i].Functions) != len(m.Functions) {
			t.Errorf("the JSON does not list the model %s: %s", m.Name, said.out)
		}
	}
	said, code := hear(t, &app{}, false, "list", "modles")
	if code != exitUsage || !strings.Contains(said.errOut, `did you mean "models"?`) {
		t.Errorf("a mistyped list ends with %d: %s", code, said.errOut)
	}
}
