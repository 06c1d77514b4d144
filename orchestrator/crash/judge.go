package crash

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/nodeimage/disk"
)

// Order is what a Booter is to boot and to look at.
type Order struct {
	Images map[string]*disk.Image // by node
	Look   []Intent               // to be read back through every node that serves
}

// Booter boots a cluster whose disks are as ordered, and looks at it. An error says that this could not
// be done, and nothing of the cluster.
type Booter interface {
	Boot(ctx context.Context, o Order) (*Seen, error)
	// Again cuts the power of the cluster that was booted last, and boots what that leaves.
	Again(ctx context.Context, look []Intent) (*Seen, error)
}

// Seen is what was seen of a cluster. Times are ns of the machines' clock.
type Seen struct {
	Began     int64         // the servers were started
	Ops       []history.Op  // what shows that nodes serve, and then the looks; all final
	Bound     time.Duration // in which nodes had to serve
	Scan      int64         // when the looks began; 0: they did not
	ScanBound time.Duration
	Replicas  *history.Replicas // nil: the nodes' copies were not compared
	Compared  int64
	Ended     []Ended // servers that ended by themselves
	// Cut is what the power cut before an Again has taken, by node; nil: the servers were killed, and what they had written
	// was there.
	Cut map[string]string
}

// Ended is a server that ended by itself.
type Ended struct {
	Node   string `json:"node"`
	Reason string `json:"reason"`
	Output string `json:"output,omitempty"` // the end of it
}

// Judged is what a state came to.
type Judged struct {
	Verdict check.Verdict `json:"verdict"`
	// Check is the check that did not pass: that of a history, or CheckStarts.
	Check string `json:"check,omitempty"`
	Text  string `json:"text,omitempty"` // what is wrong, in a sentence
	// Refused are the nodes whose server ended and named a damaged file of its own, where that is no violation as long
	// as the others serve: Config.MayRefuse.
	Refused []string `json:"refused,omitempty"`
	// Again is what was done before the second start, where that is what did not pass; "": it was the first.
	Again string `json:"again,omitempty"`
}

// CheckStarts is the name of the check that servers start.
const CheckStarts = "starts"

// checkDurability says which write is missing, which others tell of in other words.
const checkDurability = "durability"

// judge decides about what was seen of a state: at its first start, and, if there was one, at its second.
func judge(ctx context.Context, s *Storm, cfg *Config, m *made, seen ...*Seen) Judged {
	var j Judged
	last := seen[len(seen)-1]
	if last != seen[0] {
		j.Again = last.cutText()
	}
	for _, e := range last.Ended {
		file := named(m.images[e.Node], e.Output)
		if file == "" || !cfg.MayRefuse {
			naming := "named no file of its disk"
			if file != "" {
				naming = "named " + file
			}
			j.Verdict, j.Check, j.Text = check.Violation, CheckStarts, fmt.Sprintf("the server of %s ended by itself (%s), and %s", e.Node, e.Reason, naming)
			return j
		}
		j.Refused = append(j.Refused, e.Node)
	}
	in := s.input(m.At, j.Refused, seen...)
	in.Limits = cfg.Limits.WithDefaults()
	var results []check.Result
	for _, c := range cfg.Checkers {
		results = append(results, check.RunOne(ctx, c, in))
	}
	j.Verdict, _ = check.Combine(results)
	for _, r := range results {
		if r.Verdict == j.Verdict && r.Verdict != check.Pass && (j.Check == "" || r.Name == checkDurability) {
			j.Check, j.Text = r.Name, r.Told()
		}
	}
	if j.Verdict != check.Pass && len(j.Refused) > 0 {
		j.Text += "; " + check.Listed(j.Refused) + " refused to start, with the name of a file"
	}
	return j
}

// cutText says what was done before a second start.
func (s *Seen) cutText() string {
	if s.Cut == nil {
		return "all servers were killed"
	}
	var took []string
	for _, node := range slices.Sorted(maps.Keys(s.Cut)) {
		if text := s.Cut[node]; text != "" {
			took = append(took, node+": "+text)
		}
	}
	if len(took) == 0 {
		return "the power of all was cut, and everything was synced"
	}
	return "the power of all was cut, with the loss of what was not synced (" + strings.Join(took, " | ") + ")"
}

// named is a file of a disk that a text names; "" for none.
func named(img *disk.Image, text string) string {
	const least = 4 // shorter names stand in any text
	for i := range img.Entries {
		e := &img.Entries[i]
		if name := path.Base(e.Path); e.Type.IsRegular() && len(name) >= least && strings.Contains(text, name) {
			return e.Path
		}
	}
	return ""
}

// input is the history of a storm that a power cut ended, with what was seen after it in the place of
// the operations after the storm. All that was seen before the last start is of its load.
func (s *Storm) input(at int64, without []string, seen ...*Seen) *check.Input {
	h := &history.History{Header: s.History.Header, Ops: s.before(at)}
	h.Header.Nodes = slices.DeleteFunc(slices.Clone(h.Header.Nodes), func(n string) bool { return slices.Contains(without, n) })
	for _, one := range seen[:len(seen)-1] {
		at = appendSeen(h, one, at, false)
	}
	last := seen[len(seen)-1]
	appendSeen(h, last, at, true)
	for _, m := range s.History.Marks {
		if m.Name == history.MarkLoadBegin || m.Name == history.MarkServing {
			h.Marks = append(h.Marks, m)
		}
	}
	h.Marks = append(h.Marks, history.Mark{Name: history.MarkLoadEnd, Time: at},
		history.Mark{Name: history.MarkHealed, Time: at + 1, Bound: int64(last.Bound)})
	if last.Scan > 0 {
		h.Marks = append(h.Marks, history.Mark{Name: history.MarkScan, Time: last.since(at, last.Scan), Bound: int64(last.ScanBound)})
	}
	if last.Replicas != nil {
		h.Marks = append(h.Marks, history.Mark{Name: history.MarkReplicas, Time: last.since(at, last.Compared), Replicas: last.Replicas})
	}
	return &check.Input{History: h}
}

// since is the time of something that was seen, as if the servers had been started just after a power cut.
func (s *Seen) since(cut, t int64) int64 { return cut + 2 + max(t-s.Began, 0) }

// appendSeen adds what was seen after a power cut to a history, by processes that are not in it yet, and says when
// the next power cut was: after all of it.
func appendSeen(h *history.History, seen *Seen, cut int64, final bool) (over int64) {
	process := int64(0)
	for i := range h.Ops {
		process = max(process, h.Ops[i].Process+1)
	}
	over = cut + 2
	for _, op := range seen.Ops {
		op.Process += process
		op.Call, op.Return, op.Final = seen.since(cut, op.Call), seen.since(cut, op.Return), final
		h.Ops = append(h.Ops, op)
		over = max(over, op.Return+1)
	}
	return over
}
