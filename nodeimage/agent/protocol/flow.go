package protocol

import (
	"net/netip"
	"slices"
	"time"
)

// Bounds of a FlowSpec.
const (
	// MaxFlowCount is how many datagrams go to one address at most.
	MaxFlowCount = 20_000
	// MaxFlowTargets is how many addresses one flow goes to at most.
	MaxFlowTargets = 64
	// MaxFlowTotal bounds the datagrams of one flow to all its addresses.
	MaxFlowTotal = 200_000
	// MinFlowSize and MaxFlowSize bound a datagram, in bytes of UDP payload.
	MinFlowSize = 48
	MaxFlowSize = 1400
	// MaxFlowTime bounds Count times Interval, and Wait.
	MaxFlowTime = time.Minute
)

// FlowSpec is a flow of UDP datagrams that measures a link.
type FlowSpec struct {
	Nonce    uint64        `json:"nonce"` // names the flow: of its own for each
	To       []netip.Addr  `json:"to"`
	Port     uint16        `json:"port"`  // on which the agents listen: ProbePort in a machine
	Count    int           `json:"count"` // datagrams to each address
	Interval time.Duration `json:"interval"`
	Size     int           `json:"size"`           // bytes of UDP payload; 0 is MinFlowSize
	Wait     time.Duration `json:"wait,omitempty"` // for echoes, after the last datagram; 0 is one second
}

// Quantiles sums up durations; all are 0 when there was none.
type Quantiles struct {
	Min    time.Duration `json:"min"`
	Median time.Duration `json:"median"`
	P99    time.Duration `json:"p99"`
	Max    time.Duration `json:"max"`
}

// QuantilesOf sums up ds, which it sorts.
func QuantilesOf(ds []time.Duration) Quantiles {
	if len(ds) == 0 {
		return Quantiles{}
	}
	slices.Sort(ds)
	last := len(ds) - 1
	return Quantiles{Min: ds[0], Median: ds[last/2], P99: ds[last*99/100], Max: ds[last]}
}

// FlowSent is what the sender of a flow knows of one address.
type FlowSent struct {
	To       netip.Addr `json:"to"`
	Sent     int        `json:"sent"`            // datagrams that the kernel took
	Answered int        `json:"answered"`        // of them, those with an echo
	RTT      Quantiles  `json:"rtt"`             // there and back, of the answered
	Error    string     `json:"error,omitempty"` // why the kernel refused the last that it refused
}

// FlowHeard is what a receiver of a flow knows of one source.
type FlowHeard struct {
	From       netip.Addr `json:"from"`
	Received   int        `json:"received"`   // different datagrams, whole
	Duplicates int        `json:"duplicates"` // those that came again
	Reordered  int        `json:"reordered"`  // those that came after a later one
	Corrupted  int        `json:"corrupted"`  // those whose payload was changed on the way
	// Delay is one way, by CLOCK_MONOTONIC of both ends: true only between
	// machines of one kernel.
	Delay          Quantiles `json:"delay"`
	BytesPerSecond float64   `json:"bytesPerSecond"` // UDP payload, from the first arrival to the last
}
