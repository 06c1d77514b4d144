package etcdtla

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"squall/history/trace"
)

// wireEvent is raft.TracingEvent. Fields that a variant may leave out are pointers.
type wireEvent struct {
	Name  string       `json:"name"`
	Node  string       `json:"nid"`
	State *wireState   `json:"state"`
	Role  string       `json:"role"`
	Log   *uint64      `json:"log"`
	Conf  [][]string   `json:"conf"`
	Msg   *wireMessage `json:"msg"`
	Prop  struct {
		CC *struct {
			NewConf []string `json:"newconf"`
		} `json:"cc"`
	} `json:"prop"`
}

type wireState struct {
	Term   uint64  `json:"term"`
	Vote   *string `json:"vote"`
	Commit *uint64 `json:"commit"`
}

// wireMessage is raft.TracingMessage. Two that are equal are one message, or a copy.
type wireMessage struct {
	Type    string `json:"type"`
	Term    uint64 `json:"term"`
	From    string `json:"from"`
	To      string `json:"to"`
	Entries uint64 `json:"entries"` // how many; of a snapshot: the index of its last one
	LogTerm uint64 `json:"logTerm"`
	Index   uint64 `json:"index"`
	Commit  uint64 `json:"commit"`
	Vote    string `json:"vote"`
	Reject  bool   `json:"reject"`
	Hint    uint64 `json:"rejectHint"`
}

// line is one line of a trace, checked.
type line struct {
	name     string
	node     trace.NodeID
	term     uint64
	vote     trace.NodeID
	commit   uint64
	role     trace.Role
	last     uint64 // the last entry of the log
	members  []trace.NodeID
	old      []trace.NodeID
	newConf  []trace.NodeID // of ApplyConfChange: those who will vote
	msg      *wireMessage
	from, to trace.NodeID
	lacks    trace.Lacks
	time     int64 // ns; 0: it tells none
	source   *source
}

// isCut says whether a line is no JSON, as half a line is not.
func isCut(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax)
}

// errForeign is the error of a line that is no line of a trace, but of a log around it.
var errForeign = errors.New("no line of a trace")

// parse reads a line, as the library's README has it written ({"tag":"trace","event":…}),
// or the bare event.
func parse(text []byte) (*line, error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, errForeign
	}
	var w struct {
		Tag   *string         `json:"tag"`
		Time  any             `json:"ts"`
		Event json.RawMessage `json:"event"`
		Name  string          `json:"name"`
		Node  string          `json:"nid"`
	}
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, fmt.Errorf("it is no JSON of such an event: %w", err)
	}
	switch bare := w.Name != "" && w.Node != ""; {
	case w.Tag != nil && *w.Tag != "trace" || w.Event == nil && !bare:
		return nil, errForeign
	case w.Event != nil:
		text = w.Event
	}
	e := &wireEvent{}
	if err := json.Unmarshal(text, e); err != nil {
		return nil, fmt.Errorf("it is no JSON of such an event: %w", err)
	}
	l, err := e.line()
	if err != nil {
		return nil, err
	}
	if seconds, ok := w.Time.(float64); ok && seconds > 0 && seconds < 1e10 {
		l.time = int64(seconds * 1e9)
	}
	return l, nil
}

var roles = map[string]trace.Role{
	"StateFollower": trace.Follower, "StatePreCandidate": trace.Follower,
	"StateCandidate": trace.Candidate, "StateLeader": trace.Leader,
}

// line checks an event.
func (e *wireEvent) line() (l *line, err error) {
	l = &line{name: e.Name, msg: e.Msg}
	if l.node, err = nodeID(e.Node); err != nil || l.node == 0 {
		return nil, fmt.Errorf("its nid %q is not a node", e.Node)
	}
	if e.State == nil {
		return nil, errors.New("it has no state")
	}
	l.term = e.State.Term
	if l.role = roles[e.Role]; l.role == 0 {
		return nil, fmt.Errorf("its role %q is none", e.Role)
	}
	if e.Log == nil {
		l.lacks |= unknownLog
	} else {
		l.last = *e.Log
	}
	if e.State.Commit == nil {
		l.lacks |= trace.LacksKind(trace.Commit)
	} else {
		l.commit = *e.State.Commit
	}
	if e.State.Vote == nil {
		l.lacks |= trace.LacksKind(trace.Grant)
	} else if l.vote, err = nodeID(*e.State.Vote); err != nil {
		return nil, err
	}
	if err := e.takeConf(l); err != nil {
		return nil, err
	}
	if e.Msg != nil {
		var errFrom, errTo error
		l.from, errFrom = nodeID(e.Msg.From)
		l.to, errTo = nodeID(e.Msg.To)
		return l, errors.Join(errFrom, errTo)
	}
	return l, nil
}

func (e *wireEvent) takeConf(l *line) (err error) {
	if len(e.Conf) != 2 {
		l.lacks |= trace.LacksMembers | trace.LacksKind(trace.Config)
		return nil
	}
	var errOld, errNew error
	l.members, err = nodeIDs(e.Conf[0])
	l.old, errOld = nodeIDs(e.Conf[1])
	if e.Prop.CC != nil {
		l.newConf, errNew = nodeIDs(e.Prop.CC.NewConf)
	}
	return errors.Join(err, errOld, errNew)
}

func nodeIDs(texts []string) (ids []trace.NodeID, err error) {
	if len(texts) > trace.MaxMembers {
		return nil, fmt.Errorf("%d members, more than %d", len(texts), trace.MaxMembers)
	}
	for _, s := range texts {
		id, err := nodeID(s)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func nodeID(s string) (trace.NodeID, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not the ID of a node", s)
	}
	return trace.NodeID(n), nil
}
