package service

import (
	"fmt"

	"squall/history"
	"squall/history/check"
)

// converged is what became of the nodes' agreement after the faults were healed: that all
// follow one leader in one term and have committed what was committed then.
type converged struct {
	told   bool   // the history can tell
	at     int64  // when all had; 0: they never did
	index  uint64 // what was committed when the faults were healed
	leader string
	term   uint64
	// late are the nodes that had not when the bound was over, and how they stood; open
	// those of which it is not known.
	late, open map[string]string
}

// convergence finds when the nodes agreed again, by their traces; by their own copies of
// the state where there is no trace.
func convergence(in *check.Input, f *finals, b *check.Budget) (c converged, stop string) {
	if !history.Traced(in.Nodes) {
		return f.copies(in), ""
	}
	now := history.NewConvergence(in.Header.Nodes)
	i := 0
	for ; i < len(in.Nodes) && in.Nodes[i].Time <= f.healed; i++ {
		now.Take(&in.Nodes[i])
	}
	c = converged{told: true, index: now.Committed()}
	for behind := now.Behind(c.index); ; i++ {
		if stop = b.Spent(); stop != "" {
			return c, stop
		}
		if len(behind) == 0 {
			c.at = f.healed
			if i > 0 {
				c.at = max(c.at, in.Nodes[i-1].Time)
			}
			c.leader, c.term = now.Leading()
			return c, ""
		}
		if i == len(in.Nodes) || in.Nodes[i].Time > f.end() {
			return c.missed(in, f, now, behind, b)
		}
		if now.Take(&in.Nodes[i]) {
			behind = now.Behind(c.index)
		}
	}
}

// missed tells of nodes that had not converged when the bound was over. A history that
// ends before tells nothing, unless squall waited for them: then the scan came next.
func (c converged) missed(in *check.Input, f *finals, now *history.Convergence, behind []history.Standing, b *check.Budget) (converged, string) {
	scan, scanned := in.MarkOf(history.MarkScan)
	if !scanned || scan.Time < f.healed+int64(f.bound) {
		return converged{}, ""
	}
	silent, stop := in.Silences(b)
	if stop != "" {
		return c, stop
	}
	quiet := map[string]string{}
	for _, s := range silent {
		quiet[s.Node] = s.Text
	}
	c.late, c.open = map[string]string{}, map[string]string{}
	leader, term := now.Leading()
	for _, s := range behind {
		switch text := quiet[s.Node]; {
		case text != "":
			c.open[s.Node] = text
		case !s.Running:
			c.open[s.Node] = "its server had ended"
		case !s.Traced:
			c.open[s.Node] = "its trace tells nothing since its server was started"
		default:
			c.late[s.Node] = stood(s, c.index, leader, term)
		}
	}
	return c, ""
}

// stood says how a node stood that had not converged.
func stood(s history.Standing, index uint64, leader string, term uint64) string {
	text := ""
	switch {
	case leader == "":
		text = "no node led"
	case s.Leader == "":
		text = fmt.Sprintf("it followed nobody in term %d, while %s led term %d", s.Term, history.Show(leader), term)
	case s.Leader != leader || s.Term != term:
		text = fmt.Sprintf("it followed %s in term %d, while %s led term %d", history.Show(s.Leader), s.Term, history.Show(leader), term)
	}
	if s.Committed >= index {
		return text
	}
	if text != "" {
		text += ", and "
	}
	return text + fmt.Sprintf("it had committed up to %d of the %d entries that were committed when the faults were healed", s.Committed, index)
}

// copies goes by what nodes told of their copies, at the end: those that had not come as
// far as the others by the time that they were given.
func (f *finals) copies(in *check.Input) (c converged) {
	m, ok := in.MarkOf(history.MarkReplicas)
	if !ok || m.Replicas == nil || m.Replicas.Wanted == 0 || m.Time < f.healed+int64(f.bound) {
		return c
	}
	c.late = map[string]string{}
	for _, r := range m.Replicas.Of {
		if r.Err == "" && r.Position < m.Replicas.Wanted {
			c.late[r.Node] = fmt.Sprintf("its copy of the state had only come to position %d of %d", r.Position, m.Replicas.Wanted)
		}
	}
	return c
}

// wrong says what is wrong with a node, and whether that breaks the guarantee; "" for
// nothing.
func (c *converged) wrong(node string) (what string, broken bool) {
	if what = c.late[node]; what != "" {
		return what, true
	}
	return c.open[node], false
}

// fine tells of a cluster that agrees again.
func (c *converged) fine(f *finals) string {
	if c.at == 0 {
		return ""
	}
	return fmt.Sprintf("; %s after the heal all followed %s in term %d and had committed entry %d", check.Took(c.at-f.healed), history.Show(c.leader), c.term, c.index)
}
