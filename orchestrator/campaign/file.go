package campaign

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"squall/history/gate"
	"squall/history/ledger"
	"squall/internal/suggest"
	"squall/orchestrator/testplan"
)

// File is a campaign file, understood.
type File struct {
	Path           string
	Name           string // of the campaign, and of its folder
	Jobs           int    // cells at once; 0: from cores and memory
	Repeats        int    // of every cell, with the same seed
	Budget         time.Duration
	InvalidRetries int // times that an invalid cell is run again
	MaxCells       int
	Seeds          []uint64
	Thresholds     []string // of the whole campaign
	Baseline       string   // directory of an earlier campaign; "": none
	Tolerance      float64  // share that may be lost against it

	cellThresholds []string // of every cell

	base    testplan.Test
	test    *testplan.TestFile
	matrix  []axis
	exclude []partial
	include []partial

	root  *yaml.Node // what a mistake of the whole file is put at
	at    map[string]*yaml.Node
	old   []string // settings of earlier versions, beside those of test
	seed  uint64
	count int // of seeds to draw from seed
	bad   []testplan.FileError
}

// axis is a setting of the matrix and the values that it takes.
type axis struct {
	option testplan.Option
	values []testplan.Setting
}

// partial are some settings of a test: of an entry of exclude or include.
type partial struct {
	node     *yaml.Node
	settings []testplan.Setting
}

// Overrides are what flags say over the file; zero values say nothing.
type Overrides struct {
	Jobs, MaxCells int
	Budget         time.Duration
	Seed           uint64
	Runtime        string
	Baseline       string
	Tolerance      string // "" says nothing
}

// What a file says that says nothing.
const (
	defaultRetries = 1
	// DefaultMaxCells is where a matrix is taken for a mistake.
	DefaultMaxCells = 1000
)

// key is a key of a campaign file, with what reads its value.
type key struct {
	name string
	read func(f *File, value *yaml.Node)
}

func keys() []key {
	return []key{
		{"name", (*File).readName},
		{"test", (*File).readTest},
		{"matrix", (*File).readMatrix},
		{"exclude", func(f *File, v *yaml.Node) { f.exclude = f.readPartials("exclude", v) }},
		{"include", func(f *File, v *yaml.Node) { f.include = f.readPartials("include", v) }},
		{"seed", (*File).readSeed},
		{"seeds", (*File).readSeeds},
		{"repeats", func(f *File, v *yaml.Node) { f.readInt("repeats", v, 1, 1000, &f.Repeats) }},
		{"jobs", func(f *File, v *yaml.Node) { f.readInt("jobs", v, 1, 256, &f.Jobs) }},
		{"budget", (*File).readBudget},
		{"invalid-retries", func(f *File, v *yaml.Node) { f.readInt("invalid-retries", v, 0, 10, &f.InvalidRetries) }},
		{"thresholds", (*File).readThresholds},
		{"campaign-thresholds", (*File).readCampaignThresholds},
		{"baseline", (*File).readBaseline},
		{"tolerance", (*File).readTolerance},
		{"max-cells", func(f *File, v *yaml.Node) { f.readInt("max-cells", v, 1, MostCells, &f.MaxCells) }},
	}
}

// keyNames are the keys that a campaign file may have.
func keyNames() []string {
	var names []string
	for _, k := range keys() {
		names = append(names, k.name)
	}
	return names
}

// Read reads a campaign file. Every mistake in it is reported at once, as
// *orchestrator.FileErrors.
func Read(path string, over Overrides) (*File, error) {
	text, err := testplan.ReadText(path, "campaign file")
	if err != nil {
		return nil, err
	}
	return parse(path, text, over)
}

// baseTest is what the cells of a campaign are made of: of many tests none goes on once it
// has shown what it was for.
func baseTest() testplan.Test {
	t := testplan.DefaultTest()
	t.StopOn = testplan.StopViolation
	return t
}

func parse(path string, text []byte, over Overrides) (*File, error) {
	root, err := testplan.DecodeYAML(path, text)
	if err != nil {
		return nil, err
	}
	f := &File{Path: path, Repeats: 1, InvalidRetries: defaultRetries, MaxCells: DefaultMaxCells, Tolerance: gate.DefaultTolerance,
		base: baseTest(), root: root, at: map[string]*yaml.Node{}, seed: 1, count: 1}
	switch {
	case root == nil:
		f.root = &yaml.Node{Line: 1, Column: 1}
		f.mistake(f.root, "the file is empty; `squall init` writes an example")
	case root.Kind != yaml.MappingNode:
		f.mistake(root, "expected `name: value`, found %s", testplan.KindName(root))
	default:
		if setting := onlyTest(root); setting != nil {
			f.mistake(setting, "this is a test file, since it has the setting %q: `squall run %s` runs it; in a campaign file it goes below `test:` or `matrix:`",
				setting.Value, testplan.Quote(path))
			return nil, f.mistakes()
		}
		f.readKeys(root)
	}
	if err := f.apply(over); err != nil {
		return nil, err
	}
	f.complete()
	return f, f.mistakes()
}

// Old are the settings of earlier versions that the file holds.
func (f *File) Old() []string { return append(f.old, f.test.Old()...) }

// mistakes are all that were found, nil when there are none.
func (f *File) mistakes() error {
	if len(f.bad) == 0 {
		return nil
	}
	testplan.SortMistakes(f.bad)
	return &testplan.FileErrors{File: f.Path, Errors: f.bad}
}

func (f *File) mistake(node *yaml.Node, format string, args ...any) {
	f.bad = append(f.bad, *testplan.MistakeAt(node, format, args...))
}

func (f *File) readKeys(root *yaml.Node) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, value := root.Content[i], root.Content[i+1]
		n := slices.IndexFunc(keys(), func(k key) bool { return k.name == name.Value })
		switch {
		case n < 0:
			hint := suggest.Among(name.Value, keyNames())
			if _, ok := testplan.FindOption(name.Value); ok {
				hint = "settings of the tests go below `test:`, or with a list of values below `matrix:`"
			}
			f.mistake(name, "unknown key %s; %s", testplan.KindName(name), hint)
		case f.at[name.Value] != nil:
			f.mistake(name, "%s is set twice; first in line %d", name.Value, f.at[name.Value].Line)
		default:
			f.at[name.Value] = value
			keys()[n].read(f, value)
		}
	}
}

// apply puts what flags say over the file.
func (f *File) apply(over Overrides) error {
	if over.Jobs > 0 {
		f.Jobs = over.Jobs
	}
	if over.MaxCells > 0 {
		f.MaxCells = over.MaxCells
	}
	if over.Budget > 0 {
		f.Budget = over.Budget
	}
	if over.Seed > 0 {
		f.seed = over.Seed
	}
	if over.Runtime != "" {
		f.base.Runtime = over.Runtime
		f.test.Override("runtime")
	}
	if over.Baseline != "" {
		f.Baseline = over.Baseline
	}
	if over.Tolerance != "" {
		tolerance, err := gate.ParseTolerance(over.Tolerance)
		if err != nil {
			return fmt.Errorf("--tolerance: %w", err)
		}
		f.Tolerance = tolerance
	}
	return nil
}

// complete works out what the keys say only together.
func (f *File) complete() {
	f.addThresholds()
	if f.Name == "" {
		base := filepath.Base(f.Path)
		f.Name = slug(strings.TrimSuffix(base, filepath.Ext(base)))
	}
	if len(f.Seeds) == 0 {
		for i := range f.count { // in a row: a seed is to be read aloud
			f.Seeds = append(f.Seeds, f.seed+uint64(i))
		}
	}
}

func (f *File) readName(value *yaml.Node) {
	if value.Kind != yaml.ScalarNode || !ledger.IsID(value.Value) || value.Value == latest || len(value.Value) > 100 {
		f.mistake(value, "name: expected a name of letters, digits, dots, dashes and underscores that is not %q, found %s",
			latest, testplan.KindName(value))
		return
	}
	f.Name = value.Value
}

// campaigns decide these settings of their tests.
var decided = map[string]string{
	"seed": "set `seed:` or `seeds:` next to `test:`",
	"name": "a cell is named by its settings",
	"out":  "runs go below the campaign's directory; --out says where that is",
}

func (f *File) readTest(value *yaml.Node) {
	if value.Kind == yaml.MappingNode {
		for i := 0; i < len(value.Content); i += 2 {
			f.refuseDecided(value.Content[i])
		}
	}
	file, bad := testplan.ReadSettings(f.Path, value, &f.base)
	f.test = file
	f.bad = append(f.bad, bad...)
}

func (f *File) refuseDecided(name *yaml.Node) bool {
	why, ok := decided[name.Value]
	if ok {
		f.mistake(name, "%s is not for a campaign's tests: %s", name.Value, why)
	}
	return ok
}

func (f *File) readMatrix(value *yaml.Node) {
	if value.Kind != yaml.MappingNode {
		f.mistake(value, "matrix: expected settings with lists of values, such as `nodes: [3, 5]`, found %s", testplan.KindName(value))
		return
	}
	if len(value.Content) == 0 {
		f.mistake(value, "matrix: it expands to no cell; give it settings with lists of values, or leave it out")
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		f.readAxis(value.Content[i], value.Content[i+1])
	}
}

func (f *File) readAxis(name, value *yaml.Node) {
	option, ok := f.option("matrix", name)
	if !ok {
		return
	}
	if slices.ContainsFunc(f.matrix, func(a axis) bool { return a.option.Name == option.Name }) {
		f.mistake(name, "matrix: %s is set twice", option.Name)
		return
	}
	if value.Kind != yaml.SequenceNode {
		f.mistake(value, "matrix: %s: expected a list of values, found %s", option.Name, testplan.KindName(value))
		return
	}
	if len(value.Content) == 0 {
		f.mistake(value, "matrix: %s has no values, so the matrix expands to no cell; give it values or leave it out", option.Name)
		return
	}
	a := axis{option: option}
	seen := map[string]int{}
	for _, item := range value.Content {
		setting, bad := f.canonical(option, item)
		if bad != nil {
			f.bad = append(f.bad, *bad)
			continue
		}
		if line := seen[setting.Text]; line > 0 {
			f.mistake(item, "matrix: %s: %s occurs twice, first in line %d: its cells would be duplicates; "+
				"`repeats:` runs cells several times", option.Name, testplan.KindName(item), line)
			continue
		}
		seen[setting.Text] = item.Line
		a.values = append(a.values, setting)
	}
	f.matrix = append(f.matrix, a)
}

// canonical reads a value, and writes it as every other way to write it is.
func (f *File) canonical(option testplan.Option, value *yaml.Node) (testplan.Setting, *testplan.FileError) {
	setting, bad := testplan.ReadSetting(option, value)
	if bad != nil {
		return setting, bad
	}
	scratch := testplan.DefaultTest()
	bad = setting.Apply(&scratch)
	setting.Text = option.Get(&scratch)
	return setting, bad
}

// option is the setting that a key below matrix, exclude or include names.
func (f *File) option(where string, name *yaml.Node) (testplan.Option, bool) {
	if f.refuseDecided(name) {
		return testplan.Option{}, false
	}
	option, ok := testplan.FindOption(name.Value)
	if option.Of != "" && !slices.Contains(f.old, option.Name) {
		f.old = append(f.old, option.Name)
	}
	if !ok {
		f.mistake(name, "%s: unknown setting %s; %s", where, testplan.KindName(name),
			suggest.Among(name.Value, testplan.OptionNames()))
	}
	return option, ok
}

func (f *File) readPartials(where string, value *yaml.Node) []partial {
	if value.Kind != yaml.SequenceNode {
		f.mistake(value, "%s: expected a list of settings, such as `- {nodes: 3, nemesis: kill}`, found %s", where, testplan.KindName(value))
		return nil
	}
	var all []partial
	for _, item := range value.Content {
		if item.Kind != yaml.MappingNode || len(item.Content) == 0 {
			f.mistake(item, "%s: expected settings such as `{nodes: 3, nemesis: kill}`, found %s", where, testplan.KindName(item))
			continue
		}
		p := partial{node: item}
		for i := 0; i+1 < len(item.Content); i += 2 {
			option, ok := f.option(where, item.Content[i])
			if !ok {
				continue
			}
			setting, bad := testplan.ReadSetting(option, item.Content[i+1])
			if bad != nil {
				f.bad = append(f.bad, *bad)
				continue
			}
			p.settings = append(p.settings, setting)
		}
		all = append(all, p)
	}
	return all
}

func (f *File) readSeed(value *yaml.Node) {
	if f.at["seeds"] != nil && f.at["seeds"].Kind == yaml.SequenceNode {
		f.mistake(value, "seed: `seeds:` lists the seeds already; leave out one of the two")
		return
	}
	if seed, ok := f.seedOf("seed", value); ok {
		f.seed = seed
	}
}

// maxSeed leaves room to count on from a seed.
const maxSeed = math.MaxUint64 - MostCells

func (f *File) seedOf(where string, value *yaml.Node) (uint64, bool) {
	seed, err := strconv.ParseUint(value.Value, 10, 64)
	if value.Kind != yaml.ScalarNode || err != nil || seed == 0 || seed > maxSeed {
		f.mistake(value, "%s: expected a whole number from 1 to %d, found %s", where, uint64(maxSeed), testplan.KindName(value))
		return 0, false
	}
	return seed, true
}

// readSeeds takes a list of seeds, or how many.
func (f *File) readSeeds(value *yaml.Node) {
	if value.Kind != yaml.SequenceNode {
		f.readInt("seeds", value, 1, MostCells, &f.count)
		return
	}
	if f.at["seed"] != nil {
		f.mistake(value, "seeds: `seed:` is already set; leave it out, or say how many seeds to count from it (seeds: 3)")
	}
	if len(value.Content) == 0 {
		f.mistake(value, "seeds: the list is empty, so there is no cell; give it seeds or leave it out")
	}
	for _, item := range value.Content {
		seed, ok := f.seedOf("seeds", item)
		if ok && slices.Contains(f.Seeds, seed) {
			f.mistake(item, "seeds: %d occurs twice: its cells would be duplicates; `repeats:` runs cells several times", seed)
		} else if ok {
			f.Seeds = append(f.Seeds, seed)
		}
	}
}

func (f *File) readInt(where string, value *yaml.Node, lo, hi int, into *int) {
	n, err := strconv.Atoi(value.Value)
	if value.Kind != yaml.ScalarNode || err != nil || n < lo || n > hi {
		f.mistake(value, "%s: expected a whole number from %d to %d, found %s", where, lo, hi, testplan.KindName(value))
		return
	}
	*into = n
}

func (f *File) readBudget(value *yaml.Node) {
	d, err := time.ParseDuration(value.Value)
	if value.Kind != yaml.ScalarNode || err != nil || d < time.Second {
		f.mistake(value, `budget: expected a duration of a second or more, such as "30m", found %s`, testplan.KindName(value))
		return
	}
	f.Budget = d
}
