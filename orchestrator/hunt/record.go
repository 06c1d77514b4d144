package hunt

import (
	"fmt"
	"os"
	"path/filepath"

	"squall/internal/atomicfile"
	"squall/orchestrator/testplan"
)

// What making a plan smaller leaves in the folder of its run.
const (
	Folder         = "shrink"      // in the run directory; the rest is in there
	RecordFile     = "shrink.json" // a Record
	SmallestFolder = "smallest"    // a run of the smallest plan that showed the violation

	triesFolder = "tries" // runs of what is being tried; it goes in the end
)

// Record is shrink.json.
type Record struct {
	SchemaVersion int    `json:"schemaVersion"`
	Squall        string `json:"squall"`
	Command       string `json:"command"` // a test like the smallest plan; "" where there is none
	*Shrunk
}

const recordVersion = 1

// WriteRecord writes the record into the folder of what was tried.
func WriteRecord(dir, squall, command string, s *Shrunk) error {
	return atomicfile.WriteJSON(filepath.Join(dir, RecordFile), Record{SchemaVersion: recordVersion, Squall: squall, Command: command, Shrunk: s})
}

// Place makes the folder for what is tried, and takes away what an earlier call left there.
func Place(run string) (dir string, err error) {
	dir = filepath.Join(run, Folder)
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("take away what an earlier squall shrink left: %w", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of what is tried: %w", err)
	}
	return dir, nil
}

// discard removes the run directory of a trial that nobody needs any more.
func discard(t *Trial) {
	if t != nil && t.Outcome != nil {
		_ = os.RemoveAll(t.Outcome.Dir) // it lies in the folder of tries, which goes anyway
	}
}

// keep moves the run of the smallest plan to its place. Its plan goes on to run where the
// plan that was made smaller ran.
func (s *shrinking) keep() error {
	if s.out.Shows == nil {
		return nil
	}
	dir := filepath.Join(s.Dir, SmallestFolder)
	if err := os.Rename(s.out.Shows.Outcome.Dir, dir); err != nil {
		return fmt.Errorf("keep the run of the smallest plan: %w", err)
	}
	s.out.Shows.Outcome.Dir = dir
	plan, err := testplan.ReadPlan(dir)
	if err != nil {
		return err
	}
	plan.Test.Out = s.Plan.Test.Out
	s.out.Shows.Plan = plan
	return atomicfile.WriteJSON(filepath.Join(dir, testplan.PlanFile), plan)
}
