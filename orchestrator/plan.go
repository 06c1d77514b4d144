package orchestrator

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"squall/nemesis"
)

// PlanVersion is the schema version of plan.json.
const PlanVersion = 1

// Plan is a test with everything drawn that the seed decides. It is written to
// plan.json before anything starts.
type Plan struct {
	SchemaVersion int               `json:"schemaVersion"`
	Squall        string            `json:"squall"`
	Test          Test              `json:"test"`
	Nodes         []string          `json:"nodes"`
	Schedule      []nemesis.Planned `json:"schedule"`
	// Command repeats the test, seed included.
	Command string `json:"command"`
}

// NewPlan resolves a valid test: it draws a seed where none was given, and the
// schedule of faults.
func NewPlan(t Test, version, program string) (*Plan, error) {
	if t.Seed == 0 {
		t.Seed = newSeed()
	}
	if t.Name == "" {
		t.Name = DefaultName(t)
	}
	choices, err := nemesis.Parse(t.Nemesis)
	if err != nil {
		return nil, err
	}
	nodes := NodeNames(t.Nodes)
	schedule, err := nemesis.Schedule(t.Seed, nodes, time.Duration(t.Time), choices, nemesis.DefaultPace())
	if err != nil {
		return nil, err
	}
	return &Plan{SchemaVersion: PlanVersion, Squall: version, Test: t, Nodes: nodes,
		Schedule: schedule, Command: commandFor(program, t)}, nil
}

// DefaultName is what a test is called that was given no name.
func DefaultName(t Test) string {
	name := t.System + "-" + t.Workload
	if t.Mutant != "" {
		name += "-" + t.Mutant
	}
	return name
}

// newSeed is short enough to be read aloud.
func newSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return 1 + binary.LittleEndian.Uint64(b[:])%999_999_999
}

// commandFor is the command that repeats a test: every setting that is not the
// default.
func commandFor(program string, t Test) string {
	defaults := DefaultTest()
	words := []string{program, "run"}
	for _, option := range Options() {
		value := option.Get(&t)
		always := option.Name == "seed" || option.Name == "time"
		if option.Name == "name" && value == DefaultName(t) {
			continue
		}
		if always || value != option.Get(&defaults) {
			words = append(words, "--"+option.Name, quote(value))
		}
	}
	return strings.Join(words, " ")
}

// quote makes one word of a value for a POSIX shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./,:=@%+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// ReadPlan reads the plan of a run directory.
func ReadPlan(dir string) (*Plan, error) {
	path := filepath.Join(dir, PlanFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if p.SchemaVersion != PlanVersion {
		return nil, fmt.Errorf("%s has schema version %d; this squall reads %d", path, p.SchemaVersion, PlanVersion)
	}
	return &p, nil
}
