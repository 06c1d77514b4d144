package machines

import (
	"slices"
	"strings"
	"testing"
)

func TestClusterSpecValidate(t *testing.T) {
	good := ClusterSpec{Run: "r1", Machines: []MachineSpec{{Name: "n1"}, {Name: "driver"}}, BinaryKey: "k"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*ClusterSpec){
		"run id":           func(s *ClusterSpec) { s.Run = "a b" },
		"0 machines":       func(s *ClusterSpec) { s.Machines = nil },
		"241 machines":     func(s *ClusterSpec) { s.Machines = make([]MachineSpec, 241) },
		`"N1"`:             func(s *ClusterSpec) { s.Machines = []MachineSpec{{Name: "N1"}} },
		`"n1" is there tw`: func(s *ClusterSpec) { s.Machines = []MachineSpec{{Name: "n1"}, {Name: "n1"}} },
		"below zero":       func(s *ClusterSpec) { s.Machines[0].Memory = -1 },
		"key":              func(s *ClusterSpec) { s.BinaryKey = "" },
	} {
		s := good
		s.Machines = slices.Clone(good.Machines)
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s in it", err, want)
		}
	}
}
