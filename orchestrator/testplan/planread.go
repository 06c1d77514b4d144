package testplan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/internal/regular"
	"squall/nemesis"
	"squall/nemesis/faults"
)

const (
	maxPlan       = 256 << 20 // bytes of a plan.json: a day of faults takes some 20 MB
	maxFaults     = 1_000_000
	planIsStrange = "it was edited, or written by another squall"
)

// ReadPlan reads the plan of a run directory.
func ReadPlan(dir string) (*Plan, error) { return ReadPlanFile(filepath.Join(dir, PlanFile)) }

// ReadPlanFile reads a plan, and looks at it as at a test file: it may be a
// stranger's. Its command is not believed but made anew.
func ReadPlanFile(path string) (*Plan, error) {
	text, err := readSmall(path, maxPlan)
	if err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	p, err := parsePlan(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p.Command = p.Repeat("squall", path)
	return p, nil
}

// readSmall reads a regular file of at most so many bytes: nothing that waits for
// a writer, such as a FIFO, and nothing without an end.
func readSmall(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s has more than %d MiB", path, most>>20)
	}
	return text, err
}

// parsePlan reads a plan's text and validates it. Settings that it does not hold,
// since they came later, have their defaults. The command is "": see Repeat.
func parsePlan(text []byte) (*Plan, error) {
	var version struct {
		SchemaVersion int `json:"schemaVersion"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("the plan is damaged: %w", err)
	}
	if version.SchemaVersion < 1 || version.SchemaVersion > PlanVersion {
		return nil, fmt.Errorf("the plan has schema version %d; this squall reads 1 to %d", version.SchemaVersion, PlanVersion)
	}
	p := Plan{Test: DefaultTest()}
	p.Test.Runtime = RuntimeDocker // of before there was a choice
	p.Test.SystemParams, p.Test.WorkloadParams = nil, nil
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("the plan is damaged: %w", err)
	}
	p.Command = ""
	if err := p.lift(text); err != nil {
		return nil, fmt.Errorf("the plan cannot be used, because %s: %w", planIsStrange, err)
	}
	p.Test.withoutNewer()
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("the plan cannot be used, because %s: %w", planIsStrange, err)
	}
	return &p, nil
}

// lift takes the settings of a plan of version 1 or 2 that have become parameters.
func (p *Plan) lift(text []byte) error {
	if p.SchemaVersion >= 3 {
		return nil
	}
	var plan struct {
		Test map[string]any `json:"test"`
	}
	if err := json.Unmarshal(text, &plan); err != nil {
		return fmt.Errorf("test: %w", err)
	}
	for _, o := range olds() {
		value, ok := plan.Test[o.plan]
		if !ok {
			continue
		}
		if n, isNumber := value.(float64); isNumber {
			value = strconv.FormatFloat(n, 'f', -1, 64)
		}
		if err := o.option().Set(&p.Test, fmt.Sprint(value)); err != nil {
			return fmt.Errorf("test: %s: %w", o.plan, err)
		}
	}
	p.Test.old = nil
	return nil
}

// withoutNewer sets the parameters that system and workload did not have when the test was
// planned to what they did then, where that is not what they do by default now.
func (t *Test) withoutNewer() {
	if t.System == "raftkv" && t.Definition == nil {
		t.SystemParams = withThen(t.SystemParams, "resend", "off")
	}
	if t.Workload == "register" {
		t.WorkloadParams = withThen(t.WorkloadParams, "spread", "0")
	}
}

func withThen(args declare.Args, name, then string) declare.Args {
	if _, has := args[name]; has {
		return args
	}
	all := maps.Clone(args)
	if all == nil {
		all = declare.Args{}
	}
	all[name] = then
	return all
}

// validate refuses a plan that no squall makes.
func (p *Plan) validate() error {
	if err := p.Test.resolveParams(); err != nil {
		return fmt.Errorf("test: %w", err)
	}
	scratch := p.Test
	for _, option := range Options() {
		if option.Files && p.Test.Definition != nil {
			continue // it was looked at above, and its file may be gone
		}
		if err := option.Set(&scratch, option.Get(&p.Test)); err != nil {
			return fmt.Errorf("test: %s: %w", option.Name, err)
		}
	}
	if p.SchemaVersion < replayable {
		// The faults of that version are not those of this one.
		p.Test.Nemesis, p.Schedule = "none", nil
	}
	if err := p.Test.Validate(); err != nil {
		return fmt.Errorf("test: %w", err)
	}
	if names := NodeNames(p.Test.Nodes); !slices.Equal(p.Nodes, names) {
		return fmt.Errorf("its nodes are %q; a test of %d nodes has %q", p.Nodes, p.Test.Nodes, names)
	}
	return p.checkSchedule(time.Duration(p.Test.Time))
}

// checkSchedule refuses faults that nobody has drawn.
func (p *Plan) checkSchedule(length time.Duration) error {
	if len(p.Schedule) > maxFaults {
		return fmt.Errorf("it has %d faults; at most %d can be", len(p.Schedule), maxFaults)
	}
	catalogue := faults.All()
	byName := map[string]nemesis.Fault{}
	for _, fault := range catalogue {
		byName[fault.Name] = fault
	}
	seen := make(map[int]bool, len(p.Schedule))
	for i, planned := range p.Schedule {
		fault, ok := byName[planned.Fault]
		if !ok {
			return fmt.Errorf("fault %d is %q, which this squall does not have", planned.ID, planned.Fault)
		}
		planned.Params = withNewer(fault, planned.Params)
		p.Schedule[i].Params = planned.Params
		if planned.ID < 1 || seen[planned.ID] {
			return fmt.Errorf("fault number %d is below 1, or used twice", planned.ID)
		}
		seen[planned.ID] = true
		if err := checkPlanned(fault, planned, p.Nodes, length); err != nil {
			return fmt.Errorf("fault %d: %w", planned.ID, err)
		}
	}
	return nil
}

// withNewer adds the parameters that a fault did not have when it was planned, by their
// defaults, which are what it did then.
func withNewer(fault nemesis.Fault, old declare.Args) declare.Args {
	for _, param := range fault.Params {
		old = withThen(old, param.Name, param.Default)
	}
	return old
}

// Repeat is the command that repeats the plan, which is at path: by its settings
// where these lead to the same faults, else by the plan itself. The command that
// stands in a plan.json is not used: whoever wrote the file may have put anything
// there, and people copy it into a shell.
func (p *Plan) Repeat(program, path string) string {
	drawn, err := p.Test.drawFaults(p.Test.Seed)
	if err == nil && p.Test.Seed != 0 && slices.EqualFunc(drawn.Planned, p.Schedule, samePlanned) {
		return CommandFor(program, p.Test)
	}
	return program + " run --plan " + Quote(path)
}

// samePlanned reports whether two faults are the same but for who played the
// roles when the test ran, and how they struck their moments.
func samePlanned(a, b nemesis.Planned) bool {
	if !a.Aim.Same(b.Aim) {
		return false
	}
	a.Roles, b.Roles = nil, nil
	return a.ID == b.ID && a.Fault == b.Fault && a.Variant == b.Variant && a.AtMs == b.AtMs && a.ForMs == b.ForMs && a.Seed == b.Seed &&
		slices.Equal(a.Nodes, b.Nodes) && slices.Equal(a.Order, b.Order) &&
		(len(a.Params) == 0 && len(b.Params) == 0 || reflect.DeepEqual(a.Params, b.Params))
}

// PlanOf is the plan of a run directory. A history that lies in a folder alone is
// checked by what its header says and the defaults: its test lasted for an
// unknown time, and has no thresholds.
func PlanOf(dir string) (*Plan, error) {
	plan, err := ReadPlan(dir)
	if err == nil {
		return plan, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w (move %s away to have the history checked by its header alone)", err, PlanFile)
	}
	t := DefaultTest()
	t.Time = 0
	r, err := history.Open(filepath.Join(dir, history.FileName))
	if damage := new(history.DamageError); errors.As(err, &damage) {
		return &Plan{Test: t}, nil // the check says so
	}
	if err != nil {
		return nil, fmt.Errorf("there is no %s, and its history cannot be read instead: %w", filepath.Join(dir, PlanFile), err)
	}
	h := r.Header()
	if err := r.Close(); err != nil {
		return nil, fmt.Errorf("read the header of the history: %w", err)
	}
	for name, value := range map[string]string{"system": h.System, "workload": h.Workload} {
		option, _ := FindOption(name)
		if err := option.Set(&t, value); err != nil {
			return nil, fmt.Errorf("there is no %s, and the header of the history does not say how to check it: %s: %w",
				filepath.Join(dir, PlanFile), name, err)
		}
	}
	return &Plan{Test: t, Nodes: h.Nodes}, nil
}
