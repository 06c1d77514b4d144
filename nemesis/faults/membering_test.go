package faults

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/nemesis"
)

// onNode is a fault of a schedule that names its node.
func onNode(name, node string) nemesis.Planned {
	fault, _ := nemesis.Find(All(), name)
	p := planned(fault, "")
	p.Nodes = []string{node}
	return p
}

// TestMembersInOrder: what is done to a cluster to change a member, and to undo that, in
// this order.
func TestMembersInOrder(t *testing.T) {
	for name, want := range map[string]string{
		"add-member":      "remove n3, wipe n3, add n3 | start n3",
		"remove-member":   "remove n3 | wipe n3, add n3, start n3",
		"replace-member":  "remove n3, wipe n3, add n3, start n3 |",
		"promote-learner": "remove n3, wipe n3, add as a learner n3, start n3, promote n3 |",
	} {
		t.Run(name, func(t *testing.T) {
			c := newFake(5)
			recorded, err := runFake(t, c, onNode(name, "n3"))
			if err != nil || len(recorded) != 2 {
				t.Fatalf("%v, %+v", err, recorded)
			}
			do, undo, _ := strings.Cut(want, "|")
			all := strings.Trim(strings.TrimSpace(do)+", "+strings.TrimSpace(undo), " ,")
			if got := strings.Join(c.trouble.asked, ", "); got != all {
				t.Errorf("done was %q, want %q", got, all)
			}
			voters := 5
			if name == "remove-member" {
				voters = 4
			}
			for i, n := range []int{voters, 5} {
				if m := recorded[i].Measured; len(m) != 1 || m[0].What != "voters" || m[0].Value != float64(n) {
					t.Errorf("step %d: %+v, want %d voters", i, m, n)
				}
			}
			if wrong := c.hurt(); len(wrong) > 0 {
				t.Errorf("still hurt: %v", wrong)
			}
		})
	}
}

// TestMembersInTrouble: what a cluster in a storm answers.
func TestMembersInTrouble(t *testing.T) {
	refused := fmt.Errorf("%w: unhealthy cluster", nemesis.ErrRefused)
	lost := errors.New("no answer")
	never := func(what string, made bool, err error) func(string, string) (bool, error) {
		return func(w, _ string) (bool, error) {
			if w == what {
				return made, err
			}
			return true, nil
		}
	}
	for _, tt := range []struct {
		name, fault string
		trouble     memberTrouble
		inject      string // why the fault is void; "": it is not
		heal        string // why it is not healed
	}{
		{"refused", "remove-member", memberTrouble{answer: never("remove", false, refused)}, "removal: the change of members was refused: unhealthy cluster", ""},
		{"no answer, and done", "remove-member", memberTrouble{answer: never("remove", true, lost)}, "", ""},
		{"no answer, and not done", "remove-member", memberTrouble{answer: never("remove", false, lost)}, "removal: it is a voter, and is to be no member", ""},
		{"shown late", "replace-member", memberTrouble{lag: 2 * time.Second}, "", ""},
		{"the learner is not promoted", "promote-learner", memberTrouble{answer: never("promote", false, refused)}, "refused", "promotion: the change"},
		{"never comes back", "remove-member", memberTrouble{answer: never("add", false, refused)}, "", "addition: the change"},
		{"acknowledged, and not done", "remove-member", memberTrouble{answer: never("remove", false, nil)}, "n3 is a voter, and may be no member", "n3 is a voter"},
		{"transfer is refused", "transfer-leadership", memberTrouble{answer: never("transfer", false, refused)}, "refused", ""},
		{"transfer is not seen", "transfer-leadership", memberTrouble{answer: never("transfer", false, lost)}, "it was not seen to lead within 5s: n1 leads", ""},
		{"transfer has no answer, and is seen", "transfer-leadership", memberTrouble{answer: never("transfer", true, lost)}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newFake(5)
			c.trouble = tt.trouble
			recorded, err := runFake(t, c, onNode(tt.fault, "n3"))
			if len(recorded) != 2 {
				t.Fatalf("%v, %+v", err, recorded)
			}
			for i, want := range []string{tt.inject, tt.heal} {
				got := recorded[i].Err
				if (want == "") != (got == "") || !strings.Contains(got, want) {
					t.Errorf("step %d: %q, want %q", i, got, want)
				}
			}
			if (err == nil) != (tt.heal == "") {
				t.Errorf("Run = %v", err)
			}
			if tt.heal == "" && len(c.hurt()) > 0 {
				t.Errorf("still hurt: %v", c.hurt())
			}
		})
	}
}

// TestTheLeaderCannotBeTransferredToItself: that would be no fault.
func TestTheLeaderCannotBeTransferredToItself(t *testing.T) {
	recorded, err := runFake(t, newFake(5), onNode("transfer-leadership", "n1"))
	if err != nil || len(recorded) != 2 || !strings.Contains(recorded[0].Err, "n1: it leads already") {
		t.Errorf("%v, %+v", err, recorded)
	}
}

// TestMembersExcludeServers: a member that is taken out takes its server with it, so no other
// fault may act on that server.
func TestMembersExcludeServers(t *testing.T) {
	kill, _ := nemesis.Find(All(), "kill")
	cut, _ := nemesis.Find(All(), "partition")
	for _, f := range All() {
		if f.Kind != history.KindMembership {
			continue
		}
		mine := nemesis.Claim{Fault: f, Nodes: []string{"n1"}}
		servers := slices.Contains(f.Holds, nemesis.HoldServers)
		if servers == (f.Name == "transfer-leadership") || mine.Meets(nemesis.Claim{Fault: kill, Nodes: []string{"n1"}}) != servers ||
			mine.Meets(nemesis.Claim{Fault: kill, Nodes: []string{"n2"}}) || mine.Meets(nemesis.Claim{Fault: cut}) || !mine.Meets(nemesis.Claim{Fault: f, Nodes: []string{"n2"}}) {
			t.Errorf("%s holds %v", f.Name, f.Holds)
		}
	}
}

// TestRejoin: a removal whose answer was lost, and which was made after its fault was
// healed, is undone in the end; and nobody is asked where nothing was changed.
func TestRejoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(5)
		if err := Rejoin(t.Context(), c); err != nil || len(c.trouble.asked) > 0 {
			t.Errorf("nobody changed anything: %v, %v", err, c.trouble.asked)
		}
		lost := errors.New("no answer")
		c.trouble.answer = func(string, string) (bool, error) { return false, lost }
		var rec memory
		begin := time.Now()
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		if err := r.Run(t.Context(), []nemesis.Planned{onNode("remove-member", "n3")}, 0); err != nil {
			t.Fatal(err)
		}
		c.trouble.answer = nil
		_ = (fakeMembers{c}).Remove(t.Context(), "n3") // now it lands
		c.trouble.asked = nil
		if err := Rejoin(t.Context(), c); err != nil || strings.Join(c.trouble.asked, ", ") != "wipe n3, add n3, start n3" {
			t.Errorf("%v, %q", err, c.trouble.asked)
		}
		if wrong := c.hurt(); len(wrong) > 0 {
			t.Errorf("still hurt: %v", wrong)
		}
		c.trouble.answer = func(string, string) (bool, error) { return false, fmt.Errorf("%w: no", nemesis.ErrRefused) }
		c.members.Voters = c.members.Voters[:4]
		if err := Rejoin(t.Context(), c); err == nil || !strings.Contains(err.Error(), "n5 is not a member again: addition: the change of members was refused") {
			t.Errorf("one that is not let in: %v", err)
		}
	})
}
