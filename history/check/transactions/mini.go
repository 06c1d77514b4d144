package transactions

import (
	"context"
	"errors"
	"fmt"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// Mini returns the checker "mini": transactions that read and write at most two registers,
// each of which they read before they write it, must be strictly serializable. No value is
// written twice to a register.
//
// So it is known of every value that was answered which one it replaced. What is left open is
// where writes stand of which only others tell, since nobody answered them. The form is that
// of MTC (Tan et al., ICDE 2025), for which this takes little more than linear time.
func Mini() check.Checker { return registersCheck{"mini", miniForm} }

// RW returns the checker "rw": transactions read and write registers in any way (see
// RegistersFunctions), and must be strictly serializable. No value is written twice to a
// register.
//
// What a transaction wrote without reading it before may have replaced any value. Where
// time and the reads of others do not tell, orders are tried out, as long as the limits allow.
func RW() check.Checker { return registersCheck{"rw", nil} }

// miniForm says what keeps a transaction from being a mini-transaction.
func miniForm(ops []objects.RegisterOp) error {
	var keys [2]history.Data
	var read [2]bool
	n := 0
	for _, o := range ops {
		i := 0
		for i < n && keys[i] != o.Key {
			i++
		}
		if i == len(keys) {
			return errors.New("that reads or writes more than two registers, and a mini-transaction has two at most")
		}
		if i == n {
			keys[n] = o.Key
			n++
		}
		if o.Writes && !read[i] {
			return fmt.Errorf("that writes %s without having read it, and a mini-transaction reads what it replaces", o.Key.Show())
		}
		read[i] = true
	}
	return nil
}

// registersCheck is a check of transactions on registers of some form.
type registersCheck struct {
	name string
	form func(ops []objects.RegisterOp) error // nil: any
}

var _ check.Checker = registersCheck{}

// Name is the check's.
func (c registersCheck) Name() string { return c.name }

// Check implements Checker.
func (c registersCheck) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	if len(in.Ops) == 0 {
		return check.Result{Verdict: check.Unknown, Summary: "the history holds no operations"}
	}
	r := &registers{in: in, budget: b}
	if err := r.gather(c.form); err != nil {
		return check.Result{Verdict: check.Unknown, Summary: err.Error()}
	}
	res := check.Result{Stats: map[string]float64{"registers": float64(len(r.keys)), "operations": float64(len(in.Ops))}}
	r.observe()
	var p *past
	if r.worst == nil && r.stop == "" {
		p = r.past()
	}
	if r.worst != nil || r.stop != "" {
		conclude(r.worst, r.stop, in, &res)
		return res
	}
	f, stop := p.judge(in, b)
	conclude(f, stop, in, &res)
	if res.Verdict == check.Pass {
		res.Summary = fmt.Sprintf("one order explains %s on %s: strictly serializable",
			check.Counted(len(p.txns), "transaction", "transactions"), check.Counted(len(r.keys), "register", "registers"))
	}
	return res
}

// conclude gives the verdict: a finding, else the limit that was reached, else that all is well.
func conclude(f *finding, stop string, in *check.Input, res *check.Result) {
	switch {
	case f != nil:
		f.show(in, res)
		if stop != "" {
			res.Summary += "; there was no time to look at everything: " + stop
		}
	case stop != "":
		res.Verdict, res.Summary = check.Unknown, stop
	default:
		res.Verdict = check.Pass
	}
}

// judge finds out whether there is an order of all transactions. Without a finding and a
// reason to stop, there is one.
func (p *past) judge(in *check.Input, b *check.Budget) (f *finding, stop string) {
	for _, s := range []func() *serialize{
		func() *serialize { return newSerialize(p, b) },
		func() *serialize { return careful(p, b, nil) },
	} {
		if found, stop := s().run(); found || stop != "" {
			return nil, stop
		}
	}
	d := newDependencies(p, b)
	left := tries
	switch r := d.decide(&left); {
	case r.found:
		return nil, ""
	case r.stop != "":
		return nil, r.stop
	}
	if c := d.cycle(); c != nil {
		return c.finding(in), ""
	}
	return p.noOrder(in), ""
}

// noOrder is that every order was tried out, in vain.
func (p *past) noOrder(in *check.Input) *finding {
	f := &finding{anomaly: anomaly{name: "no order", kind: check.KindNoOrder, weakest: strictSerializable}}
	for i := range p.txns {
		f.ops = append(f.ops, p.txns[i].op)
		if p.txns[i].op.Outcome == history.OK {
			f.at = max(f.at, p.txns[i].op.Return)
		}
	}
	f.tells = func() string {
		return fmt.Sprintf("All orders in which the transactions up to %.3f s can have come were tried out, and none explains what was read.", in.Since(f.at))
	}
	return f
}
