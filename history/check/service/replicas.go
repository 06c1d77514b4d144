package service

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
)

// Replicas returns the checker "replicas": the nodes' own copies of the replicated state
// are the same at the same position. It goes by what they told when they were compared
// (history.MarkReplicas); digests of different bases are not compared. A node that told
// nothing is no violation, and makes it Unknown.
func Replicas() check.Checker { return replicas{} }

type replicas struct{}

var _ check.Checker = replicas{}

// Name is "replicas".
func (replicas) Name() string { return "replicas" }

// Check implements Checker.
func (replicas) Check(_ context.Context, in *check.Input) check.Result {
	var last *history.Mark
	for i := range in.Marks {
		m := &in.Marks[i]
		if m.Name != history.MarkReplicas || m.Replicas == nil {
			continue
		}
		last = m
		if text := differ(m.Replicas); text != "" {
			return check.Result{Verdict: check.Violation, Kind: check.KindDiverged, Summary: text, FirstAt: in.FirstAt(m.Time),
				Stats: replicaStats(m.Replicas)}
		}
	}
	if last == nil && comparedNothing(in) {
		return check.Result{Verdict: check.Pass, Summary: "the squall that made this history did not ask such nodes for their copies of the state"}
	}
	if last == nil {
		return check.Result{Verdict: check.Unknown, Summary: "the nodes' copies of the state were not compared: the test ended before"}
	}
	res := check.Result{Stats: replicaStats(last.Replicas)}
	if open := notCompared(last.Replicas); len(open) > 0 {
		res.Verdict = check.Unknown
		res.Summary = "not every node's copy of the state could be compared: " + firstNodes(open)
		return res
	}
	res.Verdict = check.Pass
	res.Summary = fmt.Sprintf("the copies of %s were the same at position %d", check.Counted(len(last.Replicas.Of), "node", "nodes"), last.Replicas.At)
	return res
}

// comparedNothing reports whether a history is of a squall that did not ask nodes of its own
// for their copies: its test came to its end, and nothing was read back either.
func comparedNothing(in *check.Input) bool {
	return in.HasMark(history.MarkHealed) && in.HasMark(history.MarkDone) && !in.HasMark(history.MarkScan) && !in.HasMark(history.MarkInvalid)
}

func replicaStats(r *history.Replicas) map[string]float64 {
	told := 0
	for _, one := range r.Of {
		if one.Digest != "" {
			told++
		}
	}
	return map[string]float64{"nodes": float64(told), "position": float64(r.At)}
}

// copies are nodes whose copies are the same.
type copies struct {
	digest string
	nodes  []string
}

// differ says which copies are not the same; "" when none differ.
func differ(r *history.Replicas) string {
	byBasis := map[string][]copies{}
	for _, one := range r.Of {
		if one.Digest == "" {
			continue
		}
		same := byBasis[one.Basis]
		i := slices.IndexFunc(same, func(c copies) bool { return c.digest == one.Digest })
		if i < 0 {
			i, same = len(same), append(same, copies{digest: one.Digest})
		}
		same[i].nodes = append(same[i].nodes, history.Show(one.Node))
		byBasis[one.Basis] = same
	}
	var bases []string
	for basis, groups := range byBasis {
		if len(groups) > 1 {
			bases = append(bases, basis)
		}
	}
	if len(bases) == 0 {
		return ""
	}
	basis := slices.Min(bases)
	groups := byBasis[basis]
	slices.SortStableFunc(groups, func(a, b copies) int { return cmp.Compare(len(b.nodes), len(a.nodes)) })
	return tellCopies(r.At, basis, groups)
}

// tellCopies tells who has which copy, the largest group first.
func tellCopies(at uint64, basis string, groups []copies) string {
	if basis != "" {
		basis = " (" + history.Show(basis) + ")"
	}
	where := fmt.Sprintf("at position %d%s", at, basis)
	most := groups[0]
	if len(groups) == 2 && len(groups[1].nodes) == 1 && len(most.nodes) > 1 {
		alone := groups[1]
		return fmt.Sprintf("%s stands alone: %s its copy of the state has the digest %s, and %s have %s",
			alone.nodes[0], where, history.Show(alone.digest), check.Listed(most.nodes), history.Show(most.digest))
	}
	var told []string
	for _, g := range groups {
		verb := "has"
		if len(g.nodes) > 1 {
			verb = "have"
		}
		told = append(told, fmt.Sprintf("%s %s %s", check.Listed(g.nodes), verb, history.Show(g.digest)))
	}
	return fmt.Sprintf("the nodes' copies of the state differ %s: by their digests %s", where, strings.Join(told, ", "))
}

// notCompared says, of each node that was not compared with all others, why.
func notCompared(r *history.Replicas) (open []string) {
	bases := map[string][]string{}
	for _, one := range r.Of {
		if one.Digest == "" {
			open = append(open, fmt.Sprintf("%s told nothing of its own (%s)", history.Show(one.Node), history.Show(one.Err)))
			continue
		}
		if one.Position < r.Wanted {
			open = append(open, fmt.Sprintf("%s had only come to position %d of %d in time", history.Show(one.Node), one.Position, r.Wanted))
		}
		bases[one.Basis] = append(bases[one.Basis], history.Show(one.Node))
	}
	if len(bases) < 2 {
		return open
	}
	var told []string
	for basis, nodes := range bases {
		told = append(told, fmt.Sprintf("%s by %s", check.Listed(nodes), history.Show(basis)))
	}
	slices.Sort(told)
	return append(open, "digests that do not compare: "+strings.Join(told, ", "))
}
