// Package sets has the check "set": what becomes of each element that is added to a set.
package sets

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
)

// Checker returns the checker "set": it follows each element of each set (a key) from the
// add that asked for it through all reads, as Jepsen's set-full does. An element is
// known once its add was acknowledged or a read found it, and every read that is called
// after that must find it:
//
//   - lost: it does not, and no later read finds the element;
//   - stale: it does not, and a later read does; from when the element was known to the
//     last such read's call is how long;
//   - stable: every read does;
//   - never read: nothing read the set after its add was acknowledged.
//
// An element of an add of unknown outcome that no read found may never have been added.
// One that nobody added, or only later, or only by an add that failed, came from nowhere,
// and no read may hold an element twice. Anything but stable, never read or unknown is a
// violation.
//
// Every element must be added at most once; a history that breaks this is Unknown. The
// check takes time that grows with the elements in all reads. It says nothing of two
// reads that each lack what the other found: the check "linearizable" does.
func Checker() check.Checker { return setCheck{} }

type setCheck struct{}

var _ check.Checker = setCheck{}

// Name is "set".
func (setCheck) Name() string { return "set" }

// Check implements Checker.
func (setCheck) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	sets, err := readSets(in.Ops, b)
	if err != nil {
		return check.Result{Verdict: check.Unknown, Summary: err.Error()}
	}
	c := &fates{}
	for _, s := range sets {
		if err := s.judge(c, b); err != nil {
			return check.Result{Verdict: check.Unknown, Summary: err.Error()}
		}
	}
	res := check.Result{Stats: c.stats()}
	res.Stats["keys"], res.Stats["operations"] = float64(len(sets)), float64(len(in.Ops))
	switch {
	case c.first != nil:
		(&setTale{in: in, finding: *c.first}).tell(&res)
		res.Summary += "; " + c.text(len(sets))
	case c.reads == 0:
		res.Verdict, res.Summary = check.Unknown, "no read of a set was answered, so nothing was observed"
	default:
		res.Verdict = check.Pass
		res.Summary = c.text(len(sets))
	}
	return res
}

// fates counts what became of the elements of all sets.
type fates struct {
	reads, elements, acknowledged       int
	stable, stale, lost, never, unknown int // one of these each
	nowhere, twice                      int
	staleFor                            []int64 // ns, of each stale one
	first                               *finding
}

// note notes what is wrong. The earliest is shown.
func (c *fates) note(f finding) {
	if c.first == nil || f.at < c.first.at {
		c.first = &f
	}
}

func (c *fates) stats() map[string]float64 {
	stats := map[string]float64{
		"reads": float64(c.reads), "elements": float64(c.elements), "acknowledged": float64(c.acknowledged),
		"stable": float64(c.stable), "stale": float64(c.stale), "lost": float64(c.lost), "neverRead": float64(c.never), "unknown": float64(c.unknown),
		"nowhere": float64(c.nowhere), "twice": float64(c.twice),
	}
	if n := len(c.staleFor); n > 0 {
		slices.Sort(c.staleFor)
		stats["staleMedianMs"], stats["staleMaxMs"] = float64(c.staleFor[n/2])/1e6, float64(c.staleFor[n-1])/1e6
	}
	return stats
}

// text lists what became of the elements: "1200 elements on 24 keys: 4 lost, 1196 stable".
func (c *fates) text(keys int) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{c.lost, "lost"}, {c.stale, "stale"}, {c.twice, "found twice in one read"}, {c.nowhere, "from nowhere"},
		{c.stable, "stable"}, {c.never, "never read"}, {c.unknown, "of unknown outcome and never found"},
	} {
		if p.n == 0 {
			continue
		}
		text := fmt.Sprintf("%d %s", p.n, p.what)
		if n := len(c.staleFor); n > 0 && p.what == "stale" {
			text += " for " + check.Took(c.staleFor[0])
			if n > 1 {
				text = fmt.Sprintf("%d stale for up to %s", n, check.Took(slices.Max(c.staleFor)))
			}
		}
		parts = append(parts, text)
	}
	on := fmt.Sprintf("%s on %s", check.Counted(c.elements, "element", "elements"), check.Counted(keys, "key", "keys"))
	if len(parts) == 0 {
		return on
	}
	return on + ": " + strings.Join(parts, ", ")
}

// finding is something wrong with an element.
type finding struct {
	kind    check.Kind
	set     *setCase
	element int32
	read    *history.Op // whose answer is wrong
	at      int64       // when that was certain
}
