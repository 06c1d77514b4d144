package catalogue

import (
	"strings"
	"testing"
)

func TestSystemsAreInOrder(t *testing.T) {
	for _, d := range SystemDeclarations() {
		if err := d.Validate(); err != nil {
			t.Error(err)
		}
		if _, err := d.Resolve(nil); err != nil {
			t.Errorf("the defaults of %s: %v", d.Name, err)
		}
	}
	for _, s := range Systems() {
		if got, err := FindSystem(s.Name()); err != nil || got.Name() != s.Name() || s.Describe() == "" {
			t.Errorf("FindSystem(%q) = %v, %v", s.Name(), got, err)
		}
	}
	if _, err := FindSystem("oracle"); err == nil || !strings.Contains(err.Error(), "raftkv") {
		t.Errorf("an unknown system: %v; the error must name those there are", err)
	}
}
