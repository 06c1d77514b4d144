package protocol

import (
	"context"
	"time"
)

// Methods that use up what a machine has, and look at what it may use.
const (
	MethodSpin  = "spin"
	MethodHog   = "hog"
	MethodUsage = "usage"
)

// Bounds of a Spin.
const (
	MaxSpin        = 2 * time.Second
	MaxSpinThreads = 64
)

type (
	// SpinParams are those of MethodSpin.
	SpinParams struct {
		For     time.Duration `json:"for"` // ns
		Threads int           `json:"threads"`
	}
	// SpinResult answers MethodSpin.
	SpinResult struct {
		CPU time.Duration `json:"cpu"` // ns
	}
)

// HogSpec says how much memory a machine is to lose.
type HogSpec struct {
	Bytes int64 `json:"bytes"`
	// ServerFirst makes the server the first that the kernel kills when memory
	// runs out, whoever uses how much. It is for the server that runs now.
	ServerFirst bool `json:"serverFirst,omitempty"`
}

// HogState is what came of a Hog.
type HogState struct {
	Held int64 `json:"held"` // bytes that are in use for nothing, less than asked for when ServerEnded
	// ServerEnded: with ServerFirst, the server's end was what ended the growth.
	ServerEnded bool `json:"serverEnded,omitempty"`
}

// Usage is what the machine's own control groups say, as seen from inside it.
type Usage struct {
	// MemoryWhy says why nothing is known of memory; "" when it is.
	MemoryWhy   string `json:"memoryWhy,omitempty"`
	MemoryLimit int64  `json:"memoryLimit"` // bytes; 0: none
	MemoryUsed  int64  `json:"memoryUsed"`  // bytes, MemoryFiles included
	MemoryFiles int64  `json:"memoryFiles"` // bytes of files' pages, which the kernel takes back when it needs them
	OOMKills    uint64 `json:"oomKills"`    // how many processes the kernel killed because memory had run out

	// CPUWhy says why nothing is known of processors' time; "" when it is.
	CPUWhy       string        `json:"cpuWhy,omitempty"`
	CPULimit     float64       `json:"cpuLimit"`     // processors' worth of time; 0: none
	CPUThrottled time.Duration `json:"cpuThrottled"` // ns that the machine was held back, summed over processors
}

// Spin keeps so many threads in the machine busy for d of real time (2 s and 64
// threads at most), and returns how much processor time they got: what is less
// than threads*d, something else used, or a limit forbade.
func (c *Client) Spin(ctx context.Context, d time.Duration, threads int) (cpu time.Duration, err error) {
	var r SpinResult
	err = c.call(ctx, MethodSpin, SpinParams{For: d, Threads: threads}, &r)
	return r.CPU, err
}

// Hog uses up memory of the machine: a process of its own takes it bit by bit,
// writes to every page, and holds it until Unhog, another Hog, or the machine's
// end. It returns when all of it is held or, with ServerFirst, when the server
// has ended, which as a rule is the kernel's doing: the machine was out of memory.
// Then what was taken up to there is held on, or nothing (Held is 0) when the
// kernel took the hog with the server. ServerFirst without a server is
// ErrNotRunning. When the kernel kills the hog alone, that is an error, and
// nothing is held. The agent is not killed before: it is the smaller one, and
// with ServerFirst there are others that the kernel takes after the server.
func (c *Client) Hog(ctx context.Context, spec HogSpec) (HogState, error) {
	var s HogState
	err := c.call(ctx, MethodHog, spec, &s)
	return s, err
}

// Unhog gives the memory back, ends a Hog that is under way, and makes the
// server no longer the first to be killed. It returns when that is done.
func (c *Client) Unhog(ctx context.Context) error {
	return c.call(ctx, MethodHog, HogSpec{}, nil)
}

// Usage is what the machine may use, uses, and was denied.
func (c *Client) Usage(ctx context.Context) (Usage, error) {
	var u Usage
	err := c.call(ctx, MethodUsage, nil, &u)
	return u, err
}
