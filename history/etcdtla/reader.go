package etcdtla

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"squall/history/trace"
)

// Bounds of what is read.
const (
	// MaxLine bounds a line, bytes.
	MaxLine = 1 << 20
	// patience is how much later by the lines' times that a message was sent may be read
	// than that it was received, ns: far more than clocks of one test differ.
	patience = 2e9
	// mostHeld bounds the lines that wait for that.
	mostHeld = 1 << 17
	// apart are two lines that tell no time, ns.
	apart = 1000
	// mostMembers bounds the nodes that are followed: one more than the rules follow.
	mostMembers = 129
)

// File is a trace of one node, or of several together.
type File struct {
	Name string
	From io.Reader
}

// Reader reads the traces of a cluster as one. Lines of different nodes may be out of
// order: that a message was received waits until it was sent.
type Reader struct {
	sources []*source
	members map[trace.NodeID]*member
	changes []trace.Mark // entries that change the configuration
	waiting map[trace.NodeID][]*line
	held    int
	order   []trace.NodeID // of waiting, who waits longest first
	now     int64
	out     []trace.Event
	next    int
	damaged []string
	lines   int64
	entries uint64 // that were appended, by all
	foreign int64
	ended   bool
}

// source is a file.
type source struct {
	name   string
	in     *bufio.Scanner
	number int
	head   *line
	nodes  map[trace.NodeID]bool
	held   int    // of its lines
	cut    string // the line before is not whole: why that is damage
}

// NewReader reads these files.
func NewReader(files ...File) *Reader {
	r := &Reader{members: map[trace.NodeID]*member{}, waiting: map[trace.NodeID][]*line{}}
	for _, f := range files {
		s := &source{name: f.Name, in: bufio.NewScanner(f.From), nodes: map[trace.NodeID]bool{}}
		s.in.Buffer(nil, MaxLine)
		r.sources = append(r.sources, s)
	}
	for _, s := range r.sources {
		r.advance(s)
	}
	return r
}

// Next returns the next step, which is valid until the call after, and io.EOF at the end.
// What is damaged is told as a Silent, and in Damaged.
func (r *Reader) Next() (*trace.Event, error) {
	for r.next == len(r.out) {
		r.out, r.next = r.out[:0], 0
		if !r.read() {
			return nil, io.EOF
		}
	}
	r.next++
	return &r.out[r.next-1], nil
}

// read takes one more line. It reports false at the end.
func (r *Reader) read() bool {
	var s *source
	for _, o := range r.sources {
		if o.head != nil && (s == nil || o.head.time < s.head.time || o.head.time == s.head.time && o.held < s.held) {
			s = o
		}
	}
	if s == nil {
		return r.finish()
	}
	l := s.head
	r.now = max(r.now, l.time)
	r.take(l)
	r.impatient()
	r.advance(s)
	return true
}

// finish takes what has waited in vain, at the end.
func (r *Reader) finish() bool {
	if len(r.order) > 0 {
		r.giveUp()
		return true
	}
	if r.ended {
		return false
	}
	r.ended = true
	for _, id := range slices.Sorted(maps.Keys(r.members)) {
		r.members[id].completeStart()
	}
	return true
}

// take takes a line, or has it wait behind those of its node.
func (r *Reader) take(l *line) {
	if len(r.waiting[l.node]) > 0 || r.early(l) {
		if len(r.waiting[l.node]) == 0 {
			r.order = append(r.order, l.node)
		}
		r.waiting[l.node] = append(r.waiting[l.node], l)
		r.held++
		l.source.held++
		return
	}
	r.handOver(l)
}

// early says whether a message was received that was not sent yet.
func (r *Reader) early(l *line) bool {
	return l.msg != nil && l.from != l.to && strings.HasPrefix(l.name, "Receive") && r.find(l) == nil
}

// handOver gives a line to its node, and then what has waited for it.
func (r *Reader) handOver(l *line) {
	m := r.members[l.node]
	if m == nil {
		if len(r.members) == mostMembers {
			return // conformance follows no more of them either, and says so
		}
		m = &member{r: r, id: l.node, asked: map[trace.NodeID]request{}}
		r.members[l.node] = m
	}
	m.take(l)
	if l.msg == nil || !strings.HasPrefix(l.name, "Send") {
		return
	}
	if w := r.waiting[l.to]; len(w) > 0 && w[0].msg != nil && *w[0].msg == *l.msg {
		r.release(l.to)
	}
}

// release hands over the first line of a node that waits, and those behind it as far as
// they need not wait themselves.
func (r *Reader) release(id trace.NodeID) {
	lines := r.waiting[id]
	delete(r.waiting, id)
	r.order = slices.DeleteFunc(r.order, func(o trace.NodeID) bool { return o == id })
	r.held -= len(lines)
	for _, l := range lines {
		l.source.held--
	}
	r.handOver(lines[0])
	for _, l := range lines[1:] {
		r.take(l)
	}
}

// impatient gives up on what has waited too long.
func (r *Reader) impatient() {
	for len(r.order) > 0 && (r.held > mostHeld || r.now-r.waiting[r.order[0]][0].time > patience) {
		r.giveUp()
	}
}

func (r *Reader) giveUp() { r.release(r.order[0]) }

// advance reads the next line of a file.
func (r *Reader) advance(s *source) {
	s.head = nil
	for s.in.Scan() {
		s.number++
		l, err := parse(s.in.Bytes())
		if isCut(err) {
			if l = startWithin(s.in.Bytes()); l == nil {
				r.cutLine(s, fmt.Sprintf("line %d: %v", s.number, err))
				continue
			}
			err = nil
		}
		if errors.Is(err, errForeign) {
			r.foreign++
			continue
		}
		if err != nil {
			r.damage(s, fmt.Sprintf("line %d: %v", s.number, err))
			continue
		}
		r.lines++
		if l.name != "InitState" {
			r.cutLine(s, "")
		}
		s.cut = "" // a line that the end of a server has cut: what depended on it had not left
		if l.time == 0 {
			l.time = r.lines * apart
		}
		l.source, s.head = s, l
		s.nodes[l.node] = true
		return
	}
	r.cutLine(s, "")
	if err := s.in.Err(); err != nil {
		r.damage(s, fmt.Sprintf("after line %d: %v", s.number, err))
	}
}

// cutLine notes that a line is not whole. That is damage, unless the server starts anew
// with the next one.
func (r *Reader) cutLine(s *source, why string) {
	if s.cut != "" {
		r.damage(s, s.cut)
	}
	s.cut = why
}

// startWithin is the start of a server whose line follows, without a line break, on what
// the end of the server before has left of its last one.
func startWithin(text []byte) *line {
	for i := 1; i < len(text); i++ {
		if text[i] != '{' {
			continue
		}
		if l, err := parse(text[i:]); err == nil && l.name == "InitState" {
			return l
		}
	}
	return nil
}

// damage makes all nodes silent that a file tells of: whose line it was is not known.
func (r *Reader) damage(s *source, why string) {
	r.damaged = append(r.damaged, s.name+": "+why)
	for _, id := range slices.Sorted(maps.Keys(s.nodes)) {
		if m := r.members[id]; m != nil {
			m.completeStart()
			m.silence(&line{time: r.now, term: m.was.term}, "its trace is damaged: "+why)
		}
	}
}

// Nodes are those that told anything.
func (r *Reader) Nodes() []trace.NodeID { return slices.Sorted(maps.Keys(r.members)) }

// Voters are all nodes that were ever said to vote.
func (r *Reader) Voters() (ids []trace.NodeID) {
	for _, id := range r.Nodes() {
		if l := r.members[id].was; l != nil {
			for _, v := range append(slices.Clone(l.members), l.old...) {
				if !slices.Contains(ids, v) {
					ids = append(ids, v)
				}
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// Damaged says what could not be read.
func (r *Reader) Damaged() []string { return r.damaged }

// Lines are how many lines were steps, and how many were of something else.
func (r *Reader) Lines() (steps, foreign int64) { return r.lines, r.foreign }
