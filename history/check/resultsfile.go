package check

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"squall/internal/atomicfile"
	"squall/internal/regular"
)

// ResultsName is the name of results.json in a run directory.
const ResultsName = "results.json"

// WriteResults puts results.json into dir, whole or not at all.
func WriteResults(dir string, res *Results) error {
	data, err := json.MarshalIndent(res, "", "  ")
	if err == nil && len(data) > regular.MaxJSON/2 { // more than people look at
		data, err = json.Marshal(res)
	}
	if err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	return atomicfile.Write(filepath.Join(dir, ResultsName), append(data, '\n'), 0o644)
}

// ReadResults reads the results.json of a run directory.
func ReadResults(dir string) (*Results, error) {
	return ReadResultsFile(filepath.Join(dir, ResultsName))
}

// ReadResultsFile reads a results.json under whatever name.
func ReadResultsFile(path string) (*Results, error) {
	data, err := regular.ReadFile(path, regular.MaxJSON)
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	var res Results
	if err := json.Unmarshal(data, &res); err != nil {
		return nil, fmt.Errorf("read the results in %s: %w", path, err)
	}
	if res.SchemaVersion != SchemaVersion {
		return nil, fmt.Errorf("%s has schema version %d, and this squall knows version %d only: check the run again",
			path, res.SchemaVersion, SchemaVersion)
	}
	if c, t := len(res.Checks), len(res.Thresholds); c > maxListed || t > maxListed {
		return nil, fmt.Errorf("%s is damaged: it has %d checks and %d thresholds, and %d of each at most are written: check the run again", path, c, t, maxListed)
	}
	if s := res.Situations; s != nil && !s.bounded() {
		return nil, fmt.Errorf("%s is damaged: it has more situations, or faults with one, than are written: check the run again", path)
	}
	return &res, nil
}

// maxListed bounds the checks and the thresholds of results that are read, and the lists
// within situations: a run has some ten of each.
const maxListed = 1000

// bounded says whether there are no more situations, nor more faults with one, than a
// run has.
func (s *Situations) bounded() bool {
	return len(s.List) <= maxListed && len(s.Silent) <= maxListed &&
		!slices.ContainsFunc(s.List, func(one Situation) bool { return len(one.Under) > maxListed })
}
