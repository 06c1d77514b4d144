package driver

import (
	"context"

	"squall/history"
	"squall/workloads"
	"squall/workloads/systems"
)

// maxErrorText bounds the text of an error in the history, in bytes.
const maxErrorText = 200

// newOp is the operation that an intent makes, but for its process.
func newOp(node string, in workloads.Intent) history.Op {
	return history.Op{Node: node, Func: in.Func, Key: in.Key, In: in.In}
}

// perform runs an operation, once, and fills in what came of it. The operation
// is registered already.
func perform(ctx context.Context, l *link, op *history.Op) { _ = attempt(ctx, l, nil, op) }

// attempt is perform of an operation that may be sent more than once; nil: it is not. It
// returns the error as well.
func attempt(ctx context.Context, l *link, once systems.Once, op *history.Op) error {
	conn, err := l.get(ctx)
	if err != nil {
		op.Return = l.clock.now()
		op.Outcome, op.Error = history.Fail, errorText(ctx, err)
		return err
	}
	do := conn.perform
	if once != nil {
		do = l.work.Bind(once.On(conn.client))
	}
	err = do(ctx, op)
	op.Return = l.clock.now()
	if err == nil {
		op.Outcome = history.OK
		conn.answered(op.Return)
		return nil
	}
	op.Out = ""
	op.Error = errorText(ctx, err)
	op.Outcome = history.Info
	// What only reads changes nothing, so if it was not answered it had no effect.
	if l.work.Functions.Reads(op.Func) || systems.Certain(err) {
		op.Outcome = history.Fail
	}
	l.failed(conn, err, op.Return)
	return err
}

// errorText is what the history says of an error. When it was the driver that
// gave up, its reason says more than "context canceled".
func errorText(ctx context.Context, err error) string {
	text := err.Error()
	if cause := context.Cause(ctx); cause != nil {
		text = cause.Error()
	}
	if len(text) > maxErrorText {
		text = text[:maxErrorText]
	}
	return text
}
