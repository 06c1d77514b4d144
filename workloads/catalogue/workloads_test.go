package catalogue

import (
	"strings"
	"testing"

	"squall/history/check"
	"squall/workloads/systems"
)

func TestFindWorkload(t *testing.T) {
	for _, w := range Workloads() {
		if got, err := FindWorkload(w.Name); err != nil || got.Name != w.Name {
			t.Errorf("FindWorkload(%q) = %v, %v", w.Name, got.Name, err)
		}
	}
	if _, err := FindWorkload("dance"); err == nil || !strings.Contains(err.Error(), "register") {
		t.Errorf("an unknown workload: %v; the error must name those there are", err)
	}
}

// Every workload is whole: its declaration can be read, its functions are those that
// a header may list, and at least one system can serve it.
func TestWorkloadsAreWhole(t *testing.T) {
	for _, w := range Workloads() {
		if err := w.Declaration().Validate(); err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
		if w.Doc == "" || len(w.Functions) == 0 || w.New == nil || len(w.Checkers()) == 0 {
			t.Errorf("%s lacks something: %+v", w.Name, w)
		}
		if _, err := w.Declaration().Resolve(nil); err != nil {
			t.Errorf("the defaults of %s: %v", w.Name, err)
		}
		for _, c := range w.Checkers() {
			if e, known := check.EvidenceOf(c.Name()); !known || e != check.ByClients {
				t.Errorf("the check %q of %s judges by %q, want %q: history/check lists it", c.Name(), w.Name, e, check.ByClients)
			}
		}
		served := false
		for _, s := range Systems() {
			served = served || w.Fits(systems.Prototype(s))
		}
		if !served {
			t.Errorf("no system can serve %s", w.Name)
		}
	}
}
