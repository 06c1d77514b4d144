package gate

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"squall/history/check"
	"squall/history/ledger"
)

// Side is one side of a comparison: the runs that are in a place, in groups.
type Side struct {
	Path   string
	Groups []Group
	// Skipped says what was left out, and why: runs that are invalid or damaged.
	Skipped []string
	// Stopped says which runs were stopped early, and when: their figures are of a
	// part of the load.
	Stopped []string
}

// Group are runs of the same settings but for their seeds.
type Group struct {
	Name string // "" where there is only one
	Runs []*check.Results
	Dirs []string // of the runs
}

// Load reads what can be compared: results.json, the directory of a run, a
// folder of runs (which are one group), or a campaign's directory. Runs that are
// invalid, and those that cannot be read, are left out. It is an error when
// nothing is left, or when a record is of another schema version.
func Load(path string) (*Side, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	side := &Side{Path: path}
	dir := path
	if !info.IsDir() {
		dir = filepath.Dir(path)
	}
	switch {
	case !info.IsDir() && filepath.Base(path) == ledger.FileName, info.IsDir() && exists(path, ledger.FileName):
		err = side.campaign(dir)
	case !info.IsDir():
		err = side.file(path)
	case exists(path, check.ResultsName):
		err = side.run(path)
	default:
		err = side.folder(path)
	}
	if err != nil {
		return nil, err
	}
	if len(side.Groups) == 0 {
		text := ""
		for _, s := range side.Skipped[:min(len(side.Skipped), 3)] {
			text += "\n  " + s
		}
		return nil, fmt.Errorf("%s: %w%s", path, errNothing, text)
	}
	return side, nil
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// Campaign is the side of a campaign of which the record is at hand.
func Campaign(dir string, c *ledger.Campaign) *Side {
	side := &Side{Path: dir}
	for i := range c.Cells {
		cell := &c.Cells[i]
		last := cell.Last()
		if cell.State != ledger.Done || last == nil || last.Verdict == check.Invalid {
			if last != nil && last.Verdict == check.Invalid {
				side.skip(cell.ID, "the run is invalid")
			}
			continue
		}
		if err := side.add(cell.Group(), filepath.Join(dir, filepath.FromSlash(last.Dir))); err != nil {
			side.skip(cell.ID, err.Error())
		}
	}
	return side
}

func (s *Side) campaign(dir string) error {
	c, err := ledger.Read(dir)
	if err != nil {
		return err
	}
	read := Campaign(dir, c)
	s.Groups, s.Skipped, s.Stopped = read.Groups, read.Skipped, read.Stopped
	return nil
}

func (s *Side) run(dir string) error { return s.add("", dir) }

// file is a results.json, under whatever name.
func (s *Side) file(path string) error {
	r, err := check.ReadResultsFile(path)
	if err != nil {
		return err
	}
	if r.Verdict == check.Invalid {
		s.skip(path, "the run is invalid")
		return nil
	}
	s.put("", filepath.Dir(path), r)
	return nil
}

// folder is a folder of runs, as squall run makes them: out/test/run or
// out/test's runs.
func (s *Side) folder(path string) error {
	var found []string
	for _, pattern := range []string{"*", filepath.Join("*", "*")} {
		some, err := fs.Glob(os.DirFS(path), filepath.ToSlash(filepath.Join(pattern, check.ResultsName)))
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		found = append(found, some...)
	}
	seen := map[string]bool{}
	for _, name := range found {
		dir := filepath.Join(path, filepath.FromSlash(name), "..")
		real, err := filepath.EvalSymlinks(dir) // latest is one of the others
		if err != nil || seen[real] {
			continue
		}
		seen[real] = true
		if err := s.add("", dir); err != nil {
			s.skip(dir, err.Error())
		}
	}
	return nil
}

func (s *Side) add(group, dir string) error {
	r, err := check.ReadResults(dir)
	if err != nil {
		return err
	}
	if r.Verdict == check.Invalid {
		s.skip(dir, "the run is invalid")
		return nil
	}
	s.put(group, dir, r)
	return nil
}

func (s *Side) put(group, dir string, r *check.Results) {
	if r.Stopped != "" {
		s.Stopped = append(s.Stopped, dir+": "+r.Stopped)
	}
	i := slices.IndexFunc(s.Groups, func(g Group) bool { return g.Name == group })
	if i < 0 {
		i = len(s.Groups)
		s.Groups = append(s.Groups, Group{Name: group})
	}
	s.Groups[i].Runs = append(s.Groups[i].Runs, r)
	s.Groups[i].Dirs = append(s.Groups[i].Dirs, dir)
}

func (s *Side) skip(what, why string) { s.Skipped = append(s.Skipped, what+": "+why) }

// CompareSides compares the groups that two sides have in common by their names;
// where each side has one group, the two belong together whatever they are
// called. A group that has no counterpart makes a row without a metric, whose
// note says so.
func CompareSides(old, new *Side, tolerance float64) []ledger.Row {
	if len(old.Groups) == 1 && len(new.Groups) == 1 {
		name := cmp.Or(new.Groups[0].Name, old.Groups[0].Name)
		return Compare(name, old.Groups[0].Runs, new.Groups[0].Runs, tolerance)
	}
	rows := []ledger.Row{}
	for _, g := range new.Groups {
		i := slices.IndexFunc(old.Groups, func(o Group) bool { return o.Name == g.Name })
		if i < 0 {
			rows = append(rows, ledger.Row{Group: g.Name, P: 1, Note: "only in the new: there is nothing to compare it with"})
			continue
		}
		rows = append(rows, Compare(g.Name, old.Groups[i].Runs, g.Runs, tolerance)...)
	}
	for _, g := range old.Groups {
		if !slices.ContainsFunc(new.Groups, func(n Group) bool { return n.Name == g.Name }) {
			rows = append(rows, ledger.Row{Group: g.Name, P: 1, Note: "only in the old: the new has no run of it"})
		}
	}
	return rows
}

// CheckBaseline reads a baseline before anything is run, so that one that cannot
// be used is known in time.
func CheckBaseline(path string) error {
	if _, err := Load(path); err != nil {
		return fmt.Errorf("the baseline: %w", err)
	}
	return nil
}

// AgainstBaseline compares new runs with those of a baseline, which may be all
// that Load reads.
func AgainstBaseline(path string, new *Side, tolerance float64) (*ledger.Baseline, error) {
	old, err := Load(path)
	if err != nil {
		return nil, fmt.Errorf("the baseline: %w", err)
	}
	return &ledger.Baseline{Dir: path, Tolerance: tolerance, Rows: CompareSides(old, new, tolerance),
		Stopped: append(old.Stopped, new.Stopped...)}, nil
}

// OneRun is the side of a single run whose results are at hand.
func OneRun(dir string, r *check.Results) (*Side, error) {
	if r.Verdict == check.Invalid {
		return nil, errors.New("an invalid run is not compared")
	}
	side := &Side{Path: dir}
	side.put("", dir, r)
	return side, nil
}
