package trace

import (
	"encoding/json"
	"strconv"
	"time"
)

// Kind is what an event tells.
type Kind string

// The kinds, with the fields that each takes beside Term, the node's current term.
const (
	// Role, when the role or the known leader changes: Role, Leader, Reason, and in
	// Index and EntryTerm where the node's log ends. For a new leader that is before
	// its first entry of the new term.
	Role Kind = "role"
	// Vote, when the node has granted its vote in Term, to itself too: Vote.
	Vote Kind = "vote"
	// Commit, when the commit index advances: Index, EntryTerm, Hash.
	Commit Kind = "commit"
	// State: Hash of the state machine after entry Index.
	State Kind = "state"
	// Snapshot, when a snapshot up to Index is on disk: Index, EntryTerm, and as
	// Reason "taken" or "installed".
	Snapshot Kind = "snapshot"
	// Members, when the node learns who belongs to the cluster: Members.
	Members Kind = "members"
)

// Roles of a node.
const (
	Follower  = "follower"
	Candidate = "candidate"
	Leader    = "leader"
	Stopped   = "stopped"
)

// TimedOut is the Reason of a Role event by which a node without a leader first asks for
// the votes of others, or for pre-votes: the end of detection.
const TimedOut = "election timeout"

// Event is one event of a node. Fields that are zero are left out. Nodes go by the names
// that squall gives them, n1, n2 and so on: a trace with another name in it is refused.
type Event struct {
	Kind      Kind
	Term      uint64
	Role      string // Follower, Candidate, Leader or Stopped
	Leader    string // the node that leads, if known
	Vote      string // the node that got the vote
	Index     uint64
	EntryTerm uint64 // the term of the entry at Index
	// Hash of the log up to Index, as [Log] makes it, or of the state machine. A
	// Commit with 0 has none, and only its EntryTerm is compared.
	Hash    uint64
	Members []string
	Reason  string
}

// appendLine appends the event as a line of JSON.
func (e *Event) appendLine(b []byte, at time.Duration) []byte {
	b = appendText(append(b, `{"e":`...), string(e.Kind))
	b = strconv.AppendInt(append(b, `,"t":`...), int64(at), 10)
	b = appendNumber(b, `,"term":`, e.Term)
	b = appendNamed(b, `,"role":`, e.Role)
	b = appendNamed(b, `,"leader":`, e.Leader)
	b = appendNamed(b, `,"vote":`, e.Vote)
	b = appendNumber(b, `,"i":`, e.Index)
	b = appendNumber(b, `,"et":`, e.EntryTerm)
	if e.Hash != 0 || e.Kind == State {
		b = append(appendHex(append(b, `,"h":"`...), e.Hash), '"')
	}
	for i, m := range e.Members {
		if i == 0 {
			b = append(b, `,"members":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendText(b, m)
	}
	if len(e.Members) > 0 {
		b = append(b, ']')
	}
	b = appendNamed(b, `,"reason":`, e.Reason)
	return append(b, "}\n"...)
}

func appendNumber(b []byte, key string, n uint64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendUint(append(b, key...), n, 10)
}

func appendNamed(b []byte, key, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(append(b, key...), text)
}

// appendText appends a JSON string. Nearly all need no escaping.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil { // cannot be: every string can be marshalled
				quoted = []byte(`""`)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

func appendHex(b []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&15])
	}
	return b
}
