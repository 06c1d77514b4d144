package systems

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"squall/history"
)

// LogReader is a System without a trace whose servers' output tells who leads. What is
// read there is recorded as read from logs: it is shown, and it chooses the targets of
// faults as what clients are told does. It is never taken for a trace: no election is
// timed by it, and no guarantee of Raft is judged by it.
type LogReader interface {
	// LogPatterns are what to look for in each line. The first that matches counts.
	LogPatterns() []LogPattern
}

// ReadsLogs reports whether a system's servers tell in their output who leads.
func ReadsLogs(s System) bool { return logShows(s, history.RoleLeader) }

// LogsShowCandidates reports whether they tell there who stands for election.
func LogsShowCandidates(s System) bool { return logShows(s, history.RoleCandidate) }

func logShows(s System, role string) bool {
	r, ok := As[LogReader](s)
	return ok && slices.ContainsFunc(r.LogPatterns(), func(p LogPattern) bool { return p.role == role })
}

// LogPattern is what a line of a server's output shows when an expression matches it. It
// is made by NewLogPattern.
type LogPattern struct {
	role   string
	expr   *regexp.Regexp
	needs  string // each match contains this; "" when nothing is sure
	groups [3]int // of term, node and id; -1: it has none
}

// The groups that an expression may name.
const (
	groupTerm = iota
	groupNode
	groupID
)

func groupNames() []string { return []string{"term", "node", "id"} }

// maxLogExpr bounds an expression, in bytes.
const maxLogExpr = 1000

// NewLogPattern is a pattern of lines with which a server tells that it became a leader,
// a candidate or a follower (history.RoleLeader and so on). expr is a regular expression
// of Go, which takes time linear in the line. It may have named groups: term is the term,
// a number; node, only of a leader, the name of the node that leads, or id its number, from
// 1 on in the order of the nodes, where a server also tells of others that lead. Without
// these the line is about the server that wrote it.
func NewLogPattern(role, expr string) (LogPattern, error) {
	p := LogPattern{role: role, groups: [3]int{-1, -1, -1}}
	if roles := []string{history.RoleLeader, history.RoleCandidate, history.RoleFollower}; !slices.Contains(roles, role) {
		return p, fmt.Errorf("a pattern of logs is for %s, not for %q", strings.Join(roles, ", "), role)
	}
	if len(expr) > maxLogExpr {
		return p, fmt.Errorf("the expression has %d bytes; at most %d are allowed", len(expr), maxLogExpr)
	}
	var err error
	if p.expr, err = regexp.Compile(expr); err != nil {
		return p, err
	}
	if p.expr.MatchString("") {
		return p, fmt.Errorf("the expression %q matches an empty line, so it says nothing", expr)
	}
	for i, name := range p.expr.SubexpNames() {
		group := slices.Index(groupNames(), name)
		switch {
		case name == "":
			continue
		case group < 0:
			return p, fmt.Errorf("the expression %q has a group %q; groups are %s", expr, name, strings.Join(groupNames(), ", "))
		case p.groups[group] >= 0:
			return p, fmt.Errorf("the expression %q has two groups %q", expr, name)
		}
		p.groups[group] = i
	}
	if about := p.groups[groupNode] >= 0 || p.groups[groupID] >= 0; about && role != history.RoleLeader {
		return p, errors.New("only of a leader a line may tell about another node: leave out the groups node and id")
	}
	if tree, err := syntax.Parse(expr, syntax.Perl); err == nil {
		p.needs = surely(tree)
	}
	return p, nil
}

// MustLogPattern is NewLogPattern for patterns that stand in a system's source: it panics
// when there is something wrong with one.
func MustLogPattern(role, expr string) LogPattern {
	p, err := NewLogPattern(role, expr)
	if err != nil {
		panic(err)
	}
	return p
}

// surely is the longest text that each match of an expression contains.
func surely(tree *syntax.Regexp) string {
	switch tree.Op {
	case syntax.OpLiteral:
		if tree.Flags&syntax.FoldCase == 0 {
			return string(tree.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return surely(tree.Sub[0])
	case syntax.OpConcat:
		best := ""
		for _, sub := range tree.Sub {
			if text := surely(sub); len(text) > len(best) {
				best = text
			}
		}
		return best
	}
	return ""
}

// LogLine is what a line shows.
type LogLine struct {
	Role string // that a node has now
	Term uint64 // 0: not told
	// Node or ID are whose role it is, by its name or its number; "" and 0: that of
	// the server that wrote the line.
	Node string
	ID   int
}

// maxLogTerm is the highest term that a page's script can hold exactly.
const maxLogTerm = 1 << 53

// ReadLogLine is what a line shows by the first of some patterns that matches it.
func ReadLogLine(patterns []LogPattern, line string) (l LogLine, ok bool) {
	for i := range patterns {
		p := &patterns[i]
		if !strings.Contains(line, p.needs) {
			continue
		}
		found := p.expr.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		group := func(which int) string {
			if p.groups[which] < 0 {
				return ""
			}
			return found[p.groups[which]]
		}
		l = LogLine{Role: p.role, Node: group(groupNode)}
		if term, err := strconv.ParseUint(group(groupTerm), 10, 64); err == nil && term <= maxLogTerm {
			l.Term = term
		}
		if id := group(groupID); id != "" {
			n, err := strconv.Atoi(id)
			if err != nil || n < 1 {
				return LogLine{}, false // of nobody
			}
			l.ID = n
		}
		return l, true
	}
	return LogLine{}, false
}
