package testplan

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"squall/history"
	"squall/internal/declare"
	"squall/internal/suggest"
	"squall/nemesis/schedule"
	"squall/nodeimage/mutants"
	"squall/workloads"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
	"squall/workloads/systems/custom"
)

// Duration is a time.Duration that reads and prints as "1.5s".
type Duration time.Duration

// MarshalText and UnmarshalText are Go's notation of durations.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads Go's notation of durations.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Test says what to run. Its zero value is not useful: start from DefaultTest.
// Every setting is an Option, with the same name in a test file and on the
// command line.
type Test struct {
	Name   string `json:"name"`
	System string `json:"system"` // its name; SystemParams are its parameters
	// SystemFile is the file that describes the system, as it was named, and Definition
	// what it said; "" and nil where the system is one of squall's catalogue.
	SystemFile string             `json:"systemFile,omitempty"`
	Definition *custom.Definition `json:"definition,omitempty"`
	Nodes      int                `json:"nodes"`
	Time       Duration           `json:"time"`     // how long the clients put load on the cluster
	Workload   string             `json:"workload"` // its name; WorkloadParams are its parameters
	Nemesis    string             `json:"nemesis"`  // faults and mixes to draw from
	Clients    int                `json:"clients"`
	Rate       workloads.Rate     `json:"rate"` // operations per second in all; none: closed loop
	Seed       uint64             `json:"seed"` // 0: drawn when the plan is made
	Mutant     string             `json:"mutant"`
	Runtime    string             `json:"runtime"` // of the choices below; "" in old plans is docker

	// How the faults are laid out; the zero values leave it to the mix.
	Schedule string `json:"schedule,omitempty"` // steps, in place of drawing
	Hold     string `json:"hold,omitempty"`
	Gap      string `json:"gap,omitempty"`
	Overlap  int    `json:"overlap,omitempty"`
	Limit    string `json:"limit,omitempty"`
	Swarm    bool   `json:"swarm,omitempty"`

	// What system and workload declare, each parameter with its value.
	SystemParams   declare.Args `json:"systemParams"`
	WorkloadParams declare.Args `json:"workloadParams"`
	// old are settings of earlier versions that were given, by name. Their values
	// are among the parameters too. The map is never changed.
	old map[string]string

	OpTimeout Duration `json:"opTimeout"`
	// Recovery is how long the cluster has, once the last fault is healed, to serve
	// through every node again.
	Recovery Duration `json:"recovery"`
	// AvailableWithin is the longest time in which no operation may succeed through a
	// node while no fault is in force; 0: what the system promises, which may be nothing.
	AvailableWithin Duration `json:"availableWithin,omitempty"`

	// StopOn is what ends the load before its time: of the choices below; "" in old plans
	// is never.
	StopOn string `json:"stopOn,omitempty"`

	CPUs   float64 `json:"cpus"`   // of each node; 0: no limit
	Memory int     `json:"memory"` // of each node, MiB; 0: no limit

	Trace string `json:"trace,omitempty"` // of the choices below; "" in old plans is basic

	// DiskJournal is how long the journal of each life of a node's disk may be, MiB; 0: none is kept.
	DiskJournal int `json:"diskJournal,omitempty"`

	Out         string   `json:"out"`
	Keep        string   `json:"keep"`
	CheckTime   Duration `json:"checkTime"`
	CheckMemory int      `json:"checkMemory"` // MiB

	// Thresholds are what the figures must keep: see history/gate.
	Thresholds []string `json:"thresholds,omitempty"`
}

// The choices of Runtime: what makes the machines.
const (
	RuntimeAuto   = "auto" // Docker when its engine answers, else namespaces
	RuntimeDocker = "docker"
	RuntimeLocal  = "local"
)

// The choices of Keep: when the machines are left as they are after a test.
const (
	KeepNever  = "never"
	KeepOnFail = "on-fail"
	KeepAlways = "always"
)

// The choices of Trace: how much the servers tell of what they do (docs/trace.md).
const (
	TraceBasic = "basic" // version 1, in the history
	TraceFull  = "full"  // version 2 as well, in files of its own
	TraceAuto  = "auto"  // full of squall's own node, basic of others; a valid test has one of these
)

// The choices of StopOn.
const (
	StopNever     = "never"
	StopViolation = "violation" // one that is certain, seen while the test runs
)

// DefaultTest is the test that `squall run` runs when it is told nothing.
func DefaultTest() Test {
	raftkv, register := catalogue.Systems()[0], catalogue.Workloads()[0]
	return Test{
		System: raftkv.Name(), SystemParams: raftkv.Params().Fill(nil, nil), Nodes: 5, Time: Duration(30 * time.Second),
		Workload: register.Name, WorkloadParams: register.Params.Fill(nil, nil),
		Nemesis: "partition,kill,pause", Clients: 10, Runtime: RuntimeAuto,
		OpTimeout: Duration(5 * time.Second), Recovery: Duration(30 * time.Second),
		Trace: TraceBasic, StopOn: StopNever, Out: "runs", Keep: KeepNever,
		CheckTime: Duration(2 * time.Minute), CheckMemory: 4096,
	}
}

// Option is one setting of a test.
type Option struct {
	Name  string // in a test file and, after two dashes, on the command line
	Type  string // what is expected: "whole number", "duration", …
	Usage string
	Set   func(t *Test, text string) error
	Get   func(t *Test) string
	// Choices are the values of an option that has a few, Low and High the bounds
	// of one that is a number; both are 0 where there are none.
	Choices   []string
	Low, High float64
	// Declared are the systems or workloads that the setting chooses from, with
	// their parameters; Of and Instead, of an old setting, the setting that has its
	// parameter now, and an example of how to write it.
	Declared []declare.Declaration
	// Files is true of a setting that may name a file instead: see IsSystemFile.
	Files       bool
	Of, Instead string
	// Joined is what stands between the values of a flag that may be given several
	// times; "" where it may not, and the last one counts.
	Joined string
}

// Options are all settings of a test, in the order in which help shows them.
func Options() []Option {
	return []Option{
		intOption("nodes", 1, 9, "nodes in the cluster", func(t *Test) *int { return &t.Nodes }),
		durationOption("time", time.Second, 24*time.Hour, "how long clients load the cluster",
			func(t *Test) *Duration { return &t.Time }),
		workloadOption(),
		{Name: "nemesis", Type: "list of faults", Usage: `faults and mixes to draw from: "storm", "partition, kill(leader)*3" or "none" (see: squall list faults)`,
			Set: setNemesis, Get: func(t *Test) string { return t.Nemesis }},
		intOption("clients", 1, 1000, "client processes", func(t *Test) *int { return &t.Clients }),
		{Name: "rate", Type: "rate", Usage: `operations per second over all clients (open loop): 400, a ramp such as 100-2000, or phases: "200 for 10s, 200-2000 for 30s, 500"; 0: each client sends its next operation when the last one is answered`, High: workloads.MaxRate, Set: setRate,
			Get: func(t *Test) string { return t.Rate.String() }},
		{Name: "seed", Type: "whole number", Usage: "seed of the schedule and the operations; 0: a new one", High: math.MaxUint64, Set: setSeed,
			Get: func(t *Test) string { return strconv.FormatUint(t.Seed, 10) }},
		systemOption(),
		nameOption("runtime", []string{RuntimeAuto, RuntimeDocker, RuntimeLocal},
			"where nodes run: in containers, or in Linux namespaces (local); auto: Docker if its engine answers, else local",
			func(t *Test) *string { return &t.Runtime }),
		{Name: "mutant", Type: "name", Usage: "build the node with a known bug (see: squall list mutants)", Set: setMutant,
			Get: func(t *Test) string { return t.Mutant }},
		{Name: "schedule", Type: "steps", Usage: `faults at fixed times, instead of random ones: "at 3s for 2s: kill(leader); after 1s for 2s: pause"`,
			Set: setSchedule, Get: func(t *Test) string { return t.Schedule }},
		distOption("hold", `how long a fault lasts: "2s", "2s-5s" or "exp(3s)" (default: set by the mix)`, schedule.ParseHold, func(t *Test) *string { return &t.Hold }),
		distOption("gap", `quiet time between two faults, in the same form (default: set by the mix)`, schedule.ParseDist, func(t *Test) *string { return &t.Gap }),
		intOption("overlap", 0, schedule.MaxOverlap, "faults that may be in force at once; 0: set by the mix", func(t *Test) *int { return &t.Overlap }),
		{Name: "limit", Type: "anything|majority", Usage: "what faults may hit: anything, or at most so much that a majority of the nodes stays up (default: set by the mix)", Choices: []string{schedule.Anything, schedule.Majority}, Set: setLimit,
			Get: func(t *Test) string { return t.Limit }},
		{Name: "swarm", Type: "true|false", Usage: "use a random subset of the faults, with random weights, for each seed", Choices: []string{"true", "false"}, Set: setSwarm,
			Get: func(t *Test) string { return strconv.FormatBool(t.Swarm) }},
		nameOption("trace", []string{TraceBasic, TraceFull, TraceAuto}, "how much servers tell of what they do: basic, or every step (full; see docs/trace.md); auto: full for raftkv, basic for other systems",
			func(t *Test) *string { return &t.Trace }),
		textOption("name", "name of the test and of its folder in --out (default: system and workload)",
			func(t *Test) *string { return &t.Name }),
		textOption("out", "folder for run directories", func(t *Test) *string { return &t.Out }),
		nameOption("keep", []string{KeepNever, KeepOnFail, KeepAlways}, "when to keep the machines, stopped, after the run",
			func(t *Test) *string { return &t.Keep }),
		intOption("disk-journal", 0, 1<<14, "keep a journal of each node's disk, of so many MiB at most, for squall crash (docs/guides/crash-states.md); 0: none",
			func(t *Test) *int { return &t.DiskJournal }),
		durationOption("op-timeout", 10*time.Millisecond, time.Minute, "how long a client waits for a reply",
			func(t *Test) *Duration { return &t.OpTimeout }),
		durationOption("recovery", time.Second, time.Hour, "how soon after the last heal a write and a read must succeed on every node",
			func(t *Test) *Duration { return &t.Recovery }),
		durationOrNoneOption("available-within", time.Second, time.Hour,
			"longest time without a success through a node while no fault is in force; 0s: what the system promises, if anything",
			func(t *Test) *Duration { return &t.AvailableWithin }),
		nameOption("stop-on", []string{StopNever, StopViolation}, "end the load early: when a violation is certain while the test runs, or never (docs/verdicts.md)",
			func(t *Test) *string { return &t.StopOn }),
		{Name: "cpus", Type: "number", Usage: "processors for each node, such as 0.5; 0: no limit", High: maxCPUs, Set: setCPUs,
			Get: func(t *Test) string { return strconv.FormatFloat(t.CPUs, 'g', -1, 64) }},
		intOption("memory", 0, 1<<20, "memory for each node, in MiB; 0: no limit", func(t *Test) *int { return &t.Memory }),
		durationOption("check-time", time.Second, 24*time.Hour, "time limit of the check",
			func(t *Test) *Duration { return &t.CheckTime }),
		{Name: "threshold", Type: "bound", Joined: "; ", Set: setThresholds, Get: func(t *Test) string { return strings.Join(t.Thresholds, "; ") },
			Usage: `bound on a metric: "throughput > 2000/s", "latency{op=write} p(99) < 50ms" (docs/metrics.md); may be repeated`},
		intOption("check-memory", 64, 1<<20, "memory limit of the check, in MiB", func(t *Test) *int { return &t.CheckMemory }),
	}
}

// FieldError is a setting whose value cannot be, with what was expected.
type FieldError struct {
	Option string
	Err    error
}

func (e *FieldError) Error() string { return e.Option + ": " + e.Err.Error() }

// Unwrap gives the cause alone.
func (e *FieldError) Unwrap() error { return e.Err }

// Validate looks at the settings together, and completes the parameters of system
// and workload. What can be said of one setting alone was said when it was set. The
// error is a *FieldError.
func (t *Test) Validate() error {
	if err := t.resolveParams(); err != nil {
		return err
	}
	if err := t.checkMutant(); err != nil {
		return err
	}
	if err := t.checkServed(); err != nil {
		return err
	}
	if err := t.checkThresholds(); err != nil {
		return err
	}
	if err := t.checkMemory(); err != nil {
		return err
	}
	if err := t.checkRate(); err != nil {
		return err
	}
	if err := t.settleTrace(); err != nil {
		return err
	}
	if _, err := t.drawFaults(1); err != nil {
		return err
	}
	return nil
}

// NodeNames are the names of n nodes: n1, n2, …
func NodeNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "n" + strconv.Itoa(i+1)
	}
	return names
}

func intOption(name string, lo, hi int, usage string, field func(*Test) *int) Option {
	return Option{Name: name, Type: "whole number", Usage: usage, Low: float64(lo), High: float64(hi), Set: func(t *Test, text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < lo || n > hi {
			return fmt.Errorf("expected a whole number from %d to %d, found %q", lo, hi, text)
		}
		*field(t) = n
		return nil
	}, Get: func(t *Test) string { return strconv.Itoa(*field(t)) }}
}

func durationOption(name string, lo, hi time.Duration, usage string, field func(*Test) *Duration) Option {
	return Option{Name: name, Type: "duration", Usage: usage, Set: func(t *Test, text string) error {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf(`expected a duration such as "30s" or "1m30s", found %q`, text)
		}
		if d < lo || d > hi {
			return fmt.Errorf("expected a duration from %v to %v, found %v", lo, hi, d)
		}
		*field(t) = Duration(d)
		return nil
	}, Get: func(t *Test) string { return time.Duration(*field(t)).String() }}
}

// durationOrNoneOption is a durationOption that takes 0s, too.
func durationOrNoneOption(name string, lo, hi time.Duration, usage string, field func(*Test) *Duration) Option {
	o := durationOption(name, lo, hi, usage, field)
	some := o.Set
	o.Set = func(t *Test, text string) error {
		if d, err := time.ParseDuration(text); err == nil && d == 0 {
			*field(t) = 0
			return nil
		} else if err == nil && (d < lo || d > hi) {
			return fmt.Errorf("expected 0s, or a duration from %v to %v, found %v", lo, hi, d)
		}
		return some(t, text)
	}
	return o
}

func nameOption(name string, known []string, usage string, field func(*Test) *string) Option {
	return Option{Name: name, Type: strings.Join(known, "|"), Usage: usage, Choices: known, Set: func(t *Test, text string) error {
		if !slices.Contains(known, text) {
			return fmt.Errorf("expected one of %s, found %q%s", strings.Join(known, ", "), text, suggest.Hint(text, known))
		}
		*field(t) = text
		return nil
	}, Get: func(t *Test) string { return *field(t) }}
}

func textOption(name, usage string, field func(*Test) *string) Option {
	return Option{Name: name, Type: "text", Usage: usage, Set: func(t *Test, text string) error {
		if text == "" {
			return errors.New("expected a text, found nothing")
		}
		if name == "name" {
			if err := CheckName(text); err != nil {
				return err
			}
		}
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return fmt.Errorf("expected a text without control bytes, found %q", text)
		}
		*field(t) = text
		return nil
	}, Get: func(t *Test) string { return *field(t) }}
}

func setRate(t *Test, text string) (err error) {
	t.Rate, err = workloads.ParseRate(text)
	return err
}

// checkRate refuses phases of which the test's time leaves nothing.
func (t *Test) checkRate() error {
	if n := len(t.Rate); n > 0 {
		need := t.Rate.Lasts()
		if last := t.Rate[n-1]; last.For == 0 && n > 1 {
			need++ // some of the last
		}
		if given := time.Duration(t.Time); need > given {
			return &FieldError{"rate", fmt.Errorf("its phases take %v, and the test %v: shorten them, or give the test more time", need.Truncate(time.Millisecond), given)}
		}
	}
	return nil
}

// Arrivals are the phases of the load, as the history tells of them; none of a closed loop.
func (t *Test) Arrivals() (phases []history.Rate) {
	for _, p := range t.Rate.Within(time.Duration(t.Time)) {
		phases = append(phases, history.Rate{From: p.From, To: p.To, For: int64(p.For)})
	}
	return phases
}

// minCPUs is the least that the kernel's scheduler can be told.
const minCPUs, maxCPUs = 0.01, 1024

func setCPUs(t *Test, text string) error {
	cpus, err := strconv.ParseFloat(text, 64)
	if err != nil || cpus != 0 && !(cpus >= minCPUs && cpus <= maxCPUs) {
		return fmt.Errorf("expected 0, or a number of processors from %v to 1024, found %q", minCPUs, text)
	}
	t.CPUs = cpus
	return nil
}

func setSeed(t *Test, text string) error {
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("expected a whole number from 0 to %d, found %q", uint64(math.MaxUint64), text)
	}
	t.Seed = seed
	return nil
}

func setMutant(t *Test, text string) error {
	if text != "" {
		if _, err := mutants.Find(text); err != nil {
			return err
		}
	}
	t.Mutant = text
	return nil
}

// checkMutant refuses a bug for servers that are not squall-node.
func (t *Test) checkMutant() error {
	system, err := t.FindSystem()
	if err != nil {
		return err
	}
	return mutantFor(system, t.Mutant)
}

func mutantFor(system systems.System, mutant string) error {
	if _, ok := systems.As[systems.NodeRunner](system); ok || mutant == "" {
		return nil
	}
	return &FieldError{"mutant", fmt.Errorf("%s cannot be planted in %s: known bugs are squall-node's, and its servers are another program; leave it out",
		mutant, system.Name())}
}

// defaultPatience is that with a system that does not tell its election timeouts.
const defaultPatience = 150 * time.Millisecond

// Patience is how long a client waits for a node before it goes on with another. It is
// shorter than an election, so that there are reads to answer wrongly while a leader
// that was cut off still believes that it leads.
func (t *Test) Patience() time.Duration {
	patience := defaultPatience
	system, err := t.FindSystem()
	if err == nil {
		if timer, ok := systems.As[systems.ElectionTimer](system); ok {
			shortest, _ := timer.ElectionTimeout(t.SystemParams)
			patience = shortest / 2
		}
	}
	return min(patience, time.Duration(t.OpTimeout))
}

// leastMemory is what a machine with squall-node in it needs, MiB: with less the
// kernel kills it before it serves.
const leastMemory = 16

func (t *Test) checkMemory() error {
	if t.Memory > 0 && t.Memory < leastMemory {
		return &FieldError{"memory", fmt.Errorf("expected 0 for no limit, or %d MiB or more, which a node needs to start, found %d", leastMemory, t.Memory)}
	}
	return nil
}
