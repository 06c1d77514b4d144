package objects

import (
	"fmt"
	"slices"
	"strconv"

	"squall/history"
)

// KeepAlive is the function that prolongs a lease.
const KeepAlive history.Func = "keep-alive"

// LeaseFunctions are the functions of the check "lease". A key is a lock with leases, and
// what that lock protects, which keeps the highest token that it was written with.
//
//   - acquire takes {"owner":"c1-7","ttlMs":1000,"skewMs":20}: the lease, and by how much less
//     of it a holder is sure since clocks differ. It answers with the token, a number from 1 on,
//     or with who holds the lock, a string.
//   - keep-alive takes {"owner":"c1-7","token":12,"ttlMs":1000,"skewMs":20} and answers whether
//     the owner held the lock with this token, and then holds it for ttlMs from then on.
//   - release takes [owner, token] and answers likewise.
//   - write takes a token and answers whether it was accepted: no higher one was before.
//   - read answers with the highest token that a write was accepted with; 0: none was.
func LeaseFunctions() history.Functions {
	return history.Functions{
		{Name: Acquire, Text: "acquire({key}) by {in.owner} for {in.ttlMs} ms", Answer: " → {out}"},
		{Name: KeepAlive, Text: "keep-alive({key}) by {in.owner}, token {in.token}, for {in.ttlMs} ms", Answer: ": {out}"},
		{Name: Release, Text: "release({key}) by {in.0}, token {in.1}", Answer: ": {out}"},
		{Name: history.Write, Text: "write({key}) with token {in}", Answer: ": {out}"},
		{Name: history.Read, Reads: true, Text: "read({key})", Answer: " → token {out}"},
	}
}

// LeaseOp is an operation of a lock with leases, or of what it protects.
type LeaseOp struct {
	Owner    history.Data
	Token    int64 // of a grant, a keep-alive, a release, a write, or what a read found
	Lasts    int64 // how long its holder is sure of a lease: the lease less the skew, ns
	Answered bool
	Granted  bool         // an acquire: it was answered with a token
	Holder   history.Data // else: with who holds the lock
	Yes      bool         // of the others but a read: it was answered with true
}

// LeaseTerms are an owner and his lease, as an acquire has them.
func LeaseTerms(owner string, ttlMs, skewMs int64) history.Data {
	return history.Data(`{"owner":` + string(history.Text(owner)) + leaseTimes(ttlMs, skewMs))
}

// KeepAliveTerms are an owner with his token and lease, as a keep-alive has them.
func KeepAliveTerms(owner, token history.Data, ttlMs, skewMs int64) history.Data {
	return `{"owner":` + owner + `,"token":` + token + history.Data(leaseTimes(ttlMs, skewMs))
}

func leaseTimes(ttlMs, skewMs int64) string {
	return `,"ttlMs":` + strconv.FormatInt(ttlMs, 10) + `,"skewMs":` + strconv.FormatInt(skewMs, 10) + "}"
}

// ParseLease reads an operation on a lock with leases, or on what it protects.
func ParseLease(op *history.Op) (o LeaseOp, err error) {
	o.Answered = op.Outcome == history.OK
	switch op.Func {
	case Acquire:
		if err = o.terms(op); err == nil && o.Answered {
			err = o.grant(op)
		}
		return o, err
	case KeepAlive:
		if err = o.terms(op); err == nil {
			o.Token, err = tokenOf(op, op.In.At("token"))
		}
	case Release:
		parts := slices.Collect(op.In.Elements())
		if len(parts) != 2 || !isText(parts[0]) {
			return o, fmt.Errorf(`a release without its "i", a list of owner and token: it is %s`, Brief(op.In))
		}
		o.Owner = parts[0]
		o.Token, err = tokenOf(op, parts[1])
	case history.Write:
		o.Token, err = tokenOf(op, op.In)
	case history.Read:
		if err = NoData(op, false, true); err == nil && o.Answered {
			if o.Token, err = WholeNumber(op.Out); err != nil || o.Token < 0 {
				err = fmt.Errorf(`a read that was answered without its result "o", a token: it is %s`, Brief(op.Out))
			}
		}
		return o, err
	default:
		return o, fmt.Errorf("the operation %s, which this check does not know; it knows %s", history.Show(string(op.Func)), LeaseFunctions())
	}
	if o.Yes = op.Out == history.True; err == nil && o.Answered && !o.Yes && op.Out != history.False {
		err = fmt.Errorf(`a %s whose result "o" is neither true nor false: it is %s`, op.Func, Brief(op.Out))
	}
	return o, err
}

// grant reads the answer to an acquire.
func (o *LeaseOp) grant(op *history.Op) (err error) {
	if o.Holder = op.Out; isText(op.Out) {
		return nil
	}
	o.Granted, o.Holder = true, ""
	o.Token, err = tokenOf(op, op.Out)
	return err
}

// terms reads the owner and the lease that are asked for.
func (o *LeaseOp) terms(op *history.Op) error {
	if o.Owner = op.In.At("owner"); !isText(o.Owner) {
		return fmt.Errorf(`a %s without its owner in "i": it is %s`, op.Func, Brief(op.In))
	}
	ttl, err := WholeNumber(op.In.At("ttlMs"))
	if err != nil {
		return fmt.Errorf(`a %s whose "ttlMs" in "i" is none: %w`, op.Func, err)
	}
	skew, err := WholeNumber(op.In.At("skewMs"))
	if err != nil {
		return fmt.Errorf(`a %s whose "skewMs" in "i" is none: %w`, op.Func, err)
	}
	if skew < 0 || ttl < skew || ttl > mostLease {
		return fmt.Errorf("a %s of a lease of %d ms, of which clocks take %d ms: want at least that, and at most %d ms", op.Func, ttl, skew, int64(mostLease))
	}
	o.Lasts = (ttl - skew) * 1e6
	return nil
}

// mostLease bounds leases, ms: a year.
const mostLease = 366 * 24 * 3600 * 1000

func tokenOf(op *history.Op, d history.Data) (int64, error) {
	n, err := WholeNumber(d)
	if err == nil && n < 1 {
		err = fmt.Errorf("%s, want 1 or more", Brief(d))
	}
	if err != nil {
		return 0, fmt.Errorf(`a %s with a token that is none: %w`, op.Func, err)
	}
	return n, nil
}
