package etcd

import (
	"squall/history"
	"squall/workloads/systems"
)

var _ systems.LogReader = System{}

// LogPatterns are the lines with which etcd's Raft tells of its own role, since 3.5 as
// JSON. The message is the whole of a field: what clients wrote is quoted in others.
func (System) LogPatterns() []systems.LogPattern {
	var patterns []systems.LogPattern
	for _, role := range []string{history.RoleLeader, history.RoleCandidate, history.RoleFollower} {
		p, err := systems.NewLogPattern(role, `"msg":"[0-9a-f]+ became `+role+` at term (?P<term>\d+)"`)
		if err != nil {
			panic(err) // the expressions are constant, and tests try them
		}
		patterns = append(patterns, p)
	}
	return patterns
}
