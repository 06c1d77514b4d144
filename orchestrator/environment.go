package orchestrator

import (
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"squall/internal/atomicfile"
	"squall/internal/host"
	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/files"
)

// The files of a run directory that the orchestrator writes beside its plan; history,
// check and reports name theirs.
const (
	EnvFile   = "env.json"
	LogFile   = "squall.log"
	nodesDir  = "nodes"
	serverLog = "server.log" // of each node, in its folder
)

// environment is env.json: where the test ran, and how long its steps took.
type environment struct {
	Squall string `json:"squall"`
	Go     string `json:"go"`
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	Host   string `json:"host"`
	// Runtime is what ran the machines, in words.
	Runtime string `json:"runtime"`
	Binary  string `json:"binary"` // key of squall-node's content
	// Files are what the servers' machines held beside squall-node.
	Files []files.Held `json:"files,omitempty"`
	// ClientFiles are what the driver's machine held likewise.
	ClientFiles []files.Held `json:"clientFiles,omitempty"`
	// Load is what was seen of the computer before the test and during it; nil
	// when it was not looked at.
	Load *host.Record `json:"load,omitempty"`
	// Weaker says what does not hold of the machines' isolation here that holds
	// elsewhere (docs/isolation.md); one line each.
	Weaker []string `json:"weaker,omitempty"`
	// LogsShortened are the machines whose log became too long, and has a beginning
	// and an end only.
	LogsShortened []string `json:"logsShortened,omitempty"`
	// FullTraces is what the servers wrote with --trace full, by node.
	FullTraces map[string]fullTraceStats `json:"fullTraces,omitempty"`
	// Seconds from the begin of the run to each step ("down" counts from its
	// own begin).
	Seconds map[string]float64 `json:"seconds"`

	mu sync.Mutex
}

func newEnvironment(version string) *environment {
	name, _ := os.Hostname()
	return &environment{Squall: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPUs: runtime.NumCPU(), Host: name, Seconds: map[string]float64{}}
}

func (e *environment) mark(step string, after time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Seconds[step] = math.Round(after.Seconds()*1000) / 1000
}

// traced notes what a node wrote to its full trace.
func (e *environment) traced(node string, stats fullTraceStats) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.FullTraces == nil {
		e.FullTraces = map[string]fullTraceStats{}
	}
	e.FullTraces[node] = stats
}

// sawHost notes what was seen of the computer.
func (e *environment) sawHost(r host.Record) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Load = &r
}

// isolated notes what a machine's agent says of its isolation.
func (e *environment) isolated(is protocol.Isolation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, line := range is.Weaker {
		if !slices.Contains(e.Weaker, line) {
			e.Weaker = append(e.Weaker, line)
		}
	}
}

// shortened notes that the log of a machine is too long.
func (e *environment) shortened(machine string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.LogsShortened = append(e.LogsShortened, machine)
}

func (e *environment) write(dir string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return atomicfile.WriteJSON(filepath.Join(dir, EnvFile), e)
}

// runLogger writes to the run's own log file and, if there is one, to the
// caller's logger too.
func runLogger(file *os.File, also *slog.Logger) *slog.Logger {
	own := slog.NewTextHandler(file, nil)
	if also == nil {
		return slog.New(own)
	}
	return slog.New(slog.NewMultiHandler(own, also.Handler()))
}
