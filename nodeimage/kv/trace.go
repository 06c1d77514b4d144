package kv

import (
	"encoding/json"
	"io"
	"log/slog"
	"strconv"
	"sync"

	"squall/nodeimage/raft"
)

// Tracer writes a Raft node's trace events as lines of JSON. Each event is one
// write, made before Trace returns, so that whatever depends on the event cannot
// be seen of a node that was killed before its event was written.
type Tracer struct {
	log *slog.Logger

	w io.Writer

	mu     sync.Mutex
	broken bool
	buf    []byte
}

var _ raft.Tracer = (*Tracer)(nil)

// NewTracer returns a tracer that writes to w.
func NewTracer(w io.Writer, log *slog.Logger) *Tracer { return &Tracer{w: w, log: log} }

// Trace writes one event. When writing fails, which is logged, there is no trace
// from there on: the node goes on without.
func (t *Tracer) Trace(e raft.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken {
		return
	}
	t.buf = appendEvent(t.buf[:0], &e)
	if _, err := t.w.Write(t.buf); err != nil {
		t.log.Error("trace ends here: it cannot be written", "err", err)
		t.broken = true
	}
}

// appendEvent appends an event as a line of JSON, with the keys and in the form
// in which the test's history keeps it. Node and boot are added by the reader,
// who knows them. Zero fields are left out.
func appendEvent(b []byte, e *raft.Event) []byte {
	b = append(b, `{"e":"`...)
	b = append(b, e.Kind...) // one of the constants: nothing to escape
	b = append(b, `","t":`...)
	b = strconv.AppendInt(b, int64(e.Time), 10)
	b = appendUint(b, `,"term":`, e.Term)
	if e.Kind == raft.EventRole {
		b = append(b, `,"role":"`...)
		b = append(b, e.Role.String()...)
		b = append(b, '"')
	}
	b = appendNode(b, `,"leader":`, e.Leader)
	b = appendNode(b, `,"vote":`, e.Vote)
	b = appendUint(b, `,"i":`, e.Index)
	b = appendUint(b, `,"et":`, e.EntryTerm)
	if e.Kind == raft.EventCommit || e.Kind == raft.EventState {
		b = append(b, `,"h":"`...)
		b = appendHex(b, e.Hash)
		b = append(b, '"')
	}
	if len(e.Members) > 0 {
		b = append(b, `,"members":[`...)
		for i, m := range e.Members {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendNode(b, "", m)
		}
		b = append(b, ']')
	}
	if e.Reason != "" {
		b = append(b, `,"reason":`...)
		quoted, err := json.Marshal(e.Reason)
		if err != nil { // cannot be: every string can be marshalled
			quoted = []byte(`""`)
		}
		b = append(b, quoted...)
	}
	if e.Timeout != 0 {
		b = strconv.AppendInt(append(b, `,"timeout":`...), int64(e.Timeout), 10)
		b = strconv.AppendInt(append(b, `,"late":`...), int64(e.Late), 10)
	}
	return append(b, "}\n"...)
}

func appendUint(b []byte, key string, v uint64) []byte {
	if v == 0 {
		return b
	}
	return strconv.AppendUint(append(b, key...), v, 10)
}

func appendNode(b []byte, key string, id raft.NodeID) []byte {
	if id == 0 {
		return b
	}
	b = appendName(append(append(b, key...), '"'), id)
	return append(b, '"')
}

// appendName appends a node's name, n1 for 1.
func appendName(b []byte, id raft.NodeID) []byte {
	return strconv.AppendUint(append(b, 'n'), uint64(id), 10)
}

func appendHex(b []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&15])
	}
	return b
}
