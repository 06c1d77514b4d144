package systems

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestUnknownErrorsAreUncertain(t *testing.T) {
	if Certain(errors.New("odd")) || Lost(errors.New("odd")) || Certain(nil) {
		t.Error("nothing is certain of an error that is not known")
	}
	if !Certain(fmt.Errorf("wrapped: %w", &Error{Certain: true, Err: io.EOF})) {
		t.Error("a wrapped error lost its certainty")
	}
}

// TestProgramsDeclare: what a connection through a program can do is what the program
// declares, and nothing else.
func TestProgramsDeclare(t *testing.T) {
	for i := range 8 {
		p := Program{Leader: i&1 > 0, Members: i&2 > 0, Replicas: i&4 > 0, Workloads: []string{"set"}}
		c := p.Prototype()
		_, leader := c.(LeaderTeller)
		_, members := c.(MemberChanger)
		_, replicas := c.(ReplicaTeller)
		caller, calls := c.(Caller)
		if leader != p.Leader || members != p.Members || replicas != p.Replicas || !calls || !caller.Serves("set") {
			t.Errorf("%+v: leader %v, members %v, replicas %v, operations %v", p, leader, members, replicas, calls)
		}
	}
}
