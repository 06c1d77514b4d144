package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"squall/history"
	"squall/internal/declare"
)

// Planned is one fault of a schedule, with everything that is drawn for it.
type Planned struct {
	ID      int          `json:"id"`
	Fault   string       `json:"fault"`
	Variant string       `json:"variant"`          // "" when Nodes are named
	Params  declare.Args `json:"params,omitempty"` // every parameter
	AtMs    int64        `json:"atMs"`             // when it begins, from the begin of the load
	ForMs   int64        `json:"forMs"`            // how long it holds before it is healed
	// Nodes are the nodes that were named, in place of a variant.
	Nodes []string `json:"nodes,omitempty"`
	// Order is a random order of the nodes: a variant that needs k nodes takes
	// the first k. Who plays a role is found when the fault begins.
	Order []string `json:"order"`
	// Seed is what the fault draws from while it holds.
	Seed uint64 `json:"seed,omitempty"`
	// Aim is the moment that the fault waits for from AtMs on; nil: it begins then.
	Aim *Aim `json:"aim,omitempty"`
	// Roles are who played the roles when the fault began: written when the
	// test ran, and read when it is replayed, so that a replay hits who was hit.
	Roles *Roles `json:"roles,omitempty"`
}

// Name is the fault as people write it.
func (p Planned) Name() string {
	name := p.Fault + "(" + p.whom() + ")"
	if p.Aim != nil {
		name += " when=" + p.Aim.Moment
	}
	return name
}

// At is when the fault begins, or is armed, from the begin of the load.
func (p Planned) At() time.Duration { return time.Duration(p.AtMs) * time.Millisecond }

// Ends is when it is healed at the latest, if it begins in time.
func (p Planned) Ends() time.Duration {
	return p.At() + p.Aim.within() + time.Duration(p.ForMs)*time.Millisecond
}

// whom names whom the fault hits.
func (p Planned) whom() string {
	if len(p.Nodes) > 0 {
		return strings.Join(p.Nodes, "+")
	}
	return p.Variant
}

// Hit is one injection of a fault: whom it hits, with what, and what was seen
// of it.
type Hit struct {
	Cluster
	Plan  Planned
	Args  declare.Args
	Roles Roles
	// Moment is what the fault was aimed at, and struck; nil: it was not, or missed it.
	Moment *Sighting
	// Links merges what this fault does to links with what others do.
	Links *LinkLayers
	// Targets are the nodes that are hurt.
	Targets []string

	Detail   string // for people
	Cut      []history.Link
	proof    []string
	measured []history.Measure
	lapsed   string // why it stopped biting before its time was over
	rng      *rand.Rand

	mu     sync.Mutex
	before map[string]Usage
}

// KeepUsage notes what a machine used before the fault, for its heal to be held
// against; UsageBefore gives it back.
func (h *Hit) KeepUsage(node string, u Usage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.before == nil {
		h.before = map[string]Usage{}
	}
	if _, known := h.before[node]; !known {
		h.before[node] = u
	}
}

// UsageBefore is what KeepUsage noted, if it did.
func (h *Hit) UsageBefore(node string) (Usage, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	u, known := h.before[node]
	return u, known
}

// Say adds a line of proof that has no figure.
func (h *Hit) Say(format string, args ...any) {
	h.proof = append(h.proof, fmt.Sprintf(format, args...))
}

// Prove adds a figure to the proof.
func (h *Hit) Prove(m history.Measure) {
	h.measured = append(h.measured, m)
	h.proof = append(h.proof, sentence(m))
}

// Note adds a figure without a line for people: one of many alike.
func (h *Hit) Note(m history.Measure) { h.measured = append(h.measured, m) }

// sentence is a figure in words: "n1→n2: round trip 101.3 ms (wanted ≥ 90)".
func sentence(m history.Measure) string {
	text := m.What + " " + strings.TrimSpace(Figure(m.Value)+" "+m.Unit)
	if m.Where != "" {
		text = m.Where + ": " + text
	}
	if m.Want != "" {
		text += " (wanted " + m.Want + ")"
	}
	return text
}

// Figure writes a measured value with four digits at most, which is more than is
// known of it.
func Figure(v float64) string {
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil { // not a number
		return "?"
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// Rand draws from the fault's own seed.
func (h *Hit) Rand() *rand.Rand {
	if h.rng == nil {
		h.rng = rand.New(rand.NewPCG(h.Plan.Seed, uint64(h.Plan.ID)))
	}
	return h.rng
}

// Hold is how long the fault is meant to hold.
func (h *Hit) Hold() time.Duration { return time.Duration(h.Plan.ForMs) * time.Millisecond }

// Names are the names of all nodes.
func (h *Hit) Names() []string {
	var names []string
	for _, n := range h.Nodes() {
		names = append(names, n.Name())
	}
	return names
}

// Node is the node of that name. The name comes from the cluster or was checked
// against it, so there is one; for a plan made for another cluster it panics
// with a text that says so, which the runner turns into the fault's error.
func (h *Hit) Node(name string) Node {
	i := slices.IndexFunc(h.Nodes(), func(n Node) bool { return n.Name() == name })
	if i < 0 {
		panic(fmt.Sprintf("the plan names a node %s, and the cluster has none of that name", name))
	}
	return h.Nodes()[i]
}

// take moves what was seen into the record.
func (h *Hit) take(f *history.Fault) {
	f.Targets, f.Detail, f.Cut = slices.Clone(h.Targets), h.Detail, slices.Clone(h.Cut)
	f.Proof, f.Measured = h.proof, h.measured
	h.proof, h.measured = nil, nil
}

// Forget drops what was proven since the last record: for faults of many steps,
// of which each was seen and none has a line of its own.
func (h *Hit) Forget() { h.proof, h.measured = nil, nil }
