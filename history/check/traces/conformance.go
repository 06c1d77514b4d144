package traces

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/conformance"
	"squall/history/trace"
)

// Conformance returns the check "conformance": the full traces of the nodes break no
// rule of Raft (package conformance). It applies to runs that have full traces, those
// with --trace full; docs/verdicts.md lists the rules.
//
// It is Unknown where the traces do not tell what the rules have to know: a trace is
// missing, was cut, contradicts itself or another one, or tells of no step at a time when
// a client was answered.
func Conformance() check.Checker { return conformanceCheck{} }

type conformanceCheck struct{}

var (
	_ check.Checker    = conformanceCheck{}
	_ check.Applicable = conformanceCheck{}
)

func (conformanceCheck) Name() string { return "conformance" }

// Applies implements check.Applicable: there is something to follow where the run has a full trace.
func (conformanceCheck) Applies(in *check.Input) bool {
	if in.Dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(in.Dir, trace.Dir))
	return err == nil
}

// Check implements Checker.
func (conformanceCheck) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	steps, err := trace.Open(in.Dir)
	if err != nil {
		return check.Result{Verdict: check.Unknown, Summary: fmt.Sprintf("the full traces cannot be read: %v", err)}
	}
	defer steps.Close()
	c := conformance.New(nodeIDs(in.Header.Nodes)...)
	c.Name = func(id trace.NodeID) string { return nodeName(in.Header.Nodes, id) }
	seen := &answerable{}
	stop, err := follow(steps, c, seen, b)
	return tellConformed(in, c.Report(), seen, stop, err)
}

// stepReader is where steps come from, in the order of their times. What is damaged in
// a trace comes as a step of its own.
type stepReader interface {
	Next() (*trace.Event, error)
}

// follow feeds all steps to the rules. stop is the limit that was reached before the end.
func follow(steps stepReader, c *conformance.Checker, seen *answerable, b *check.Budget) (stop string, err error) {
	for {
		if stop = b.Spent(); stop != "" {
			return stop, nil
		}
		e, err := steps.Next()
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		c.Event(e)
		seen.step(e)
	}
}

// tellConformed is the result of what the rules found.
func tellConformed(in *check.Input, r *conformance.Report, seen *answerable, stop string, err error) check.Result {
	res := check.Result{Stats: map[string]float64{
		"steps": float64(r.Events), "rules": float64(len(r.Decided)), "decided": float64(decidedRules(r)),
		"off": float64(len(r.Off)), "broken": float64(len(r.Violations)),
	}}
	doubts := doubts(in, r)
	if len(r.Violations) == 0 && stop == "" && len(doubts) == 0 {
		doubts = append(doubts, unexplained(in, seen)...)
	}
	switch {
	case len(r.Violations) > 0:
		tellBroken(in, &res, r)
	case err != nil:
		res.Verdict, res.Summary = check.Unknown, fmt.Sprintf("the full traces cannot be read: %v", err)
	case stop != "":
		res.Verdict, res.Summary = check.Unknown, stop
	case r.Events == 0:
		res.Verdict, res.Summary = check.Unknown, "the full traces hold no steps"
	case len(doubts) > 0:
		res.Verdict, res.Summary = check.Unknown, fewOf(doubts)+"; the steps that are known break no rule"
	default:
		res.Verdict = check.Pass
		res.Summary = fmt.Sprintf("%s of %s break none of %d rules%s", check.Counted(int(r.Events), "step", "steps"),
			check.Counted(len(r.Nodes), "node", "nodes"), decidedRules(r), offText(r))
	}
	return res
}

func decidedRules(r *conformance.Report) (n int) {
	for _, d := range r.Decided {
		if d.Times > 0 {
			n++
		}
	}
	return n
}

// tellBroken tells the rule that was broken first, and names the others.
func tellBroken(in *check.Input, res *check.Result, r *conformance.Report) {
	v := &r.Violations[0]
	res.Verdict, res.FirstAt = check.Violation, in.FirstAt(v.At())
	res.Summary = fmt.Sprintf("%s (%s): %s", v.Rule.Name, v.Rule.Section, v.Text)
	res.Explanation = v.Rule.Sentence
	for i := range r.Violations {
		res.Rules = append(res.Rules, r.Violations[i].Rule.Name)
	}
	if others := res.Rules[1:]; len(others) > 0 {
		res.Summary += "; then also " + strings.Join(others, ", ")
	}
	for i := range v.Events {
		res.Events = append(res.Events, stepEvent(in, &v.Events[i]))
	}
}

// stepEvent shows a step as an event of a node: what it says beside its kind and term
// stands in its reason.
func stepEvent(in *check.Input, e *trace.Event) history.NodeEvent {
	kind, rest := e.Kind.String(), ""
	bare := *e
	bare.Time, bare.Boot = 0, 0
	words := strings.SplitN(bare.String(), " ", 3) // node, kind, fields
	if len(words) == 3 {
		term := fmt.Sprintf(" term=%d", e.Term)
		rest = strings.TrimPrefix(strings.Replace(" "+words[2], term, "", 1), " ")
	}
	return history.NodeEvent{Node: nodeName(in.Header.Nodes, e.Node), Boot: e.Boot, Kind: kind, Time: e.Time, Term: e.Term, Reason: rest}
}

// doubts tells why rules are not decided, by node.
func doubts(in *check.Input, r *conformance.Report) (list []string) {
	for _, u := range r.Unsure {
		text := nodeName(in.Header.Nodes, u.Node)
		if u.Time > 0 {
			text += " from " + in.Clock(u.Time) + " on"
		}
		list = append(list, text+": "+u.Why)
	}
	if r.Crowded {
		list = append(list, "there are more nodes than are followed")
	}
	return list
}

// fewOf joins the first of some texts.
func fewOf(texts []string) string {
	const most = 3
	if len(texts) <= most {
		return strings.Join(texts, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(texts[:most], "; "), len(texts)-most)
}

// offText names the rules that the traces do not tell enough for, by what they lack.
func offText(r *conformance.Report) string {
	byWhy, whys := map[string][]string{}, []string{}
	for _, o := range r.Off {
		if byWhy[o.Why] == nil {
			whys = append(whys, o.Why)
		}
		byWhy[o.Why] = append(byWhy[o.Why], o.Rule.Name)
	}
	var b strings.Builder
	for _, why := range whys {
		fmt.Fprintf(&b, "; off, as %s: %s", why, strings.Join(byWhy[why], ", "))
	}
	return b.String()
}

// nodeIDs are the numbers of nodes as traces have them: that of the name n3 is 3.
func nodeIDs(names []string) (ids []trace.NodeID) {
	for i, name := range names {
		ids = append(ids, nodeID(i, name))
	}
	return ids
}

func nodeID(i int, name string) trace.NodeID {
	digits := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz-")
	if n, err := strconv.ParseUint(digits, 10, 32); err == nil && n > 0 {
		return trace.NodeID(n)
	}
	return trace.NodeID(i + 1)
}

func nodeName(names []string, id trace.NodeID) string {
	i := slices.IndexFunc(names, func(name string) bool { return nodeID(0, name) == id })
	if i < 0 {
		return fmt.Sprintf("n%d", id)
	}
	return names[i]
}
