package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"squall/history"
	"squall/internal/declare"
)

// Fault is one entry of the catalogue. It is a value that holds no state:
// what one injection of it did is in its Hit.
type Fault struct {
	Name     string
	Kind     history.FaultKind
	Doc      string
	Params   declare.Params
	Variants []Variant // whom it can hit
	Needs    []Need
	// Drawn are values of parameters that are drawn only where their need is met. Who
	// asks for one gets it all the same.
	Drawn []DrawnNeed
	Holds []Resource // what no other fault may hold at the same time
	// MinNodes is the smallest cluster in which the fault means anything.
	MinNodes int
	// Least is the shortest time in which its steps can be taken: a schedule that is drawn
	// gives it that, unless its pace was asked for.
	Least time.Duration
	// Outside is how many nodes must be left when the nodes to hit are named: a
	// partition needs somebody to cut them off from.
	Outside int

	// Inject begins the fault and proves that it takes effect. It says in the Hit whom
	// it hit and what it measured.
	Inject func(ctx context.Context, h *Hit) error
	// Sustain, where a fault is more than one stroke, goes on with it until ctx
	// ends. With an error, except that of ctx, the fault has lapsed, and is void.
	Sustain func(ctx context.Context, h *Hit) error
	// Undo ends the fault and proves that it is gone. It is idempotent, and
	// works whatever Inject and Sustain came to.
	Undo func(ctx context.Context, h *Hit) error
	// Check refuses parameters that are each in order but make no sense
	// together. It may be nil.
	Check func(a declare.Args) error
}

// DrawnNeed is what it takes to draw a value of a parameter.
type DrawnNeed struct {
	Param, Value string
	Need         Need
}

// Variant is one way of choosing whom a fault hits.
type Variant struct {
	Name string
	Doc  string
	// Leader is true when it hits the current leader, and nothing else.
	Leader bool
	// Need is what must be known of the system under test to find whom it hits:
	// NeedLeader, NeedCandidate or "".
	Need Need
	// Aimed is true when it hits the node of the moment that the fault is aimed at.
	Aimed bool
	// MinNodes is the smallest cluster in which the variant means anything; 0 is
	// that of its fault.
	MinNodes int
	// Majority says whether, with n nodes, a majority stays that is whole and
	// connected; nil means always.
	Majority func(n int) bool
}

// KeepsMajority reports whether a variant leaves a majority of n nodes whole.
func (v Variant) KeepsMajority(n int) bool { return v.Majority == nil || v.Majority(n) }

// Resource is something of a cluster that two faults at once must not both act
// on: neither could prove that it takes effect, or is gone.
type Resource string

// The resources.
const (
	HoldLinks    Resource = "links"     // which links carry packets
	HoldPackets  Resource = "packets"   // what links do to packets
	HoldServers  Resource = "servers"   // server processes
	HoldCPU      Resource = "processor" // the machines' shares of processors
	HoldMemory   Resource = "memory"    // the machines' memory
	HoldDisks    Resource = "disks"     // the machines' disks
	HoldClocks   Resource = "clocks"    // the servers' clocks
	HoldMessages Resource = "messages"  // what befalls the servers' messages
	HoldMembers  Resource = "members"   // who belongs to the cluster
)

// PerNode reports whether a resource is each node's own, so that faults on
// different nodes do not meet. A link has two ends, the packets and messages on it
// likewise, and the members are the cluster's.
func (r Resource) PerNode() bool {
	switch r {
	case HoldServers, HoldCPU, HoldMemory, HoldDisks, HoldClocks:
		return true
	}
	return false
}

// Need is something that a fault asks of the place where it is injected.
type Need string

// The needs.
const (
	NeedCut        Need = "net-cut"         // packet rules in the machines' network namespaces
	NeedReject     Need = "net-reject"      // rules that answer with a reset
	NeedShape      Need = "net-shape"       // the kernel's netem, or packets queued to the agent
	NeedRaw        Need = "net-raw"         // raw sockets, to send a packet twice
	NeedCPU        Need = "cpu-limit"       // control groups for processors
	NeedMemory     Need = "memory-limit"    // control groups for memory
	NeedRestart    Need = "machine-restart" // machines that can be switched off and on
	NeedDisk       Need = "disk"            // a file system of squall's on the machines' disks
	NeedClock      Need = "clock-bend"      // a system whose clock squall can bend
	NeedMessages   Need = "message-rules"   // a system whose servers take rules for their messages
	NeedMembership Need = "membership"      // a system whose members squall can change
	NeedLeader     Need = "leader"          // a system that shows who leads
	NeedCandidate  Need = "candidate"       // a system that shows who stands for election
	NeedTrace      Need = "trace"           // a system whose servers write a trace
	NeedFullTrace  Need = "full-trace"      // version 2 of it
	NeedIntegrity  Need = "integrity"       // a system that checks the bytes that it is sent
)

// Doc says what a need is, for people.
func (n Need) Doc() string {
	switch n {
	case NeedCut:
		return "nftables and NET_ADMIN in the machine's own network namespace"
	case NeedReject:
		return "nftables with nft_reject"
	case NeedShape:
		return "the kernel's netem, or NFQUEUE (xt_NFQUEUE and nft_compat)"
	case NeedRaw:
		return "NET_RAW in the machine's own network namespace"
	case NeedCPU:
		return "a control group with the controller cpu"
	case NeedMemory:
		return "a control group with the controller memory"
	case NeedRestart:
		return "a runtime that can start a machine again"
	case NeedDisk:
		return "/dev/fuse and the right to mount, for a file system of squall's on the data directory"
	case NeedClock:
		return "a system under test that runs its timers on squall's clock"
	case NeedMessages:
		return "a system under test whose servers delay, lose and repeat their messages when squall says so"
	case NeedMembership:
		return "a system under test whose members squall can change"
	case NeedLeader:
		return "a system under test that shows who leads: by its trace, or to its clients"
	case NeedCandidate:
		return "a system under test whose trace shows who stands for election"
	case NeedTrace:
		return "a system under test whose servers write a trace"
	case NeedFullTrace:
		return "a system under test whose servers write version 2 of the trace, and a test that asks for it"
	case NeedIntegrity:
		return "a system under test that tells changed bytes by checks of its own"
	}
	return string(n)
}

// OfSystem reports whether it is the system under test that meets the need, and
// not the place where its machines run.
func (n Need) OfSystem() bool {
	switch n {
	case NeedClock, NeedMessages, NeedMembership, NeedLeader, NeedCandidate, NeedTrace, NeedFullTrace, NeedIntegrity:
		return true
	}
	return false
}

// Variant finds a variant by its name.
func (f Fault) Variant(name string) (Variant, bool) {
	for _, v := range f.Variants {
		if v.Name == name {
			return v, true
		}
	}
	return Variant{}, false
}

// Validate checks what a fault declares of itself, so that a mistake in it is
// found by the first test and not in a storm.
func (f Fault) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("fault %s: "+format, append([]any{f.Name}, args...)...))
	}
	if f.Name == "" || f.Kind == "" || f.Doc == "" || f.Inject == nil || f.Undo == nil {
		wrong("Name, Kind, Doc, Inject and Undo are all wanted")
	}
	if len(f.Variants) == 0 || f.MinNodes < 1 {
		wrong("at least one variant is wanted, and MinNodes of at least 1")
	}
	for _, err := range f.Params.Validate() {
		wrong("%w", err)
	}
	for _, p := range f.Params {
		if _, ok := f.Variant(p.Name); ok {
			wrong("%s is a parameter and a variant", p.Name)
		}
		if isAim(p.Name) {
			wrong("%s is a parameter of every fault", p.Name)
		}
	}
	if f.Check != nil {
		if err := f.Check(f.Params.Fill(nil, nil)); err != nil {
			wrong("the defaults: %w", err)
		}
	}
	return errors.Join(errs...)
}
