// Package linearizable has the check "linearizable", the models of objects that it judges
// by, the ways in which it decides, and what makes a violation small enough to read.
package linearizable

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"squall/history"
	"squall/history/check"
)

// Checker returns the checker "linearizable": each key is an object that behaves
// as the model says, and its operations must be linearizable (Herlihy and Wing, 1990).
// Keys are independent of each other, so each is checked by itself. Operations of
// unknown outcome may take effect at any time after their call, or never.
func Checker(m Model) check.Checker { return linearizable{model: m} }

type linearizable struct {
	model Model
	way   method
}

var _ check.Checker = linearizable{}

func (linearizable) Name() string { return "linearizable" }

// Check implements Checker.
func (c linearizable) Check(ctx context.Context, in *check.Input) check.Result {
	limits := in.Limits.WithDefaults()
	begin := time.Now()
	keys := groupByKey(in.Ops, c.model.object)
	if len(keys) == 0 {
		return check.Result{Verdict: check.Unknown, Summary: "the history holds no operations"}
	}
	if in.Info.Truncated != "" && c.model.Name == RegisterModel().Name {
		forgetReplaced(keys)
	}
	w := startWatch(ctx, limits.Memory)
	defer w.close()
	// What finds a violation leaves time to show it.
	end := begin.Add(limits.Time)
	j := &judge{watch: w, way: c.way, model: c.model, end: end}
	show := min(limits.Time/4, minimiseTime)
	if err := j.judgeAll(ctx, keys, limits, end.Add(-show)); err != nil {
		return check.Result{Verdict: check.Unknown, Summary: err.Error()}
	}
	bad, open, searched := sortOut(keys)
	if len(bad) == 0 && len(open) > 0 {
		// Nothing to show: the rest of the time is for those not decided.
		if err := j.judgeAll(ctx, open, limits, end); err != nil {
			return check.Result{Verdict: check.Unknown, Summary: err.Error()}
		}
		bad, open, searched = sortOut(keys)
	}
	res := check.Result{Stats: map[string]float64{"keys": float64(len(keys)), "operations": float64(len(in.Ops))}}
	if searched > 0 {
		res.Stats["searched"] = float64(searched)
	}
	res.Stats["violating"], res.Stats["undecided"] = float64(len(bad)), float64(len(open))
	switch {
	case len(bad) > 0:
		// However late it is, a violation is worth a tenth of the time more.
		if least := time.Now().Add(limits.Time / 10); end.Before(least) {
			end = least
		}
		f := finder{judge: j, in: in, limits: limits, end: end}
		f.violation(bad, &res)
		res.Summary += keysNot(len(bad), len(keys))
	case len(open) > 0:
		res.Verdict, res.Summary = check.Unknown, openSummary(open, len(keys), limits)
	default:
		res.Verdict = check.Pass
		res.Summary = linearizableText(len(in.Ops), len(keys))
	}
	return res
}

// minimiseTime bounds what is set aside for showing a violation.
const minimiseTime = 10 * time.Second

// sortOut gives the keys that are not linearizable and those not decided, and how
// many had to be searched.
func sortOut(keys []*keyCase) (bad, open []*keyCase, searched int) {
	for _, k := range keys {
		switch k.ruling.answer {
		case illegal:
			bad = append(bad, k)
		case undecided:
			open = append(open, k)
		}
		if k.ruling.searched {
			searched++
		}
	}
	return bad, open, searched
}

// keyCase is one key and what was found of it.
type keyCase struct {
	key    string
	ops    []*history.Op
	ruling ruling
	at     int64 // the return at which it was certain that it is not linearizable
	exact  bool  // or that return at the latest
	err    error
}

// groupByKey returns the keys, or what else an operation's object is called, with their
// operations, those with most first: they take longest, and must not be what the last
// worker begins with.
func groupByKey(ops []history.Op, object func(*history.Op) string) []*keyCase {
	byKey := make(map[string]*keyCase)
	var keys []*keyCase
	for i := range ops {
		name := ops[i].Key
		if object != nil {
			name = object(&ops[i])
		}
		k := byKey[name]
		if k == nil {
			k = &keyCase{key: name}
			byKey[k.key] = k
			keys = append(keys, k)
		}
		k.ops = append(k.ops, &ops[i])
	}
	slices.SortStableFunc(keys, func(a, b *keyCase) int { return cmp.Compare(len(b.ops), len(a.ops)) })
	return keys
}

// judgeAll decides about every key. It returns an error when a key holds
// that the model does not know.
func (j *judge) judgeAll(ctx context.Context, keys []*keyCase, limits check.Limits, end time.Time) error {
	limits.Time = time.Until(end)
	inRounds(len(keys), limits, func(i int, deadline time.Time) (again bool) {
		k := keys[i]
		if ctx.Err() != nil {
			k.ruling = ruling{why: check.StopCancelled}
			return false
		}
		g, release := j.watch.guard(end)
		defer release()
		o, err := j.model.prepare(k.ops, g)
		if k.err = err; err != nil {
			return false
		}
		if o == nil {
			k.ruling = ruling{why: g.why()}
			return false
		}
		k.ruling = o.decide(j, deadline)
		if k.ruling.answer == illegal {
			k.at, k.exact = k.ruling.moment(time.Now().Add(time.Until(j.end) / 2))
		}
		k.ruling.moment = nil
		return k.ruling.answer == undecided && k.ruling.why == check.StopTime
	})
	for _, k := range keys {
		if k.err != nil {
			return k.err
		}
	}
	return nil
}

// forgetReplaced leaves out what writes say that they replaced, in a history that was cut
// short: of a batch of operations that was torn, the write that such an answer tells of
// may be missing (see package driver, recorder).
func forgetReplaced(keys []*keyCase) {
	for _, k := range keys {
		for i, op := range k.ops {
			if op.Func == history.Write && op.Out != "" {
				short := *op
				short.Out = ""
				k.ops[i] = &short
			}
		}
	}
}

// share says how many of the keys: "3 of 117 keys", "the only key".
func share(n, of int) string {
	if of == 1 {
		return "the only key"
	}
	return fmt.Sprintf("%d of %d keys", n, of)
}

// keysNot adds how many keys are not linearizable, where there are several.
func keysNot(n, of int) string {
	switch {
	case of == 1:
		return ""
	case n == 1:
		return fmt.Sprintf("; 1 of %d keys is not linearizable", of)
	}
	return fmt.Sprintf("; %d of %d keys are not linearizable", n, of)
}

func linearizableText(ops, keys int) string {
	verb := "are"
	if ops == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%s on %s %s linearizable", check.Counted(ops, "operation", "operations"), check.Counted(keys, "key", "keys"), verb)
}

// openSummary names the keys that were not decided, and the limits.
func openSummary(open []*keyCase, total int, limits check.Limits) string {
	const most = 5
	var names, whys []string
	for i, k := range open {
		if i < most {
			names = append(names, history.Show(k.key))
		}
		if why := k.ruling.why.Describe(limits); !slices.Contains(whys, why) {
			whys = append(whys, why)
		}
	}
	if len(open) > most {
		names = append(names, "…")
	}
	return fmt.Sprintf("%s could not be decided (%s): %s; check again with a higher limit",
		share(len(open), total), strings.Join(names, ", "), strings.Join(whys, ", "))
}
