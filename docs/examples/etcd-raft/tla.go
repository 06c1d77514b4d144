//go:build with_tla

package main

import (
	"encoding/json"
	"os"
	"sync"

	"go.etcd.io/raft/v3"
)

// tlaTrace writes the library's own trace to the output, a line of JSON for each step.
type tlaTrace struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newTLATrace() raft.TraceLogger { return &tlaTrace{out: json.NewEncoder(os.Stdout)} }

func (t *tlaTrace) TraceEvent(e *raft.TracingEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.out.Encode(map[string]any{"tag": "trace", "event": e}) // it ends with the process
}
