package program

import (
	"net/netip"
	"slices"
	"testing"

	"squall/workloads/systems"
)

// TestMembers: the members are told and changed as the node answers.
func TestMembers(t *testing.T) {
	p, _ := pool(t, "learner", false)
	c := dial(t, p).(systems.MemberChanger)
	ctx, n4 := t.Context(), systems.Node{Name: "n4", Addr: netip.MustParseAddr("10.0.0.4")}
	if m, err := c.Members(ctx); err != nil || !slices.Equal(m.Voters, []string{"n1", "n2"}) || !slices.Equal(m.Learners, []string{"n3"}) {
		t.Errorf("%+v, %v", m, err)
	}
	if err := c.Add(ctx, n4, true); err != nil {
		t.Error(err)
	}
	checkError(t, "another node", c.Add(ctx, node1, true), true, false, "not n4 as a learner")
	checkError(t, "no learner", c.Add(ctx, n4, false), true, false, "not n4 as a learner")
	if err := c.Promote(ctx, n4); err != nil {
		t.Error(err)
	}
	checkError(t, "refused", c.Remove(ctx, n4), true, false, "unhealthy cluster")
	checkError(t, "unknown", c.Transfer(ctx, n4), false, false, "who knows")
	if err := p.Err(); err != nil {
		t.Error(err)
	}
}

// TestReplicas: a node tells how far its copy is, and what it comes to.
func TestReplicas(t *testing.T) {
	p, _ := pool(t, "replica", false)
	c := dial(t, p).(systems.ReplicaTeller)
	if at, err := c.Position(t.Context()); at != 41 || err != nil {
		t.Errorf("%d, %v", at, err)
	}
	if d, err := c.Digest(t.Context(), 40); err != nil || d != (systems.Digest{Sum: "aa", Basis: "from 3"}) {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestOddAnswers: an answer that is not what was asked for is an error, and nothing worse.
func TestOddAnswers(t *testing.T) {
	for _, how := range []string{"odd", "odder"} {
		p, log := pool(t, how, false)
		c := dial(t, p)
		_, err := c.(systems.MemberChanger).Members(t.Context())
		checkError(t, "members", err, true, false, `the client program answered "members" with`)
		_, err = c.(systems.ReplicaTeller).Position(t.Context())
		checkError(t, "position", err, true, false, "a whole number")
		_, err = c.(systems.ReplicaTeller).Digest(t.Context(), 7)
		checkError(t, "digest", err, true, false, `{"at":7,"digest":"…"}`)
		if p.Err() != nil || log.String() != "" {
			t.Errorf("%v; the log says %q", p.Err(), log)
		}
	}
}
