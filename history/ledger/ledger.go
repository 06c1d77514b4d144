// Package ledger is the record of a campaign: its cells, and what each came to.
// It is one file, campaign.json, in the campaign's directory; whoever runs the
// campaign writes it anew after every step, so that a campaign that was killed
// is known as far as it came. Reports and gates read it.
package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"squall/history/check"
)

// FileName is the name of the record in a campaign's directory. The runs of its
// cells are in folders below cells/.
const FileName = "campaign.json"

// CellsFolder holds the run directories of a campaign, a folder for each cell.
const CellsFolder = "cells"

// SchemaVersion is the version of campaign.json.
const SchemaVersion = 1

// Campaign is campaign.json.
type Campaign struct {
	SchemaVersion int    `json:"schemaVersion"`
	Squall        string `json:"squall"` // version of the tool
	Name          string `json:"name"`
	File          string `json:"file"`    // the campaign file, as it was given
	Digest        string `json:"digest"`  // SHA-256 of what it expands to: the same digest, the same cells
	Command       string `json:"command"` // repeats or resumes it
	// Label is what the user calls it, such as the commit under test.
	Label string    `json:"label,omitempty"`
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"` // zero: it is not over
	Jobs  int       `json:"jobs"`           // cells at once
	// Stopped says why it ended before all cells were run: "interrupted", "the time
	// budget of 10m0s was used up"; "" when it did not.
	Stopped string `json:"stopped,omitempty"`
	Cells   []Cell `json:"cells"` // in the order in which they are run
	// Thresholds are those of the whole campaign; of each cell they are in its
	// results.json.
	Thresholds []check.Threshold `json:"thresholds,omitempty"`
	// Baseline says how the cells compare with those of an earlier campaign.
	Baseline *Baseline `json:"baseline,omitempty"`
}

// State is how far a cell is.
type State string

// The states of a cell.
const (
	Waiting State = "waiting"
	Running State = "running"
	Done    State = "done"
)

// Cell is one test of the matrix.
type Cell struct {
	// ID names the cell in its folder, in JUnit and on the command line: the
	// settings that differ within the campaign, and the seed.
	ID       string `json:"id"`
	System   string `json:"system"`
	Nodes    int    `json:"nodes"`
	Workload string `json:"workload"`
	Nemesis  string `json:"nemesis"`
	Mutant   string `json:"mutant,omitempty"`
	Seed     uint64 `json:"seed"`
	Repeat   int    `json:"repeat"` // from 1
	// Settings are all settings of its test that are not the default, as text, by
	// the names of a test file.
	Settings map[string]string `json:"settings"`
	Command  string            `json:"command"` // runs this cell alone
	State    State             `json:"state"`
	// Attempts are its runs, the last of which counts. There is more than one only
	// where those before were invalid.
	Attempts []Attempt `json:"attempts,omitempty"`
}

// Attempt is one run of a cell.
type Attempt struct {
	Dir     string        `json:"dir"`     // relative to the campaign's directory, with slashes
	Verdict check.Verdict `json:"verdict"` // "" while it is running
	Reason  string        `json:"reason,omitempty"`
	Began   time.Time     `json:"began"`
	Ended   time.Time     `json:"ended,omitzero"`
	// Interrupted is true when squall was stopped or killed while it ran. It is
	// invalid then, and the cell runs again, which does not count as a repeat.
	Interrupted bool `json:"interrupted,omitempty"`
	// Stopped says that a run whose verdict stands was stopped early all the same,
	// and when: a violation was found by then.
	Stopped string `json:"stopped,omitempty"`
	// Missed are the texts of the thresholds that it missed.
	Missed []string `json:"missed,omitempty"`
	// Figures are the metrics of the run that a page of the campaign shows, in the
	// units of check.Threshold: see the gate's list of metrics.
	Figures map[string]float64 `json:"figures,omitempty"`
}

// Last is the attempt that counts; nil when there is none yet.
func (c *Cell) Last() *Attempt {
	if len(c.Attempts) == 0 {
		return nil
	}
	return &c.Attempts[len(c.Attempts)-1]
}

// Finished reports whether every cell was run.
func (c *Campaign) Finished() bool {
	return !slices.ContainsFunc(c.Cells, func(cell Cell) bool { return cell.State != Done })
}

// InvalidAttempts are the runs of the cell that came to nothing by themselves;
// those that squall was stopped in do not count.
func (c *Cell) InvalidAttempts() int {
	n := 0
	for _, a := range c.Attempts {
		if a.Verdict == check.Invalid && !a.Interrupted {
			n++
		}
	}
	return n
}

// Group is what the cell has in common with those that differ from it in seed
// and repeat alone: its ID without these, "" when there is nothing else.
func (c *Cell) Group() string {
	id := strings.TrimSuffix(c.ID, fmt.Sprintf("_r%d", c.Repeat))
	seed := fmt.Sprintf("s%d", c.Seed)
	if id == seed {
		return ""
	}
	return strings.TrimSuffix(id, "_"+seed)
}

// Baseline is the comparison with an earlier campaign.
type Baseline struct {
	Dir       string  `json:"dir"`
	Tolerance float64 `json:"tolerance"` // share of the old median that may be lost, 0 to 1
	Rows      []Row   `json:"rows"`
	// Stopped says which of the runs compared were stopped early, and when.
	Stopped []string `json:"stopped,omitempty"`
}

// Row is one metric of one group of cells, old and new.
type Row struct {
	Group  string `json:"group"`  // what the cells have in common: their ID without seed and repeat
	Metric string `json:"metric"` // "throughput", "latency p(99)", …
	Unit   string `json:"unit"`
	// Old and New are medians, with their 95 % intervals and numbers of samples.
	Old Center `json:"old"`
	New Center `json:"new"`
	// Delta is the change of the median in percent, P the p value of a Mann-Whitney
	// U test. Better and Worse are true for changes that are significant.
	Delta  float64 `json:"deltaPercent"`
	P      float64 `json:"p"`
	Better bool    `json:"better"`
	Worse  bool    `json:"worse"`
	// Lost is true when it is worse by more than the tolerance: the gate fails.
	Lost bool `json:"lost"`
	// Note warns of what limits the comparison: "too few samples: …".
	Note string `json:"note,omitempty"`
}

// Center is the middle of some samples.
type Center struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Count  int     `json:"count"`
	// Range is true where Low and High are the range of the samples: they are too
	// few for an interval.
	Range bool `json:"range,omitempty"`
}
