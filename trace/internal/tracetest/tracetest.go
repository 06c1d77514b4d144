// Package tracetest reads what the tracers of a test's cluster wrote.
package tracetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"squall/trace"
)

// SaveVar names a folder in which tests leave the traces of their clusters, as
// TEST/NODE-BOOT.jsonl: squall's own tests read and check them.
const SaveVar = "SQUALL_TRACES"

// Event is a line of a trace, with the node and the boot of which it is.
type Event struct {
	Node      string   `json:"-"`
	Boot      int      `json:"-"`
	Kind      string   `json:"e"`
	Time      int64    `json:"t"`
	Term      uint64   `json:"term"`
	Role      string   `json:"role"`
	Leader    string   `json:"leader"`
	Vote      string   `json:"vote"`
	Index     uint64   `json:"i"`
	EntryTerm uint64   `json:"et"`
	Hash      string   `json:"h"`
	Members   []string `json:"members"`
	Reason    string   `json:"reason"`
}

// Cluster is what the nodes of a cluster wrote.
type Cluster struct {
	mu    sync.Mutex
	boots []*output
}

// output is one boot of a node.
type output struct {
	cluster *Cluster
	node    string
	boot    int
	ended   bool
	text    bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.cluster.mu.Lock()
	defer o.cluster.mu.Unlock()
	if !o.ended {
		o.text.Write(b)
	}
	return len(b), nil
}

// Tracer is that of another boot of a node. What the boot before still writes, as a
// process that was killed could not, is not kept.
func (c *Cluster) Tracer(t testing.TB, node string) *trace.Tracer {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &output{cluster: c, node: node, boot: 1}
	for _, o := range c.boots {
		if o.node == node {
			o.ended = true
			out.boot = o.boot + 1
		}
	}
	c.boots = append(c.boots, out)
	tracer, err := trace.New(out)
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// Events are all events by their times.
func (c *Cluster) Events(t testing.TB) (all []Event) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.boots {
		dec := json.NewDecoder(bytes.NewReader(o.text.Bytes()))
		dec.DisallowUnknownFields()
		for dec.More() {
			e := Event{Node: o.node, Boot: o.boot}
			if err := dec.Decode(&e); err != nil {
				t.Fatalf("the trace of %s: %v", o.node, err)
			}
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Event) int { return int(a.Time - b.Time) })
	return all
}

// Save leaves the traces for squall's own tests, if they are asked for.
func (c *Cluster) Save(t testing.TB) {
	t.Helper()
	root := os.Getenv(SaveVar)
	if root == "" {
		return
	}
	dir := filepath.Join(root, t.Name())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.boots {
		name := fmt.Sprintf("%s-%d.jsonl", o.node, o.boot)
		if err := os.WriteFile(filepath.Join(dir, name), o.text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Check looks for conflicts between the events, as squall does.
func Check(t testing.TB, events []Event) {
	t.Helper()
	leaders, votes, agreed := map[uint64]string{}, map[string]string{}, map[string]Event{}
	for _, e := range events {
		switch e.Kind {
		case "role":
			if before, ok := leaders[e.Term]; e.Role == "leader" && ok && before != e.Node {
				t.Errorf("two leaders in term %d: %s and %s", e.Term, before, e.Node)
			}
			if e.Role == "leader" {
				leaders[e.Term] = e.Node
				if e.EntryTerm >= e.Term || e.Leader != e.Node {
					t.Errorf("a leader of term %d, elected with an entry of term %d, following %s", e.Term, e.EntryTerm, e.Leader)
				}
			}
		case "vote":
			ballot := fmt.Sprint(e.Node, " in term ", e.Term)
			if before := votes[ballot]; before != "" && before != e.Vote {
				t.Errorf("%s voted for %s and %s", ballot, before, e.Vote)
			}
			votes[ballot] = e.Vote
		case "commit", "state":
			at := fmt.Sprint(e.Kind, e.Index)
			before, ok := agreed[at]
			if ok && (before.EntryTerm != e.EntryTerm || before.Hash != e.Hash && before.Hash != "" && e.Hash != "") {
				t.Errorf("%s differs: %+v and %+v", at, before, e)
			}
			if !ok || before.Hash == "" {
				agreed[at] = e
			}
		}
	}
}

// Count counts the events that match.
func Count(events []Event, match func(Event) bool) (n int) {
	for _, e := range events {
		if match(e) {
			n++
		}
	}
	return n
}
