package leases

import (
	"fmt"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// conflict is an operation that has no place, and why.
type conflict struct {
	op      *history.Op
	kind    check.Kind  // "" where the bound tells it
	against *history.Op // what speaks against it, besides bound; nil: nothing
	// tenure is that which op belongs to; nil where no order of tenures is asked. bound is
	// what it must not be before, and is.
	tenure *tenure
	bound  bound
}

// certain is when both sides were known, ns.
func (c *conflict) certain() int64 {
	at := c.op.Return
	for _, other := range []*history.Op{c.against, c.bound.op, c.bound.after} {
		if other != nil && other.Outcome == history.OK {
			at = max(at, other.Return)
		}
	}
	return at
}

// tell fills in the result of a violation, on one of that many keys.
func (c *conflict) tell(in *check.Input, res *check.Result, keys int) {
	kind, what, why := c.words(in)
	res.Verdict, res.Kind, res.Key, res.FirstAt = check.Violation, kind, c.op.Key, in.FirstAt(c.certain())
	res.Summary = fmt.Sprintf("key %s: %s", history.Show(c.op.Key), what)
	if keys > 1 {
		res.Summary += fmt.Sprintf("; %d keys are not as they should be", keys)
	}
	res.Explanation = fmt.Sprintf("At %.3f s %s%s answered %s, %s.%s", in.Since(c.op.Return), history.Show(c.op.Node), check.Standing(in, c.op.Node, c.op.Return),
		check.Briefly(in.Functions, c.op), why, check.Elsewhere(in, c.op.Node, c.op.Return))
	ops := []*history.Op{c.op}
	for _, other := range []*history.Op{c.against, c.bound.op, c.bound.after} {
		if other != nil {
			ops = append(ops, check.Distinct([]*history.Op{other}, ops)...)
		}
	}
	var beside []*history.Op
	if c.tenure != nil {
		beside = check.Distinct([]*history.Op{c.tenure.grant.Op}, ops)
	}
	res.Witness = check.WitnessOps(ops, beside, in)
	res.Stats["witness"] = float64(len(ops))
}

// words are the kind, the summary, and what speaks against the operation.
func (c *conflict) words(in *check.Input) (kind check.Kind, what, why string) {
	if c.tenure != nil {
		return c.ordered(in)
	}
	other := ""
	if c.against != nil {
		other = c.other(in, c.against)
	}
	switch {
	case c.kind == check.KindToken:
		return c.kind, "a token was given twice", "but " + other
	case c.op.Func == objects.Release:
		return c.kind, "a lease was released twice", "but " + other
	case c.op.Func == objects.Acquire && c.against == nil:
		return c.kind, "an owner held the lock who never asked for it", "but nobody had asked for the lock by that name"
	case c.op.Func == objects.Acquire:
		return c.kind, "an owner held the lock to whom it was not granted", "but " + other
	case c.kind == check.KindFence:
		return c.kind, "a write with an old token was accepted", "but " + other
	case c.kind == check.KindRefused:
		return c.kind, "a write was refused though its token was the newest", "but no write with a higher token can have been accepted by then"
	case c.kind == check.KindStaleRead:
		return c.kind, "a read found an old token", "but " + other
	case c.against != nil:
		return c.kind, "a read found a token that no write can have left", "but " + other
	}
	return c.kind, "a read found a token that no write can have left", "but nobody wrote with it"
}

// ordered is words for an operation that no order of the tenures has room for.
func (c *conflict) ordered(in *check.Input) (kind check.Kind, what, why string) {
	b := c.bound
	if b.lease && b.op.Call <= c.op.Return {
		why = fmt.Sprintf("but %s, so the lease held until %.3f s at least", c.other(in, b.op), in.Since(b.at))
		if b.after != nil {
			why = fmt.Sprintf("but %s, and its lease began only after %s was called at %.3f s and held until %.3f s at least",
				c.other(in, b.op), check.Briefly(in.Functions, b.after), in.Since(b.after.Call), in.Since(b.at))
		}
		if c.op == c.tenure.over {
			return check.KindLeaseEarly, "a lease ended before its time", why
		}
		return check.KindDoubleGrant, "the lock was granted while another's lease held", why
	}
	why = "but " + c.other(in, b.op)
	if c.op.Func == objects.Acquire && c.op == c.tenure.grant.Op && b.op.Func == objects.Acquire && b.op.Out != "" && b.op.Out[0] != '"' {
		return check.KindToken, "a grant has a higher token than one that came later", why
	}
	return check.KindWrongHolder, "two owners held the lock at a time", why
}

// other tells of an operation that speaks against the first.
func (c *conflict) other(in *check.Input, op *history.Op) string {
	text := fmt.Sprintf("%s%s answered %s, called at %.3f s, at %.3f s", history.Show(op.Node), check.Standing(in, op.Node, op.Return),
		check.Briefly(in.Functions, op), in.Since(op.Call), in.Since(op.Return))
	if op.Outcome != history.OK {
		text = fmt.Sprintf("%s was called at %.3f s", check.Describe(in.Functions, op), in.Since(op.Call))
	}
	return text
}
