package measure

import (
	"fmt"

	"squall/history"
)

// Logged is what servers without a trace told in their logs of who leads
// (history.EventLogged). Its times are those at which squall had the lines, and a server
// may write what it likes, so nothing is derived from it.
type Logged struct {
	Leaders    int `json:"leaders"`    // how often another node, or another term, was said to lead
	Candidates int `json:"candidates"` // how often a node said that it stood for election
	// Leaderships are the first MostLosses of them. The end of one is when its node said
	// otherwise, ended, or another was said to lead, in no earlier term.
	Leaderships []Leadership `json:"reigns"`
}

// Text says what was told: "from logs: 3 leaders, 5 candidacies".
func (l *Logged) Text() string {
	count := func(n int, one, many string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	}
	return "from logs: " + count(l.Leaders, "leader", "leaders") + ", " + count(l.Candidates, "candidacy", "candidacies")
}

// logged follows what logs tell; nil when they told nothing.
func logged(in *history.History) *Logged {
	out := &Logged{Leaderships: []Leadership{}}
	var now *Leadership
	var term uint64
	end := func(at int64) {
		if now != nil {
			now.End = max(at-in.Mono, now.Begin+1) // 0 is one that goes on
			now = nil
		}
	}
	any := false
	for i := range in.Nodes {
		e := &in.Nodes[i]
		leads := e.Leader
		if e.Role == history.RoleLeader {
			leads = e.Node
		}
		switch {
		case e.Kind == history.EventExit && now != nil && now.Node == e.Node:
			end(e.Time)
		case e.Kind != history.EventLogged:
			continue
		case leads != "" && e.Term != 0 && e.Term < term:
		case leads != "" && now != nil && now.Node == leads && (e.Term == 0 || e.Term == now.Term):
		case leads != "":
			end(e.Time)
			term = max(term, e.Term)
			out.Leaders++
			if len(out.Leaderships) < MostLosses {
				out.Leaderships = append(out.Leaderships, Leadership{Node: leads, Term: e.Term, Begin: e.Time - in.Mono})
				now = &out.Leaderships[len(out.Leaderships)-1]
			}
		case now != nil && now.Node == e.Node:
			end(e.Time)
		}
		if e.Kind == history.EventLogged {
			any = true
			if e.Role == history.RoleCandidate {
				out.Candidates++
			}
		}
	}
	if !any {
		return nil
	}
	return out
}
