package campaign

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"

	"squall/history/ledger"
	"squall/orchestrator/testplan"
)

// MostCells bounds max-cells: the record of a campaign is one file, and its page
// one grid.
const MostCells = 100_000

// mostCombined bounds what is multiplied out to see what the exclusions leave.
const mostCombined = 1_000_000

// group is a test of the matrix, before seeds and repeats.
type group struct {
	name string
	test testplan.Test
	node *yaml.Node                  // where it comes from: the matrix, or an entry of include
	from map[string]testplan.Setting // by option, where its settings come from
}

// expand multiplies the matrix out. The cells come by repeat, then seed, then
// settings, so that a campaign that is cut short has tried as many settings as
// it could.
func (f *File) expand() ([]ledger.Cell, []testplan.Test, error) {
	groups := f.groups()
	if len(f.bad) > 0 {
		return nil, nil, f.mistakes()
	}
	nameGroups(groups)
	f.checkGroups(groups)
	if len(f.bad) > 0 {
		return nil, nil, f.mistakes()
	}
	var cells []ledger.Cell
	var tests []testplan.Test
	for repeat := 1; repeat <= f.Repeats; repeat++ {
		for _, seed := range f.Seeds {
			for i := range groups {
				t := groups[i].test
				t.Seed = seed
				t.Name = cellID(groups[i].name, seed, repeat, f.Repeats)
				cells, tests = append(cells, newCell(t, repeat)), append(tests, t)
			}
		}
	}
	return cells, tests, nil
}

// newCell is the record of a test that was not run yet.
func newCell(t testplan.Test, repeat int) ledger.Cell {
	c := ledger.Cell{ID: t.Name, System: t.SystemCall(), Nodes: t.Nodes, Workload: t.WorkloadCall(), Nemesis: t.Nemesis, Mutant: t.Mutant,
		Seed: t.Seed, Repeat: repeat, Settings: map[string]string{}, State: ledger.Waiting}
	if t.Schedule != "" {
		c.Nemesis = t.Schedule // it is what happens, in place of drawing
	}
	defaults := baseTest()
	for _, option := range testplan.Options() {
		if _, ok := decided[option.Name]; ok {
			continue
		}
		if value := option.Get(&t); value != option.Get(&defaults) {
			c.Settings[option.Name] = value
		}
	}
	return c
}

// groups are the tests of the matrix and of include.
func (f *File) groups() []group {
	var groups []group
	if len(f.matrix) > 0 || len(f.include) == 0 {
		groups = f.combinations()
	}
	groups = append(groups, f.included(groups)...)
	f.conflicts(groups)
	if n := saturated(len(groups), len(f.Seeds), f.Repeats); n > f.MaxCells && len(f.bad) == 0 {
		f.tooMany(n, "")
	}
	return groups
}

// conflicts refuses old settings where the parameter is given beside them.
func (f *File) conflicts(groups []group) {
	for i := range groups {
		err := testplan.Conflict(slices.Collect(maps.Values(groups[i].from)))
		field := new(testplan.FieldError)
		if errors.As(err, &field) {
			setting := groups[i].from[field.Option]
			f.bad = append(f.bad, *setting.Mistake(err))
			return // the others are like it
		}
	}
}

// combinations are the matrix multiplied out, without what exclude leaves out.
func (f *File) combinations() []group {
	sizes := []int{1}
	for _, a := range f.matrix {
		sizes = append(sizes, len(a.values))
	}
	total := saturated(sizes...)
	if total > mostCombined {
		f.tooMany(saturated(total, len(f.Seeds), f.Repeats), " before exclude")
		return nil
	}
	var groups []group
	hits := make([]int, len(f.exclude))
	for n := range total {
		g := f.combination(n)
		if f.excluded(&g, hits) {
			continue
		}
		if saturated(len(groups), len(f.Seeds), f.Repeats) <= MostCells { // else they are only counted
			groups = append(groups, g)
		}
	}
	for i, hit := range hits {
		if hit == 0 && len(f.bad) == 0 {
			f.mistake(f.exclude[i].node, "exclude: no cell of the matrix matches this; remove it, or correct its values")
		}
	}
	if len(groups) == 0 && total > 0 && len(f.bad) == 0 {
		f.mistake(f.node("exclude"), "exclude: it leaves none of the %d cells of the matrix; keep some", total)
	}
	return groups
}

// combination is the n-th test of the matrix; the last setting changes fastest.
func (f *File) combination(n int) group {
	g := group{test: f.base, node: f.node("matrix"), from: map[string]testplan.Setting{}}
	for i := len(f.matrix) - 1; i >= 0; i-- {
		values := f.matrix[i].values
		g.set(f, values[n%len(values)])
		n /= len(values)
	}
	return g
}

// set sets what was seen to be possible when it was read.
func (g *group) set(f *File, s testplan.Setting) {
	if bad := s.Apply(&g.test); bad != nil {
		f.bad = append(f.bad, *bad)
	}
	g.from[s.Option.Name] = s
}

// excluded reports whether an entry of exclude is like the test, and counts it.
func (f *File) excluded(g *group, hits []int) bool {
	out := false
	for i, p := range f.exclude {
		if p.matches(&g.test) {
			hits[i]++
			out = true
		}
	}
	return out
}

func (p partial) matches(t *testplan.Test) bool {
	return !slices.ContainsFunc(p.settings, func(s testplan.Setting) bool { return !s.Matches(t) })
}

// included are the tests of include, which must be others than those there are.
func (f *File) included(groups []group) []group {
	known := map[string]int{} // settings to line
	for i := range groups {
		known[fingerprint(&groups[i].test)] = groups[i].node.Line
	}
	var more []group
	for _, p := range f.include {
		g := group{test: f.base, node: p.node, from: map[string]testplan.Setting{}}
		for _, s := range p.settings {
			g.set(f, s)
		}
		print := fingerprint(&g.test)
		if line, ok := known[print]; ok {
			f.mistake(p.node, "include: line %d already gives this cell; leave it out (`repeats:` runs cells several times)", line)
			continue
		}
		known[print] = p.node.Line
		more = append(more, g)
	}
	return more
}

// fingerprint is the same for the same settings.
func fingerprint(t *testplan.Test) string {
	var values []string
	for _, option := range testplan.Options() {
		values = append(values, option.Get(t))
	}
	// What a file says of a system is a setting, too. Both always can be written.
	text, _ := json.Marshal(values)
	own, _ := json.Marshal(t.Definition)
	return string(text) + string(own)
}

// saturated is a product that stops growing when it is far too large.
func saturated(factors ...int) int {
	const most = 1 << 40
	product := 1
	for _, n := range factors {
		if n > 0 && product > most/n {
			return most
		}
		product *= n
	}
	return product
}

func (f *File) tooMany(n int, when string) {
	f.mistake(f.node("matrix"), "the campaign has %s cells%s, and at most %d are allowed: "+
		"if this is intended, set `max-cells: N` or --max-cells N (%d at most); otherwise remove values, seeds or repeats, or exclude some",
		count(n), when, f.MaxCells, MostCells)
}

func count(n int) string {
	if n >= 1<<40 {
		return "more than a million million"
	}
	return fmt.Sprint(n)
}

// node is where a key's value stands, or else the whole file.
func (f *File) node(key string) *yaml.Node {
	if n := f.at[key]; n != nil {
		return n
	}
	return f.root
}

// mostMistakes bounds how many cells that cannot be are told of: they tend to
// be wrong in the same way.
const mostMistakes = 8

// checkGroups refuses tests whose settings do not go together.
func (f *File) checkGroups(groups []group) {
	told := map[[2]int]bool{} // one for a place is enough
	for i := range groups {
		g := &groups[i]
		err := g.test.Validate()
		if err == nil {
			continue
		}
		mistake := f.place(g, err)
		if at := [2]int{mistake.Line, mistake.Column}; !told[at] && len(told) < mostMistakes {
			told[at] = true
			f.bad = append(f.bad, mistake)
		}
	}
}

// place puts a mistake between the settings of a test where its setting is.
func (f *File) place(g *group, err error) testplan.FileError {
	cell := "" // of a file without a matrix
	if g.name != "" {
		cell = fmt.Sprintf(" (in the cell %s; exclude can leave it out)", g.name)
	}
	err = fmt.Errorf("%w%s", err, cell)
	var field *testplan.FieldError
	if errors.As(err, &field) {
		for _, name := range testplan.Blamed(field) {
			if s, ok := g.from[name]; ok {
				return *s.Mistake(err)
			}
			if s, ok := f.test.Setting(name); ok {
				return *s.Mistake(err)
			}
		}
	}
	return *testplan.MistakeAt(g.node, "%s", err)
}

// digest is of what the file expands to and of the record's version: a campaign
// goes on only where both are the same.
func digest(tests []testplan.Test) string {
	hash := sha256.New()
	fmt.Fprintln(hash, ledger.SchemaVersion)
	for i := range tests {
		fmt.Fprintln(hash, fingerprint(&tests[i]))
	}
	return hex.EncodeToString(hash.Sum(nil))
}
