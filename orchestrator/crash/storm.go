package crash

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"

	"squall/history"
	"squall/nodeimage/disk"
)

// Storm is a test that is over.
type Storm struct {
	Dir     string
	History *history.History
	Disks   []Disk // of every node, in the order of the header's
	// Limit is how long a journal may have become, bytes: one that is nearly so long tells nothing of what came
	// after its last operation. 0: there was no bound.
	Limit int64

	until int64 // when journals end to be believed, ns; 0: they are whole
}

// Intent is something to read back through every node.
type Intent struct {
	Func history.Func
	Key  string
	In   history.Data
}

// ErrNoJournals says that the run kept no journals of its disks.
var ErrNoJournals = errors.New("the run kept no journals of its nodes' disks")

// FindDisks finds the journals of all nodes in a run directory.
func FindDisks(dir string, nodes []string) ([]Disk, error) {
	var disks []Disk
	for _, node := range nodes {
		files, err := disk.Journals(dir, node)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%w: there is none of %s", ErrNoJournals, node)
		}
		disks = append(disks, Disk{Node: node, Journals: files})
	}
	return disks, nil
}

// window is when the load ran: no power cut is taken outside of it.
func (s *Storm) window() (from, to int64, err error) {
	for _, m := range s.History.Marks {
		switch m.Name {
		case history.MarkLoadBegin:
			from = cmp.Or(from, m.Time)
		case history.MarkLoadEnd:
			to = m.Time
		}
	}
	if s.until > 0 {
		to = min(to, s.until)
	}
	if from == 0 || to <= from {
		return 0, 0, errors.New("the run has no load from whose course moments could be taken")
	}
	return from, to, nil
}

// ErrorPowerCut is the Error of an operation that was under way at the moment of the power cut.
const ErrorPowerCut = "under way when the power was cut"

// before are the operations that were called by a moment, as clients knew them then: one that was not answered yet
// may have taken effect.
func (s *Storm) before(at int64) []history.Op {
	ops := s.History.Ops // by time of call
	n := sort.Search(len(ops), func(i int) bool { return ops[i].Call > at })
	known := slices.Clone(ops[:n])
	for i := range known {
		if op := &known[i]; op.Return > at {
			op.Outcome, op.Out, op.Error, op.Return = history.Info, "", ErrorPowerCut, at
		}
	}
	return known
}

// acknowledged is how many operations that may have changed something were answered by a moment.
func (s *Storm) acknowledged(at int64) (n int) {
	for i := range s.History.Ops {
		op := &s.History.Ops[i]
		if op.Call > at {
			break
		}
		if op.Return <= at && s.History.Functions.Changed(op) {
			n++
		}
	}
	return n
}

// firstAcknowledged is when a client was told for the first time that a change was made, ns; 0: never.
func (s *Storm) firstAcknowledged() (at int64) {
	for i := range s.History.Ops {
		if op := &s.History.Ops[i]; s.History.Functions.Changed(op) && (at == 0 || op.Return < at) {
			at = op.Return
		}
	}
	return at
}

// mostLooked is how many things are read back through each node at most.
const mostLooked = 3000

// looks are what is to be read back after a power cut at a moment: what the storm itself read back at its end, of all keys
// that had been used by then, those that were used last first.
func (s *Storm) looks(at int64) []Intent {
	final := int64(0)
	for _, m := range s.History.Marks {
		if m.Name == history.MarkFinalReads {
			final = m.Time
		}
	}
	used := map[string]int64{}
	seen := map[Intent]bool{}
	looks := []Intent{}
	for i := range s.History.Ops {
		op := &s.History.Ops[i]
		if op.Call <= at {
			used[op.Key] = op.Call
		}
		if final == 0 || op.Call < final || !op.Final {
			continue
		}
		in := Intent{op.Func, op.Key, op.In}
		if _, was := used[op.Key]; seen[in] || op.Key != "" && !was {
			continue
		}
		seen[in] = true
		looks = append(looks, in)
	}
	slices.SortStableFunc(looks, func(a, b Intent) int { return cmp.Compare(used[b.Key], used[a.Key]) })
	return looks[:min(len(looks), mostLooked)]
}

// looksAgain are what is to be read back after a second power cut: beside what was, what clients read of what they had
// written to show that nodes serve.
func (s *Storm) looksAgain(at int64, first *Seen) []Intent {
	var looks []Intent
	for i := range first.Ops {
		op := &first.Ops[i]
		in := Intent{op.Func, op.Key, op.In}
		if (first.Scan == 0 || op.Call < first.Scan) && s.History.Functions.Reads(op.Func) && !slices.Contains(looks, in) {
			looks = append(looks, in)
		}
	}
	looks = append(looks, s.looks(at)...)
	return looks[:min(len(looks), mostLooked)]
}
