package reports

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"squall/history"
	"squall/history/check"
	"squall/internal/plain"
)

// sought is what a finding is about: the operations on its key, or those of its witness
// where it is about no key alone.
type sought struct {
	key     string
	witness map[called]bool
}

// called tells an operation from all others: a process runs one at a time. The time is
// ns since the start.
type called struct{ process, at int64 }

// The flag of an operation that the first finding is about; those of the next ones
// follow.
const (
	soughtBit  = 16
	mostSought = 4
)

func (s *sought) holds(op *history.Op, mono int64) bool {
	return s.key != "" && asStored(op.Key) == s.key || s.witness[called{op.Process, op.Call - mono}]
}

// asStored is a key as results.json has it: bytes that are no text are lost there. So a
// report shows the same of what was just checked and of what was stored.
func asStored(key string) string {
	if utf8.ValidString(key) {
		return key
	}
	return string([]rune(key))
}

// findingSpot is where a finding is in the page of operations: it opens there.
type findingSpot struct {
	Name  string     `json:"name"`
	Key   string     `json:"key"`
	From  micros     `json:"from"`
	To    micros     `json:"to"`
	Ops   [][2]int64 `json:"ops"`   // of the witness: process, and call in µs
	Nodes []int      `json:"nodes"` // that it is about, and those that led then
}

// spotsOf are the findings that the page of operations can show, in the order of the
// report, and what each of them is about.
func spotsOf(r *run, fig *figures) (spots []findingSpot, found []sought) {
	spots = []findingSpot{}
	for _, c := range r.results.Checks {
		if c.Verdict == check.Pass || len(c.Witness) == 0 {
			continue
		}
		if len(spots) == mostSought {
			break
		}
		s, f := spotOfFinding(fig, c.Witness[:min(len(c.Witness), maxShown)])
		s.Name, s.Key, f.key = plain.Clip(c.Name, maxName), plain.Clip(asStored(c.Key), maxName), asStored(c.Key)
		spots, found = append(spots, s), append(found, f)
	}
	return spots, found
}

func spotOfFinding(fig *figures, witness []check.WitnessOp) (findingSpot, sought) {
	s, f := findingSpot{Ops: [][2]int64{}, Nodes: []int{}}, sought{witness: map[called]bool{}}
	from, to := witness[0].Call, witness[0].Call
	about := func(node string) {
		if n := fig.node(node); n >= 0 && !slices.Contains(s.Nodes, n) {
			s.Nodes = append(s.Nodes, n)
		}
	}
	for _, w := range witness {
		from, to = min(from, w.Call), max(to, w.Call)
		if w.Outcome != string(history.Info) {
			to = max(to, w.Return)
		}
		s.Ops = append(s.Ops, [2]int64{w.Process, w.Call / 1000})
		f.witness[called{w.Process, w.Call}] = true
		about(w.Node)
	}
	for _, l := range slices.Concat(fig.elections.Leaderships, fig.stale) {
		if l.Begin <= to && (l.End == 0 || l.End >= from) {
			about(l.Node)
		}
	}
	slices.Sort(s.Nodes)
	air := max((to-from)/8, 1e6)
	s.From, s.To = micros(from-air), micros(to+air)
	return s, f
}

// spotLink leads to a finding on the page of operations, of which the first is 1.
func spotLink(n int) string { return fmt.Sprintf("./%s#finding=%d", TimelineFile, n) }
