package systems

import (
	"strings"
	"testing"

	"squall/history"
)

func mustPattern(t testing.TB, role, expr string) LogPattern {
	t.Helper()
	p, err := NewLogPattern(role, expr)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestReadLogLine on lines as servers of several kinds write them.
func TestReadLogLine(t *testing.T) {
	etcd := []LogPattern{
		mustPattern(t, history.RoleLeader, `"msg":"(raft\S+ INFO: )?[0-9a-f]+ became leader at term (?P<term>\d+)"`),
		mustPattern(t, history.RoleCandidate, `"msg":"(raft\S+ INFO: )?[0-9a-f]+ became candidate at term (?P<term>\d+)"`),
		mustPattern(t, history.RoleFollower, `"msg":"(raft\S+ INFO: )?[0-9a-f]+ became follower at term (?P<term>\d+)"`),
	}
	plain := []LogPattern{mustPattern(t, history.RoleLeader, `INFO: (?P<id>\d+) became leader at term (?P<term>\d+)`)}
	named := []LogPattern{mustPattern(t, history.RoleLeader, `metadata leader: (?P<node>\S+)`)}
	for line, tt := range map[string]struct {
		patterns []LogPattern
		want     LogLine
	}{
		`{"level":"info","ts":"2026-11-28T15:01:27.1Z","logger":"raft","caller":"etcdserver/zap_raft.go:77","msg":"8e9e05c52164694d became leader at term 3"}`:    {etcd, LogLine{Role: history.RoleLeader, Term: 3}},
		`{"level":"info","ts":"2026-11-28T15:01:27.1Z","logger":"raft","caller":"etcdserver/zap_raft.go:77","msg":"8e9e05c52164694d became candidate at term 2"}`: {etcd, LogLine{Role: history.RoleCandidate, Term: 2}},
		`{"level":"info","caller":"x","msg":"raft2021/06/28 INFO: 8e9e05c52164694d became follower at term 2"}`:                                                   {etcd, LogLine{}},
		`{"level":"info","msg":"raft2021/06/28-INFO: 8e9e became leader at term 2"}`:                                                                              {etcd, LogLine{}},
		`{"level":"info","logger":"raft","msg":"8e9e05c52164694d became pre-candidate at term 2"}`:                                                                {etcd, LogLine{}},
		// What a client wrote and a server quotes is no news.
		`{"level":"warn","msg":"apply request took too long","request":"put \"msg\":\"8e9e became leader at term 9\""}`: {etcd, LogLine{}},
		"raft2026/11/28 15:01:27 INFO: 2 became leader at term 7":                                                       {plain, LogLine{Role: history.RoleLeader, Term: 7, ID: 2}},
		"INFO: 0 became leader at term 7":                                                                               {plain, LogLine{}},
		"INFO: 99999999999999999999 became leader at term 7":                                                            {plain, LogLine{}},
		"INFO: 1 became leader at term 99999999999999999999":                                                            {plain, LogLine{Role: history.RoleLeader, ID: 1}},
		"[INF] JetStream cluster new metadata leader: n3":                                                               {named, LogLine{Role: history.RoleLeader, Node: "n3"}},
		"": {etcd, LogLine{}},
	} {
		want := tt.want
		if strings.Contains(line, "raft2021/06/28 INFO: 8e9e05") {
			want = LogLine{Role: history.RoleFollower, Term: 2}
		}
		if got, ok := ReadLogLine(tt.patterns, line); got != want || ok != (want != LogLine{}) {
			t.Errorf("%s\nshows %+v, %t, want %+v", line, got, ok, want)
		}
	}
}

func TestNewLogPatternRefuses(t *testing.T) {
	for _, tt := range []struct{ role, expr, want string }{
		{"king", "x", `not for "king"`},
		{history.RoleLeader, "(", "missing closing"},
		{history.RoleLeader, "x*", "matches an empty line"},
		{history.RoleLeader, "(?P<era>x)", `a group "era"; groups are term, node, id`},
		{history.RoleLeader, "(?P<term>x)|(?P<term>y)", "two groups"},
		{history.RoleFollower, "(?P<node>x)", "only of a leader"},
		{history.RoleCandidate, "(?P<id>x)", "only of a leader"},
		{history.RoleLeader, strings.Repeat("x", maxLogExpr+1), "1001 bytes"},
	} {
		if _, err := NewLogPattern(tt.role, tt.expr); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s for %s: %v, want %s", tt.expr, tt.role, err, tt.want)
		}
	}
}

// TestPatternsKnowWhatTheyNeed, so that most lines are passed over by a search for a text.
func TestPatternsKnowWhatTheyNeed(t *testing.T) {
	for expr, want := range map[string]string{
		`"msg":"[0-9a-f]+ became leader at term (?P<term>\d+)"`: " became leader at term ",
		`(became leader)+ now`: "became leader",
		`(?i)became leader`:    "",
		`leader|candidate`:     "",
		`(leader)?x`:           "x",
		`a[0-9]*`:              "a",
	} {
		if p := mustPattern(t, history.RoleLeader, expr); p.needs != want {
			t.Errorf("%s needs %q, want %q", expr, p.needs, want)
		}
	}
}

// logs is a system of which a part reads logs.
type logs struct {
	System
	patterns []LogPattern
}

func (l logs) Parts() []any { return []any{part(l.patterns)} }

type part []LogPattern

func (p part) LogPatterns() []LogPattern { return p }

func TestReadsLogs(t *testing.T) {
	leader, candidate := mustPattern(t, history.RoleLeader, "x"), mustPattern(t, history.RoleCandidate, "y")
	for _, tt := range []struct {
		patterns          []LogPattern
		leads, candidates bool
	}{{nil, false, false}, {[]LogPattern{leader}, true, false}, {[]LogPattern{candidate}, false, true}, {[]LogPattern{leader, candidate}, true, true}} {
		s := logs{patterns: tt.patterns}
		if ReadsLogs(s) != tt.leads || LogsShowCandidates(s) != tt.candidates {
			t.Errorf("%d patterns: %t, %t", len(tt.patterns), ReadsLogs(s), LogsShowCandidates(s))
		}
	}
}
