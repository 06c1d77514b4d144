package etcdtla

import (
	"fmt"
	"slices"

	"squall/history/trace"
)

// unknownLog is what is lacking where it is not known which entries a log holds: what it
// appends, removes and commits cannot be told then.
const unknownLog = trace.LacksStored | 1<<trace.Append | 1<<trace.Truncate | 1<<trace.Commit

// lacking is what these traces never tell: what is durable and what is applied, how reads
// are confirmed, what snapshots are taken; the terms of a message of any other type, such
// as a pre-vote, though a node takes its term over; and a change of the configuration only
// when it is applied.
const lacking = 1<<trace.Persist | 1<<trace.Apply | 1<<trace.State | 1<<trace.ReadCame | 1<<trace.RoundBegun |
	1<<trace.RoundDone | 1<<trace.ReadServed | 1<<trace.Snapshot | 1<<trace.Transfer | 1<<trace.Failed | 1<<trace.Progress | 1<<trace.Timeout |
	trace.LacksNumbers | trace.LacksHash | trace.LacksRounds | trace.LacksTypes | trace.LacksBegunConfigs

// member is a node, by what it told so far.
type member struct {
	r        *Reader
	id       trace.NodeID
	boot     int
	starting bool  // its start is not complete
	first    *line // of this start
	was      *line // the line before
	lacks    trace.Lacks
	silent   bool // what its log holds is not known until its next start

	role    trace.Role
	vote    trace.NodeID // in was.term
	log     termLog
	snap    trace.Mark // the snapshot that it began with, or was sent
	from    *line      // what it has received of a leader, and not answered yet
	follows trace.NodeID
	inTerm  uint64 // in which it follows that node
	asked   map[trace.NodeID]request
	conf    uint64 // the entry of its configuration

	sent, sentBefore map[wireMessage]*sent
}

// request is the last request for a vote of a node.
type request struct {
	term uint64
	mark trace.Mark
}

// sent is what was in a message that the line does not tell.
type sent struct {
	runs  []trace.Run
	known bool       // runs are the entries, or mark the snapshot
	mark  trace.Mark // of a snapshot
}

// mostSent bounds the messages of a node that are remembered: twice as many.
const mostSent = 1 << 16

// Bounds of what untrusted lines may have kept: a leader's entries from one line to the
// next, and all that are ever appended.
const (
	mostAppended = 1 << 16
	mostEntries  = 1 << 26
)

// startNames are the steps of which a start consists.
var startNames = []string{"InitState", "BecomeFollower", "ApplyConfChange"}

// take takes the next line of this node.
func (m *member) take(l *line) {
	if l.name == "InitState" {
		m.completeStart()
		m.boot++
		m.starting, m.first, m.lacks = true, l, lacking
	}
	if m.first == nil {
		m.boot, m.first = 1, l
		m.was = l
		m.emit(l, trace.Event{Kind: trace.Silent, Reason: "its trace does not begin with InitState"})
		m.silent = true
	}
	if m.starting && slices.Contains(startNames, l.name) {
		m.lacks |= l.lacks
		m.was = l
		return
	}
	m.completeStart()
	if l.lacks&^m.lacks != 0 && !m.silent {
		m.silence(l, fmt.Sprintf("a line of it (%s) lacks fields that others have", l.name))
	}
	m.step(l)
	m.was = l
}

// completeStart tells of a start, once all of its steps are there.
func (m *member) completeStart() {
	if !m.starting {
		return
	}
	l := m.was
	m.starting = false
	voters := l.members
	if l.name == "ApplyConfChange" {
		voters = l.newConf
	}
	m.load(l)
	start := trace.Event{Kind: trace.Start, Vote: l.vote, Members: voters, Lacks: m.lacks}
	if !m.lacks.Kind(trace.Append) {
		start.Base, start.Mark = m.log.base, m.snap
		start.Runs, _ = m.log.runs(m.log.base.Index+1, m.log.last())
	}
	m.emit(l, start)
	m.role, m.vote, m.silent, m.from = trace.Follower, l.vote, false, nil
	m.follows, m.inTerm, m.asked = 0, 0, map[trace.NodeID]request{}
	was := *l
	was.commit, was.members = 0, voters
	m.was = &was
	m.commit(l)
	was.commit = l.commit
}

// load finds what the log holds that a start has loaded.
func (m *member) load(l *line) {
	switch {
	case m.lacks&unknownLog != 0:
		m.lacks |= unknownLog
	case m.first.last == 0 && l.last == 0:
		m.log, m.snap = termLog{}, trace.Mark{}
	case m.first.last == 0 && l.term == 1 && l.last <= trace.MaxMembers:
		// A new cluster: its members are the first entries, which are committed at once.
		m.log, m.snap = termLog{}, trace.Mark{Index: l.last, Term: 1}
		m.log.append(l.last, 1)
	case m.boot > 1 && !m.silent && l.last >= m.log.base.Index && l.last <= m.log.last():
		m.log.truncate(l.last)
	default:
		m.lacks |= unknownLog
	}
}

// knows says whether it is known what the log holds.
func (m *member) knows() bool { return !m.silent && m.lacks&unknownLog == 0 }

// silence notes that it is not known any more.
func (m *member) silence(l *line, why string) {
	if m.silent {
		return
	}
	m.silent = true
	m.emit(l, trace.Event{Kind: trace.Silent, Reason: why[:min(len(why), trace.MaxReason)]})
}

// emit hands out an event of this node.
func (m *member) emit(l *line, e trace.Event) {
	e.Node, e.Boot, e.Time = m.id, m.boot, l.time
	if e.Term == 0 && e.Kind != trace.Silent {
		e.Term = l.term
	}
	m.r.out = append(m.r.out, e)
}

// step tells what a line says, after what has changed since the one before.
func (m *member) step(l *line) {
	if l.term != m.was.term {
		m.vote = 0
	}
	switch l.name {
	case "BecomeCandidate":
		m.emit(l, trace.Event{Kind: trace.Grant, Peer: m.id, Mark: m.log.end()})
		m.vote = m.id
		m.becomes(l, trace.Candidate)
	case "BecomeFollower":
		m.becomes(l, trace.Follower)
	case "BecomeLeader":
		m.becomes(l, trace.Leader)
	}
	m.changedLog(l)
	m.changedRole(l)
	m.commit(l)
	m.configure(l)
	if l.msg != nil {
		m.message(l)
	}
}

func (m *member) becomes(l *line, role trace.Role) {
	m.role = role
	m.emit(l, trace.Event{Kind: trace.RoleChange, Role: role, Mark: m.end()})
}

// end is the last entry, where that is known.
func (m *member) end() trace.Mark {
	if !m.knows() {
		return trace.Mark{}
	}
	return m.log.end()
}

// changedRole tells a vote or a role that only the state shows.
func (m *member) changedRole(l *line) {
	if l.vote != 0 && l.vote != m.vote {
		m.grant(l, l.vote)
	}
	switch {
	case l.role == m.role:
	case l.role == trace.Follower: // a candidate that asks for pre-votes again
		m.becomes(l, trace.Follower)
	default:
		m.silence(l, fmt.Sprintf("it is a %v, and no line says that it became one", l.role))
		m.role = l.role
	}
}

func (m *member) grant(l *line, to trace.NodeID) {
	m.vote = to
	m.emit(l, trace.Event{Kind: trace.Grant, Peer: to, Mark: m.asked[to].mark})
}

// changedLog tells what was appended and removed.
func (m *member) changedLog(l *line) {
	if !m.knows() {
		return
	}
	m.takeIncoming(l)
	last := m.log.last()
	switch {
	case !m.knows() || l.last == last:
	case l.last < m.log.base.Index:
		m.silence(l, fmt.Sprintf("its log ends with entry %d, before the snapshot that it had", l.last))
	case l.last < last:
		m.truncate(l, l.last)
	case m.role == trace.Leader && l.role == trace.Leader && l.term == m.was.term && l.last-last <= mostAppended && m.r.entries < mostEntries:
		m.append(l, []trace.Run{{First: last + 1, Count: l.last - last, Term: l.term}})
	default:
		m.silence(l, fmt.Sprintf("its log goes on from entry %d to %d, and no line tells how", last, l.last))
	}
}

func (m *member) append(l *line, runs []trace.Run) {
	m.emit(l, trace.Event{Kind: trace.Append, Runs: runs})
	for _, r := range runs {
		m.log.append(r.Count, r.Term)
		m.r.entries += r.Count
	}
}

func (m *member) truncate(l *line, to uint64) {
	m.emit(l, trace.Event{Kind: trace.Truncate, Mark: m.log.mark(to)})
	m.log.truncate(to)
}

// takeIncoming tells what became of the entries or the snapshot that a leader sent.
func (m *member) takeIncoming(l *line) {
	in := m.from
	if in == nil {
		return
	}
	if in.msg.Type == "MsgSnap" {
		m.takeSnapshot(l, in)
		return
	}
	answer := l.name == "SendAppendEntriesResponse" && l.to == in.from
	if in.msg.Type != "MsgApp" || !answer || l.msg.Reject || l.term != in.msg.Term || l.msg.Index != in.msg.Index+in.msg.Entries {
		return
	}
	said := m.r.find(in)
	if said == nil || !said.known {
		if in.msg.Entries > 0 {
			m.silence(l, fmt.Sprintf("it took entries of %s, whose trace does not tell which", nodeName(in.from)))
		}
		return
	}
	m.takeEntries(l, said.runs)
}

// takeEntries tells that entries were taken, as far as the log holds them now.
func (m *member) takeEntries(l *line, runs []trace.Run) {
	for _, r := range runs {
		for i := r.First; i < r.First+r.Count && i <= l.last; i++ {
			term, ok := m.log.term(i)
			if i < m.log.base.Index || ok && term == r.Term {
				continue
			}
			if ok {
				m.truncate(l, i-1)
			}
			if i != m.log.last()+1 {
				return // a gap: changedLog has its word about it
			}
			m.append(l, []trace.Run{{First: i, Count: min(r.First+r.Count-1, l.last) - i + 1, Term: r.Term}})
			break
		}
	}
}

// takeSnapshot tells that a snapshot has replaced the log.
func (m *member) takeSnapshot(l, in *line) {
	index := in.msg.Entries
	said := m.r.find(in)
	if l.last != index || l.commit < index || said != nil && said.known && m.log.holds(said.mark) {
		return
	}
	if said == nil || !said.known {
		m.silence(l, fmt.Sprintf("it took a snapshot of %s, whose trace does not tell in which term its last entry is", nodeName(in.from)))
		return
	}
	m.log, m.snap = termLog{base: said.mark}, said.mark
	m.emit(l, trace.Event{Kind: trace.Compact, Mark: said.mark})
	m.from = nil
}

// commit tells a change of the commit index.
func (m *member) commit(l *line) {
	if l.commit != m.was.commit && m.knows() {
		m.emit(l, trace.Event{Kind: trace.Commit, Mark: m.log.mark(l.commit)})
	}
}

// configure tells a change of the configuration. Which entry it is of the leader has told
// when it was proposed.
func (m *member) configure(l *line) {
	if l.name == "ChangeConf" {
		m.r.changes = append(m.r.changes, trace.Mark{Index: l.last + 1, Term: l.term})
	}
	if slices.Equal(l.members, m.was.members) && slices.Equal(l.old, m.was.old) {
		return
	}
	var mark trace.Mark
	for _, c := range m.r.changes {
		if c.Index > m.conf && c.Index <= l.commit && m.log.holds(c) && (mark.Index == 0 || c.Index < mark.Index) {
			mark = c
		}
	}
	m.conf = max(m.conf, mark.Index)
	m.emit(l, trace.Event{Kind: trace.Config, Mark: mark, Members: l.members, Old: l.old})
}

func nodeName(id trace.NodeID) string { return fmt.Sprintf("n%d", id) }
