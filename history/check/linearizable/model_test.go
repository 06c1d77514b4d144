package linearizable

import (
	"strings"
	"testing"
)

// TestModels: the list is in order, and FindModel finds what is in it alone.
func TestModels(t *testing.T) {
	for i, m := range Models() {
		if m.Doc == "" || len(m.Functions) == 0 || m.prepare == nil || m.explain == nil {
			t.Errorf("the model %q is not complete: %+v", m.Name, m)
		}
		found, err := FindModel(m.Name)
		if err != nil || found.Name != m.Name {
			t.Errorf("model %d, %q: %v", i, m.Name, err)
		}
	}
	if _, err := FindModel("regsiter"); err == nil || !strings.Contains(err.Error(), `did you mean "register"?`) {
		t.Errorf("of a name that is none: %v", err)
	}
}
