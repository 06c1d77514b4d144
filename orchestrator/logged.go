package orchestrator

import (
	"bytes"
	"slices"

	"squall/history"
	"squall/workloads/systems"
)

// Bounds of what is read in the output of servers, which are not trusted.
const (
	maxLoggedLine   = 4 << 10  // bytes of a line that are looked at; the rest is passed over
	maxLoggedBytes  = 64 << 20 // of a node in a test; about what is kept of its log
	maxLoggedEvents = 10_000   // of a node in a test
)

// lineHeads cuts output into lines, of which it keeps the beginning.
type lineHeads struct {
	part []byte // of a line whose end has not come yet
}

// take calls line with each whole line, until line returns false. It is only valid
// during the call.
func (h *lineHeads) take(data []byte, line func([]byte) bool) {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		piece := data[:max(end, 0)]
		if end < 0 {
			piece = data
		}
		h.part = append(h.part, piece[:min(len(piece), maxLoggedLine-len(h.part))]...)
		if end < 0 {
			return
		}
		data = data[end+1:]
		more := line(h.part)
		h.part = h.part[:0]
		if !more {
			return
		}
	}
}

// logTeller finds in the output of one node's servers what it tells of who leads.
type logTeller struct {
	patterns []systems.LogPattern
	nodes    []string // by number, from 1: nodes[0] is number 1
	full     func()   // is called once, when there was too much to read on; may be nil

	boot   int
	heads  lineHeads
	bytes  int64
	events int
	last   toldRole // what was told last
}

// toldRole is what a server said of its role.
type toldRole struct {
	role, leader string
	term         uint64
}

// take reads a piece of the output, which came at the time now, ns.
func (l *logTeller) take(node string, boot int, data []byte, now int64) (found []history.NodeEvent) {
	if l.over() || boot < 1 {
		return nil
	}
	if boot != l.boot {
		l.boot, l.heads, l.last = boot, lineHeads{}, toldRole{}
	}
	l.bytes += int64(len(data))
	l.heads.take(data, func(line []byte) bool {
		if e, ok := l.event(node, string(line), now); ok {
			found = append(found, e)
			l.events++
		}
		return l.events < maxLoggedEvents
	})
	if l.over() && l.full != nil {
		l.full()
	}
	return found
}

// over reports whether enough was read.
func (l *logTeller) over() bool { return l.bytes > maxLoggedBytes || l.events >= maxLoggedEvents }

// event is what a line tells that the one before did not.
func (l *logTeller) event(node, line string, now int64) (history.NodeEvent, bool) {
	told, ok := systems.ReadLogLine(l.patterns, line)
	if !ok {
		return history.NodeEvent{}, false
	}
	e := history.NodeEvent{Node: node, Boot: l.boot, Kind: history.EventLogged, Time: now, Term: told.Term, Role: told.Role}
	about := told.Node
	switch {
	case told.ID > len(l.nodes):
		return e, false // of nobody
	case told.ID > 0:
		about = l.nodes[told.ID-1]
	case about != "" && !slices.Contains(l.nodes, about):
		return e, false
	}
	if about != "" && about != node { // then it follows
		e.Role, e.Leader = history.RoleFollower, about
	}
	said := toldRole{e.Role, e.Leader, e.Term}
	if said == l.last {
		return e, false
	}
	l.last = said
	return e, true
}
