package hunt

import (
	"fmt"

	"squall/history"
	"squall/history/check"
)

// Finding is what makes two violations the same: the check that found it, and the kind that
// it names.
type Finding struct {
	Check string     `json:"check"`
	Kind  check.Kind `json:"kind,omitempty"`
}

// String is the finding for people: "linearizable: stale read".
func (f Finding) String() string {
	if f.Kind == "" {
		return f.Check
	}
	return fmt.Sprintf("%s: %s", f.Check, f.Kind)
}

// Findings are all violations of a run, those that clients see first: what comes later may
// be what follows from them.
func Findings(r *check.Results) []Finding {
	var all []Finding
	for i := range r.Checks {
		if c := &r.Checks[i]; c.Verdict == check.Violation {
			all = append(all, Finding{c.Name, c.Kind})
		}
	}
	return all
}

// Among picks the finding of a check; of the first, where none is named.
func Among(all []Finding, name string) (Finding, error) {
	for _, f := range all {
		if name == "" || f.Check == name {
			return f, nil
		}
	}
	if len(all) == 0 {
		return Finding{}, fmt.Errorf("the run shows no violation")
	}
	return Finding{}, fmt.Errorf("its check %q shows no violation; these do: %v", name, all)
}

// in reports whether a run shows the finding, and when at first: in seconds since the load
// began, -1 where no such moment is known.
func (f Finding) in(c *check.Checked) (at float64, found bool) {
	for i := range c.Results.Checks {
		r := &c.Results.Checks[i]
		if r.Verdict != check.Violation || r.Name != f.Check || r.Kind != f.Kind {
			continue
		}
		if r.FirstAt == nil || c.History == nil {
			return -1, true
		}
		return max(*r.FirstAt-loadBegan(c.History), 0), true
	}
	return 0, false
}

// FirstAt is when a run showed the finding first, in seconds since the load began; -1 where
// that is not known.
func (f Finding) FirstAt(c *check.Checked) float64 {
	if at, found := f.in(c); found {
		return at
	}
	return -1
}

// loadBegan is when the load began, in seconds since the start of the test.
func loadBegan(h *history.History) float64 {
	for i := range h.Marks {
		if h.Marks[i].Name == history.MarkLoadBegin {
			return float64(h.Marks[i].Time-h.Header.Mono) / 1e9
		}
	}
	return 0
}
