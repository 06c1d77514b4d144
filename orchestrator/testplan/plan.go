package testplan

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"squall/nemesis"
)

// PlanVersion is the schema version of plan.json. Version 2, in which settings
// stood for the parameters of systems and workloads, is read and replayed as well;
// version 1, in which faults had no parameters, is only read.
const (
	PlanVersion = 3
	replayable  = 2
)

// Plan is a test with everything drawn that the seed decides. It is written to
// plan.json before anything starts.
type Plan struct {
	SchemaVersion int               `json:"schemaVersion"`
	Squall        string            `json:"squall"`
	Test          Test              `json:"test"`
	Nodes         []string          `json:"nodes"`
	Schedule      []nemesis.Planned `json:"schedule"`
	// LeftOut are the faults of the list for which the load is too short.
	LeftOut []string `json:"leftOut,omitempty"`
	// Command repeats the test, seed included.
	Command string `json:"command"`
}

// NewPlan resolves a valid test: it draws a seed where none was given, and the
// schedule of faults.
func NewPlan(t Test, version, program string) (*Plan, error) {
	if t.Seed == 0 {
		t.Seed = NewSeed()
	}
	if t.Name == "" {
		t.Name = DefaultName(t)
	}
	drawn, err := t.drawFaults(t.Seed)
	if err != nil {
		return nil, err
	}
	return &Plan{SchemaVersion: PlanVersion, Squall: version, Test: t, Nodes: NodeNames(t.Nodes),
		Schedule: drawn.Planned, LeftOut: drawn.LeftOut, Command: CommandFor(program, t)}, nil
}

// Omitted says which of the faults that the test lists are not in the plan and why, a line
// for each reason.
func (p *Plan) Omitted() []string {
	lines := p.Test.LeftOut()
	if len(p.LeftOut) > 0 {
		lines = append(lines, fmt.Sprintf("left out  %s: %v of load are too short for every fault", strings.Join(p.LeftOut, ", "), time.Duration(p.Test.Time)))
	}
	return lines
}

// ReplayPlan is a plan that injects the faults of another one again, at the same
// offsets and into the same nodes. t is the other's test, or what was changed of
// it; path is where the other one is.
func ReplayPlan(old *Plan, t Test, version, program, path string) (*Plan, error) {
	if old.SchemaVersion < replayable {
		return nil, fmt.Errorf("%s has schema version %d and cannot be replayed: its faults are not those of this squall; "+
			"repeat the run by its settings instead: %s", path, old.SchemaVersion, CommandFor(program, old.Test))
	}
	if err := old.checkSchedule(time.Duration(t.Time)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := old.checkReplay(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Plan{SchemaVersion: PlanVersion, Squall: version, Test: t, Nodes: old.Nodes, Schedule: old.Schedule,
		Command: program + " run --plan " + Quote(path)}, nil
}

// checkPlanned refuses what nobody has drawn: plans can be edited.
func checkPlanned(fault nemesis.Fault, p nemesis.Planned, nodes []string, length time.Duration) error {
	if _, ok := fault.Variant(p.Variant); !ok && len(p.Nodes) == 0 {
		return fmt.Errorf("%s has no variant %q", p.Fault, p.Variant)
	}
	if len(p.Params) > len(fault.Params) {
		return fmt.Errorf("it has %d parameters, and %s has %d", len(p.Params), p.Fault, len(fault.Params))
	}
	for _, param := range fault.Params {
		if _, err := param.Canon(p.Params[param.Name]); err != nil {
			return err
		}
	}
	if !slices.Equal(slices.Sorted(slices.Values(p.Order)), slices.Sorted(slices.Values(nodes))) {
		return fmt.Errorf("its order is of %v, and the nodes are %v", p.Order, nodes)
	}
	for _, node := range p.Nodes {
		if !slices.Contains(nodes, node) {
			return fmt.Errorf("there is no node %q; there are %v", node, nodes)
		}
	}
	if err := checkAim(fault, p, nodes); err != nil {
		return err
	}
	if p.Roles != nil {
		for _, node := range []string{p.Roles.Leader, p.Roles.OldLeader, p.Roles.Candidate} {
			if node != "" && !slices.Contains(nodes, node) {
				return fmt.Errorf("%q has a role, but is not a node; there are %v", node, nodes)
			}
		}
	}
	end := length.Milliseconds()
	if p.Aim != nil { // it may begin later by what it waits
		end -= p.Aim.AfterMs + p.Aim.WithinMs
	}
	if p.AtMs < 0 || p.AtMs > end || p.ForMs <= 0 || p.ForMs > end-p.AtMs {
		return fmt.Errorf("it begins at %d ms and lasts for %d ms, and the load ends after %v", p.AtMs, p.ForMs, length)
	}
	return nil
}

// checkAim refuses an aim that nobody has drawn.
func checkAim(fault nemesis.Fault, p nemesis.Planned, nodes []string) error {
	if p.Aim == nil {
		if v, _ := fault.Variant(p.Variant); v.Aimed && len(p.Nodes) == 0 {
			return fmt.Errorf("%s hits the node of a moment, and is aimed at none", p.Name())
		}
		return nil
	}
	if err := p.Aim.Check(); err != nil {
		return err
	}
	if s := p.Aim.Struck; s != nil {
		for _, node := range []string{s.Node, s.Peer} {
			if node != "" && !slices.Contains(nodes, node) {
				return fmt.Errorf("its moment was that of %q, which is not a node; there are %v", node, nodes)
			}
		}
	}
	return nil
}

// DefaultName is what a test is called that was given no name.
func DefaultName(t Test) string {
	name := t.System + "-" + t.Workload
	if t.Mutant != "" {
		name += "-" + t.Mutant
	}
	return name
}

// NewSeed draws a seed that is short enough to be read aloud.
func NewSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return 1 + binary.LittleEndian.Uint64(b[:])%999_999_999
}

// CommandFor is the command that repeats a test: every setting that is not the
// default.
func CommandFor(program string, t Test) string {
	defaults := DefaultTest()
	words := []string{program, "run"}
	for _, option := range Options() {
		value := option.Get(&t)
		always := option.Name == "seed" || option.Name == "time"
		if option.Name == "name" && value == DefaultName(t) {
			continue
		}
		if always || value != option.Get(&defaults) {
			words = append(words, "--"+option.Name, Quote(value))
		}
	}
	return strings.Join(words, " ")
}

// Quote makes one word of a value for a POSIX shell.
func Quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./,:=@%+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
