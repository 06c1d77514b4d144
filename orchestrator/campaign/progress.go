package campaign

import (
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/ledger"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
)

// Progress is told how a campaign goes, from several goroutines.
type Progress interface {
	// Begun is called once; done is how many cells an earlier squall has finished.
	Begun(p *Plan, dir string, done int)
	// CellBegun is called when a cell's run begins, attempt counting from 1.
	CellBegun(c ledger.Cell, attempt int, s Status)
	// CellEnded is called when it is over; again says that it will be run again.
	CellEnded(c ledger.Cell, again bool, s Status)
	// Note tells of what went wrong beside the cells; text is for people.
	Note(text string)
}

// Status is how far a campaign is.
type Status struct {
	Done, Running, Total int
	Verdicts             map[check.Verdict]int // of the cells that are done
	Missed               int                   // of these, how many missed a threshold
	Left                 time.Duration         // until all are done, as far as that can be told
}

// Count counts the cells of a record.
func Count(c *ledger.Campaign) Status {
	s := Status{Total: len(c.Cells), Verdicts: map[check.Verdict]int{}}
	for i := range c.Cells {
		cell := &c.Cells[i]
		switch last := cell.Last(); cell.State {
		case ledger.Running:
			s.Running++
		case ledger.Done:
			s.Done++
			s.Verdicts[last.Verdict]++
			if len(last.Missed) > 0 {
				s.Missed++
			}
		}
	}
	return s
}

// watch follows the run of one cell: where it is, and nothing more. What
// happens in it is in its own log.
type watch struct{ located func(dir string) }

var _ orchestrator.Progress = watch{}

// Planned notes where the run is.
func (w watch) Planned(_ *testplan.Plan, dir string) { w.located(dir) }

// Phase, Load, Fault and Leader are for those who watch one run.
func (watch) Phase(string)                {}
func (watch) Load(orchestrator.LoadStats) {}
func (watch) Fault(history.Fault)         {}
func (watch) Leader(string, uint64)       {}
