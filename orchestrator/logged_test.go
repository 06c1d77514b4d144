package orchestrator

import (
	"fmt"
	"strings"
	"testing"

	"squall/history"
	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
	"squall/workloads/systems"
)

// etcdLines is what etcd 3.7.3 wrote while it was elected, and then followed.
const etcdLines = `{"level":"info","ts":"2026-11-28T15:25:59.846855Z","logger":"raft","caller":"v3@v3.7.0/raft.go:897","msg":"58e9079052c57e8e became follower at term 1"}
{"level":"info","ts":"2026-11-28T15:26:00.347397Z","logger":"raft","caller":"v3@v3.7.0/raft.go:930","msg":"58e9079052c57e8e became pre-candidate at term 1"}
{"level":"info","ts":"2026-11-28T15:26:00.350117Z","logger":"raft","caller":"v3@v3.7.0/raft.go:912","msg":"58e9079052c57e8e became candidate at term 2"}
{"level":"info","ts":"2026-11-28T15:26:00.400764Z","logger":"raft","caller":"v3@v3.7.0/raft.go:970","msg":"58e9079052c57e8e became leader at term 2"}
{"level":"info","ts":"2026-11-28T15:26:00.400803Z","logger":"raft","caller":"v3@v3.7.0/node.go:370","msg":"raft.node: 58e9079052c57e8e elected leader 58e9079052c57e8e at term 2"}
{"level":"info","ts":"2026-11-28T15:26:12.547681Z","logger":"raft","caller":"v3@v3.7.0/raft.go:897","msg":"58e9079052c57e8e became follower at term 2"}
`

func logPatterns(t testing.TB) []systems.LogPattern {
	t.Helper()
	var patterns []systems.LogPattern
	for _, p := range [][2]string{
		{history.RoleLeader, `"msg":"[0-9a-f]+ became leader at term (?P<term>\d+)"`},
		{history.RoleCandidate, `"msg":"[0-9a-f]+ became candidate at term (?P<term>\d+)"`},
		{history.RoleFollower, `"msg":"[0-9a-f]+ became follower at term (?P<term>\d+)"`},
		{history.RoleLeader, `^leads: (?P<node>\S+)`},
		{history.RoleLeader, `^number (?P<id>\d+) leads in (?P<term>\d+)`},
	} {
		made, err := systems.NewLogPattern(p[0], p[1])
		if err != nil {
			t.Fatal(err)
		}
		patterns = append(patterns, made)
	}
	return patterns
}

// loggingNode is n1 of n1 to n3, whose log is read.
func loggingNode(t testing.TB, s nodeSink, now *int64) *node {
	n := tracedNode(s, now)
	n.untraced = true
	n.told = &logTeller{patterns: logPatterns(t), nodes: []string{"n1", "n2", "n3"}}
	return n
}

// said writes events as one reads them: "follower 1".
func said(events []history.NodeEvent) string {
	var all []string
	for _, e := range events {
		text := fmt.Sprintf("%s %d", e.Role, e.Term)
		if e.Leader != "" {
			text += " of " + e.Leader
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// TestLogsTellOfLeaders, in whatever pieces they come, at the time at which they come.
func TestLogsTellOfLeaders(t *testing.T) {
	for _, size := range []int{1, 7, 100, len(etcdLines)} {
		s, now := &sink{}, int64(1000)
		n := loggingNode(t, s, &now)
		for rest := etcdLines; rest != ""; {
			piece := rest[:min(size, len(rest))]
			rest = rest[len(piece):]
			n.Stream(protocol.StreamLog, 1, []byte(piece))
			now++
		}
		if got := said(s.events); got != "follower 1, candidate 2, leader 2, follower 2" {
			t.Errorf("in pieces of %d: %s", size, got)
		}
		for i, e := range s.events {
			if e.Node != "n1" || e.Boot != 1 || e.Kind != history.EventLogged || e.OfTrace() || e.Leads() || e.Time < 1000 || i > 0 && e.Time < s.events[i-1].Time {
				t.Errorf("%+v", e)
			}
		}
		if err := refused(t, s.events); err != nil {
			t.Error(err)
		}
	}
}

// TestLogsTellOfOthers: by name or by number, if there is such a node, and nothing twice.
func TestLogsTellOfOthers(t *testing.T) {
	s, now := &sink{}, int64(1000)
	n := loggingNode(t, s, &now)
	for _, line := range []string{"leads: n2", "leads: n2", "leads: n1", "leads: n9", "leads: ../../x", "number 3 leads in 7", "number 4 leads in 7", "number 0 leads in 7", "leads nobody"} {
		n.Stream(protocol.StreamLog, 2, []byte(line+"\n"))
	}
	if got := said(s.events); got != "follower 0 of n2, leader 0, follower 7 of n3" {
		t.Error(got)
	}
	n.Stream(protocol.StreamLog, 3, []byte("number 3 leads in 7\n")) // of another start, it is news
	if got := said(s.events[3:]); got != "follower 7 of n3" || s.events[3].Boot != 3 {
		t.Errorf("%+v", s.events)
	}
	if err := refused(t, s.events); err != nil {
		t.Error(err)
	}
}

// TestLogsAreNotTrusted: what a server writes costs no more than it may, and makes no
// event that the history would refuse.
func TestLogsAreNotTrusted(t *testing.T) {
	s, now := &sink{}, int64(1000)
	n := loggingNode(t, s, &now)
	full := 0
	n.told.full = func() { full++ }
	long := strings.Repeat("x", maxLoggedLine)
	n.Stream(protocol.StreamLog, 1, []byte(long+"leads: n2\n"+long))
	n.Stream(protocol.StreamLog, 1, []byte(long+"\nleads: n3\n"))
	if got := said(s.events); got != "follower 0 of n3" || cap(n.told.heads.part) > 4*maxLoggedLine {
		t.Errorf("%s, with room for %d bytes", got, cap(n.told.heads.part))
	}
	n.Stream(protocol.StreamLog, 1, []byte("leads: n\x1b[2J\nleads: \xff\xfe\n\x00\n"))
	for i := range 2 * maxLoggedEvents {
		n.Stream(protocol.StreamLog, 1, fmt.Appendf(nil, "number 2 leads in %d\n", i))
	}
	if len(s.events) != maxLoggedEvents || full != 1 {
		t.Errorf("%d events; said %d times that it is enough", len(s.events), full)
	}
	if err := refused(t, s.events); err != nil {
		t.Error(err)
	}

	s = &sink{}
	n = loggingNode(t, s, &now)
	n.told.full = func() { full++ }
	megabyte := []byte(strings.Repeat("leads: n2\n\n", (1<<20)/11))
	for range 80 {
		n.Stream(protocol.StreamLog, 1, megabyte)
	}
	n.Stream(protocol.StreamLog, 1, []byte("leads: n3\n"))
	if got := said(s.events); got != "follower 0 of n2" || full != 2 {
		t.Errorf("beyond what is read: %s, %d", got, full)
	}
}

// TestLoggedLeaders play the roles that faults ask for, as those do whom clients name: who
// was told last, but for a leader of an earlier term.
func TestLoggedLeaders(t *testing.T) {
	v := newLeaderView()
	logged := func(node, role string, term uint64, leader string) history.NodeEvent {
		return history.NodeEvent{Node: node, Boot: 1, Kind: history.EventLogged, Role: role, Term: term, Leader: leader}
	}
	for i, step := range []struct {
		event history.NodeEvent
		want  nemesis.Roles
	}{
		{logged("n1", history.RoleCandidate, 2, ""), nemesis.Roles{Candidate: "n1"}},
		{logged("n1", history.RoleLeader, 2, ""), nemesis.Roles{Leader: "n1", Candidate: "n1"}},
		{logged("n2", history.RoleFollower, 2, ""), nemesis.Roles{Leader: "n1", Candidate: "n1"}},
		{logged("n3", history.RoleCandidate, 3, ""), nemesis.Roles{Leader: "n1", Candidate: "n3"}},
		{logged("n3", history.RoleLeader, 3, ""), nemesis.Roles{Leader: "n3", OldLeader: "n1", Candidate: "n3"}},
		{logged("n1", history.RoleLeader, 2, ""), nemesis.Roles{Leader: "n3", OldLeader: "n1", Candidate: "n3"}},
		{logged("n3", history.RoleFollower, 4, ""), nemesis.Roles{OldLeader: "n3", Candidate: "n3"}},
		{logged("n1", history.RoleFollower, 4, "n2"), nemesis.Roles{Leader: "n2", OldLeader: "n3", Candidate: "n3"}},
		{history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventRole, Role: history.RoleLeader}, nemesis.Roles{Leader: "n2", OldLeader: "n3", Candidate: "n3"}},
	} {
		v.hear(step.event)
		if got := v.roles(); got != step.want {
			t.Fatalf("step %d: %+v, want %+v", i, got, step.want)
		}
	}
	v.observe("n1")
	if v.leader() != "n1" {
		t.Errorf("what clients were told last does not count: %q", v.leader())
	}
}
