package orchestrator

import (
	"context"
	"testing"
	"time"

	"squall/history"
	"squall/nemesis"
)

func role(node, role string, term uint64) history.NodeEvent {
	return history.NodeEvent{Node: node, Kind: history.EventRole, Role: role, Term: term}
}

func TestLeaderView(t *testing.T) {
	v := newLeaderView()
	for _, step := range []struct {
		event   history.NodeEvent
		leader  string
		elected bool
	}{
		{role("n1", history.RoleCandidate, 1), "", false},
		{role("n1", history.RoleLeader, 1), "n1", true},
		{role("n1", history.RoleLeader, 1), "n1", false}, // said twice
		{role("n2", history.RoleFollower, 1), "n1", false},
		{role("n2", history.RoleLeader, 2), "n2", true},
		{role("n1", history.RoleFollower, 2), "n2", false}, // the old leader steps down late
		{role("n1", history.RoleLeader, 1), "n2", false},   // or wakes up and still believes
		{history.NodeEvent{Node: "n2", Kind: history.EventExit}, "", false},
		{role("n3", history.RoleLeader, 3), "n3", true},
		{role("n3", history.RoleFollower, 4), "", false},
	} {
		if elected := v.see(step.event); elected != step.elected || v.leader() != step.leader {
			t.Fatalf("after %+v: leader %q, elected %t; want %q, %t", step.event, v.leader(), elected, step.leader, step.elected)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := v.wait(ctx); err == nil {
		t.Error("wait returned without a leader")
	}
	go v.see(role("n5", history.RoleLeader, 9))
	if err := v.wait(t.Context()); err != nil || v.leader() != "n5" {
		t.Errorf("wait: %v, leader %q", err, v.leader())
	}
}

// TestObservedLeaders: whom clients were told to lead plays the roles that faults ask
// for, until it ends or another is named.
func TestObservedLeaders(t *testing.T) {
	v := newLeaderView()
	for _, step := range []struct {
		named string
		event history.NodeEvent
		want  nemesis.Roles
	}{
		{named: "n2", want: nemesis.Roles{Leader: "n2"}},
		{named: "n3", want: nemesis.Roles{Leader: "n3", OldLeader: "n2"}},
		{named: "n3", want: nemesis.Roles{Leader: "n3", OldLeader: "n2"}},
		{named: "", want: nemesis.Roles{OldLeader: "n3"}},
		{named: "n1", want: nemesis.Roles{Leader: "n1", OldLeader: "n3"}},
		{event: history.NodeEvent{Node: "n1", Kind: history.EventExit}, named: "-", want: nemesis.Roles{OldLeader: "n1"}},
	} {
		if step.named == "-" {
			v.see(step.event)
		} else {
			v.observe(step.named)
		}
		if got := v.roles(); got != step.want {
			t.Fatalf("after %+v: %+v, want %+v", step, got, step.want)
		}
	}
}
