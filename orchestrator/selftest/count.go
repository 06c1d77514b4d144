package selftest

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"squall/history/check"
	"squall/history/conformance"
	"squall/history/ledger"
	"squall/nodeimage/mutants"
)

// SchemaVersion is the version of selftest.json.
const SchemaVersion = 1

// Table is what a self-test came to: selftest.json.
type Table struct {
	SchemaVersion int    `json:"schemaVersion"`
	Squall        string `json:"squall"`  // version of the tool
	Date          string `json:"date"`    // when it began: 2026-11-28
	Command       string `json:"command"` // repeats or resumes it
	Stopped       string `json:"stopped,omitempty"`
	Storms        int    `json:"storms"`  // that were judged
	Planned       int    `json:"planned"` // of so many
	Correct       Bug    `json:"correct"` // the node without a bug: nothing may be found
	Bugs          []Bug  `json:"bugs"`    // by group, then name
	// Unbroken are the rules of conformance that none of the bugs broke.
	Unbroken []string `json:"unbroken,omitempty"`
}

// Bug is what was found of one known bug.
type Bug struct {
	Name   string   `json:"name"`
	Group  string   `json:"group,omitempty"`
	Number int      `json:"bug,omitempty"` // in docs/known-bugs.md
	SeenBy []string `json:"seenBy,omitempty"`
	// Storms are those that were judged, Invalid those that came to nothing.
	Storms  int `json:"storms"`
	Invalid int `json:"invalid,omitempty"`
	// White is by any check, Black by those that see only what clients see.
	White Found `json:"white"`
	Black Found `json:"black"`
	// Checks are those that found it, the most often and earliest first.
	Checks []Detector `json:"checks,omitempty"`
}

// Found is in how many storms something was found, and how soon.
type Found struct {
	Storms int `json:"storms"`
	// Median is that of the moments at which it was first seen, in seconds since the
	// start of the test, over the storms that found it.
	Median float64 `json:"medianSeconds,omitempty"`
}

// Detector is a check that found a bug.
type Detector struct {
	Check    string         `json:"check"`
	Evidence check.Evidence `json:"evidence,omitempty"`
	Found
	// Rules are those of the check that were broken, where it has rules, the most often
	// broken first.
	Rules []Rule `json:"rules,omitempty"`
}

// Rule is one that a bug broke.
type Rule struct {
	Name   string `json:"name"`
	Storms int    `json:"storms"`
	// First is in how many of them it was broken before any other.
	First int `json:"first"`
}

// Count counts what a campaign's results in dir say, as far as it came.
func Count(c *ledger.Campaign, dir string, all []mutants.Mutant) (*Table, error) {
	t := &Table{SchemaVersion: SchemaVersion, Squall: c.Squall, Date: c.Began.UTC().Format("2006-01-02"), Command: c.Command,
		Stopped: c.Stopped, Planned: len(c.Cells), Correct: Bug{Name: "correct node"}}
	tallies := map[string]*tally{}
	broken := map[string]bool{}
	for i := range c.Cells {
		cell := &c.Cells[i]
		name := cell.Mutant
		if tallies[name] == nil {
			tallies[name] = &tally{seen: map[string][]float64{}, rules: map[string]map[string]Rule{}}
		}
		if cell.State != ledger.Done || cell.Last() == nil {
			continue
		}
		if err := tallies[name].add(cell.Last(), dir); err != nil {
			return nil, fmt.Errorf("%s: %w", cell.ID, err)
		}
	}
	for name, counted := range tallies {
		t.Storms += counted.storms
		if name == "" {
			counted.tell(&t.Correct)
			continue
		}
		b := describe(name, all)
		counted.tell(&b)
		for rule := range counted.rules[conformanceCheck] {
			broken[rule] = true
		}
		t.Bugs = append(t.Bugs, b)
	}
	slices.SortFunc(t.Bugs, func(a, b Bug) int {
		groups := mutants.Groups()
		return cmp.Or(cmp.Compare(slices.Index(groups, a.Group), slices.Index(groups, b.Group)), cmp.Compare(a.Name, b.Name))
	})
	t.Unbroken = unbroken(broken)
	return t, nil
}

// conformanceCheck is the name of the check whose rules are counted.
const conformanceCheck = "conformance"

// unbroken are the rules of conformance, in their order, that are not among some.
func unbroken(broken map[string]bool) (names []string) {
	for _, rule := range conformance.Rules() {
		if !broken[rule.Name] {
			names = append(names, rule.Name)
		}
	}
	return names
}

// describe is the bug of that name, of which nothing was counted yet.
func describe(name string, all []mutants.Mutant) Bug {
	for _, m := range all {
		if m.Name == name {
			return Bug{Name: name, Group: m.Group, Number: m.Bug, SeenBy: m.SeenBy}
		}
	}
	return Bug{Name: name}
}

// tally counts the storms of one bug.
type tally struct {
	storms, invalid int
	white, black    []float64                  // when it was first seen, s
	seen            map[string][]float64       // by check
	rules           map[string]map[string]Rule // by check and name
}

// add counts a storm. What a storm found is a violation, whatever else it says.
func (t *tally) add(a *ledger.Attempt, dir string) error {
	if a.Verdict == check.Invalid {
		t.invalid++
		return nil
	}
	t.storms++
	if a.Verdict != check.Violation {
		return nil
	}
	res, err := check.ReadResults(filepath.Join(dir, filepath.FromSlash(a.Dir)))
	if err != nil {
		return err
	}
	white, black := -1.0, -1.0
	for _, r := range res.Checks {
		if r.Verdict != check.Violation {
			continue
		}
		at := a.Ended.Sub(a.Began).Seconds() // it was known at the end
		if r.FirstAt != nil {
			at = *r.FirstAt
		}
		t.seen[r.Name] = append(t.seen[r.Name], at)
		t.addRules(r.Name, r.Rules)
		white = earlier(white, at)
		if e, _ := check.EvidenceOf(r.Name); e == check.ByClients {
			black = earlier(black, at)
		}
	}
	if white >= 0 {
		t.white = append(t.white, white)
	}
	if black >= 0 {
		t.black = append(t.black, black)
	}
	return nil
}

// addRules counts the rules of a check that a storm broke, in their order.
func (t *tally) addRules(check string, names []string) {
	if t.rules[check] == nil {
		t.rules[check] = map[string]Rule{}
	}
	for i, name := range names {
		rule := t.rules[check][name]
		rule.Name = name
		rule.Storms++
		if i == 0 {
			rule.First++
		}
		t.rules[check][name] = rule
	}
}

// earlier is the earlier of two moments; below zero is none yet.
func earlier(before, at float64) float64 {
	if before < 0 {
		return at
	}
	return min(before, at)
}

// tell puts what was counted into the bug's row.
func (t *tally) tell(b *Bug) {
	b.Storms, b.Invalid, b.White, b.Black = t.storms, t.invalid, found(t.white), found(t.black)
	for name, at := range t.seen {
		e, _ := check.EvidenceOf(name)
		rules := slices.SortedFunc(maps.Values(t.rules[name]), func(x, y Rule) int {
			return cmp.Or(cmp.Compare(y.Storms, x.Storms), cmp.Compare(y.First, x.First), cmp.Compare(x.Name, y.Name))
		})
		b.Checks = append(b.Checks, Detector{Check: name, Evidence: e, Found: found(at), Rules: rules})
	}
	slices.SortFunc(b.Checks, func(x, y Detector) int {
		return cmp.Or(cmp.Compare(y.Storms, x.Storms), cmp.Compare(x.Median, y.Median), cmp.Compare(x.Check, y.Check))
	})
}

func found(at []float64) Found { return Found{Storms: len(at), Median: median(at)} }

// median is that of some numbers; 0 for none.
func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// Summary is how many bugs were found, over those that were stormed at all.
type Summary struct {
	Stormed int     // bugs with at least one storm that was judged
	Found   int     // in at least one storm
	Always  int     // in every storm
	Median  float64 // of the bugs' medians, seconds
}

// Summarize sums up one way of finding: Bug.White or Bug.Black.
func (t *Table) Summarize(way func(*Bug) Found) Summary {
	var s Summary
	var medians []float64
	for i := range t.Bugs {
		b := &t.Bugs[i]
		if b.Storms == 0 {
			continue
		}
		s.Stormed++
		f := way(b)
		if f.Storms == 0 {
			continue
		}
		s.Found++
		medians = append(medians, f.Median)
		if f.Storms == b.Storms {
			s.Always++
		}
	}
	s.Median = median(medians)
	return s
}

// White and Black are the two ways of finding, for Summarize.
func White(b *Bug) Found { return b.White }

// Black is what clients alone could see.
func Black(b *Bug) Found { return b.Black }
