package etcd

import (
	"strings"
	"testing"

	"squall/history"
	"squall/workloads/systems"
)

// logged is what versions of etcd wrote, with what it tells; "" for nothing.
const logged = `leader 2|{"level":"info","ts":"2026-11-28T15:26:00.400764Z","logger":"raft","caller":"v3@v3.7.0/raft.go:970","msg":"58e9079052c57e8e became leader at term 2"}
candidate 2|{"level":"info","ts":"2026-11-28T15:26:00.350117Z","logger":"raft","caller":"v3@v3.7.0/raft.go:912","msg":"58e9079052c57e8e became candidate at term 2"}
follower 1|{"level":"info","ts":"2026-11-28T15:25:59.846855Z","logger":"raft","caller":"v3@v3.7.0/raft.go:897","msg":"58e9079052c57e8e became follower at term 1"}
|{"level":"info","ts":"2026-11-28T15:26:00.347397Z","logger":"raft","caller":"v3@v3.7.0/raft.go:930","msg":"58e9079052c57e8e became pre-candidate at term 1"}
|{"level":"info","ts":"2026-11-28T15:26:12.547698Z","logger":"raft","caller":"v3@v3.7.0/node.go:376","msg":"raft.node: 58e9079052c57e8e lost leader 58e9079052c57e8e at term 2"}
|{"level":"warn","msg":"apply request took too long","request":"put:<key:\"\\\"msg\\\":\\\"58e9 became leader at term 9\\\"\" >"}
|`

func TestLogPatterns(t *testing.T) {
	for line := range strings.Lines(logged) {
		want, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "|")
		found, ok := systems.ReadLogLine(System{}.LogPatterns(), text)
		got := ""
		if ok {
			got = found.Role + " " + string(rune('0'+found.Term))
		}
		if got != want || found.Node != "" || found.ID != 0 {
			t.Errorf("%s\ntells %q, want %q", text, got, want)
		}
	}
	if !systems.ReadsLogs(System{}) || !systems.LogsShowCandidates(System{}) {
		t.Error("nobody can see who leads, or who stands for election")
	}
	if history.RoleLeader != "leader" || history.RoleCandidate != "candidate" || history.RoleFollower != "follower" {
		t.Error("roles are no longer called as etcd calls them")
	}
}
