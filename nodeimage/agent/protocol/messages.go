package protocol

import (
	"encoding/json"
	"errors"
	"net/netip"
	"time"
)

// Names of the agent's methods.
const (
	MethodHello      = "hello"
	MethodStart      = "start"
	MethodWrite      = "write"
	MethodCloseStdin = "close-stdin"
	MethodKill       = "kill"
	MethodTerminate  = "terminate"
	MethodPause      = "pause"
	MethodResume     = "resume"
	MethodProcess    = "process"
	MethodWipe       = "wipe"
	MethodPrompt     = "prompt-trace"
	MethodNet        = "net"
	MethodNetCount   = "net-counters"
	MethodFeatures   = "features"
	MethodProbeSend  = "probe-send"
	MethodProbeHeard = "probe-heard"
	MethodFlowSend   = "flow-send"
	MethodFlowHeard  = "flow-heard"
	MethodConnect    = "connect"
	MethodClock      = "clock"
	MethodShutdown   = "shutdown"
)

// Request asks the agent for something.
type Request struct {
	ID     uint64          `json:"id"`
	Method string          `json:"m"`
	Params json.RawMessage `json:"p,omitempty"`
}

// Reply answers the request of the same ID: with a result, or with an error.
type Reply struct {
	ID     uint64          `json:"id"`
	Result json.RawMessage `json:"r,omitempty"`
	Error  *Error          `json:"e,omitempty"`
}

// Codes of errors, see Error.
const (
	CodeNotRunning = "not-running"
	CodeRunning    = "running"
	CodeBadRequest = "bad-request"
	CodeFailed     = "failed"
	CodeNoClock    = "no-clock"
	CodeSilent     = "clock-silent"

	CodeNoMessageRules = "no-message-rules"
	CodeMessagesSilent = "messages-silent"
)

// What the agent may refuse; ask for them with errors.Is.
var (
	// ErrNotRunning: there is no server process to do that to.
	ErrNotRunning = errors.New("no server process is running")
	// ErrRunning: a server process is running already.
	ErrRunning = errors.New("a server process is running already")
)

// Error is an error that the agent answered with.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"msg"`
}

func (e *Error) Error() string { return e.Message }

// Unwrap is ErrNotRunning, ErrRunning, ErrNoClock, ErrClockSilent,
// ErrNoMessageRules or ErrMessagesSilent where the code says so, else nil.
func (e *Error) Unwrap() error {
	switch e.Code {
	case CodeNotRunning:
		return ErrNotRunning
	case CodeRunning:
		return ErrRunning
	case CodeNoClock:
		return ErrNoClock
	case CodeSilent:
		return ErrClockSilent
	case CodeNoMessageRules:
		return ErrNoMessageRules
	case CodeMessagesSilent:
		return ErrMessagesSilent
	default:
		return nil
	}
}

// Hello is who the agent is and what it may do.
type Hello struct {
	Version      int      `json:"version"` // of the protocol
	PID          int      `json:"pid"`     // 1 in a container
	Mono         int64    `json:"mono"`    // CLOCK_MONOTONIC of the machine, ns
	Capabilities []string `json:"caps"`    // its effective ones, like NET_ADMIN; sorted
	Hostname     string   `json:"hostname"`
	BootID       string   `json:"bootId"` // of the kernel, which has one clock
	// Isolation is what its servers are held to.
	Isolation Isolation `json:"isolation"`
}

// Isolation is what a machine holds its servers to, see docs/isolation.md.
type Isolation struct {
	UID       int `json:"uid"`       // their user and group; 0: the agent's own
	Processes int `json:"processes"` // that this user may have, threads included; 0: any number
	// Weaker says what does not hold here that holds elsewhere, and why; one
	// line each.
	Weaker []string `json:"weaker,omitempty"`
}

// StartSpec says what server to run.
type StartSpec struct {
	Argv []string `json:"argv"`          // Argv[0] is a path inside the machine
	Env  []string `json:"env,omitempty"` // the whole environment, as KEY=value
	Dir  string   `json:"dir,omitempty"` // working directory; "" is the agent's own
	// Clock is for a server whose clock can be bent: it gets a line to the
	// agent, see docs/clock-bending.md. Another one must not ask for it.
	Clock bool `json:"clock,omitempty"`
	// Messages is for a server that takes rules for the messages between servers:
	// it gets a line to the agent, see docs/message-faults.md. Another one must
	// not ask for it.
	Messages bool `json:"messages,omitempty"`
	// FullTrace gives the server a second pipe, for version 2 of its trace (docs/trace.md).
	FullTrace bool `json:"fullTrace,omitempty"`
	// Prompt is a Client.PromptTrace(true) before the start.
	Prompt bool `json:"prompt,omitempty"`
}

// PromptParams are the parameters of MethodPrompt.
type PromptParams struct {
	Prompt bool `json:"prompt"`
}

// ProcInfo is a process that was started.
type ProcInfo struct {
	Boot int `json:"boot"` // which start on this machine it is, from 1
	PID  int `json:"pid"`
}

// ProcState is the state of the machine's server process. When none runs, PID,
// Boot and ExitReason are those of the last one (zero if there was none).
type ProcState struct {
	Running bool   `json:"running"`
	PID     int    `json:"pid"`
	Boot    int    `json:"boot"`
	State   string `json:"state,omitempty"` // letter out of /proc/PID/stat: R, S, D, T (paused) …
	// CapEff and CapPrm are the process's effective and permitted capabilities
	// as hexadecimal digits: all zeros is none.
	CapEff     string `json:"capEff,omitempty"`
	CapPrm     string `json:"capPrm,omitempty"`
	ExitReason string `json:"exit,omitempty"` // "signal: killed", "exit status 1: last log line"
}

// Paused reports whether every thread of the process is stopped.
func (s ProcState) Paused() bool { return s.Running && s.State == "T" }

// Kinds of events. They are the same words as in the history.
const (
	EventStart  = "start"
	EventExit   = "exit"
	EventPause  = "pause"
	EventResume = "resume"
	// EventSilent: the process closed its trace and runs on. It comes after
	// everything that was in the trace, and once for a process at most.
	EventSilent = "silent"
	// EventFullSilent is the same of its full trace.
	EventFullSilent = "full-silent"
)

// Event is something that happened to the server process.
type Event struct {
	Kind   string `json:"kind"`
	Boot   int    `json:"boot"`
	PID    int    `json:"pid"`
	Mono   int64  `json:"mono"`             // when it took effect, CLOCK_MONOTONIC in ns
	Reason string `json:"reason,omitempty"` // of an exit, as in ProcState.ExitReason; of a silence
	// OOM, of an exit: the kernel has killed something in the machine for want of
	// memory since the process began. False where control groups do not tell.
	OOM bool `json:"oom,omitempty"`
}

// Parameters of the methods that have some.
type (
	// WriteParams are those of MethodWrite.
	WriteParams struct {
		Data []byte `json:"data"`
	}
	// TerminateParams are those of MethodTerminate.
	TerminateParams struct {
		Grace time.Duration `json:"grace"` // ns
	}
	// ProbeParams are those of MethodProbeSend, MethodProbeHeard and
	// MethodFlowHeard.
	ProbeParams struct {
		Nonce uint64       `json:"nonce"`
		To    []netip.Addr `json:"to,omitempty"`
		Port  uint16       `json:"port,omitempty"`
	}
	// ConnectParams are those of MethodConnect.
	ConnectParams struct {
		To      []netip.AddrPort `json:"to"`
		Timeout time.Duration    `json:"timeout"` // ns
	}
	// WipeResult answers MethodWipe.
	WipeResult struct {
		Files int `json:"files"` // files and directories that were removed
	}
	// ClockResult answers MethodClock.
	ClockResult struct {
		Mono int64 `json:"mono"` // ns
	}
)
