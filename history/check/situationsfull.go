package check

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strconv"

	"squall/history/trace"
)

// situationsOf counts the situations of a run: in its full trace, if it has one, else in
// that of version 1. What of a full trace cannot be read is among the silent nodes.
func situationsOf(ctx context.Context, r *Results, in *Input) *Situations {
	steps, err := trace.Open(in.Dir)
	if err != nil {
		return basicSituations(r, in.History, errorUnlessNone(err))
	}
	defer steps.Close()
	o := newObserver(r, in.Header.Mono, len(in.Header.Nodes), func(id trace.NodeID) string { return stepName(steps, id) })
	b := NewBudget(ctx, in.Limits)
	defer b.Cancel()
	var stop string
	for stop == "" {
		e, err := steps.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			stop = err.Error()
			break
		}
		o.tracker.Observe(e)
		stop = b.Spent()
	}
	s := o.situations(true)
	s.Trouble = stop
	return s
}

// errorUnlessNone is what is wrong with a full trace; "" where there is none.
func errorUnlessNone(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return err.Error()
}

// stepName is what people call a node.
func stepName(steps *trace.Merged, id trace.NodeID) string {
	if name := steps.Name(id); name != "" {
		return name
	}
	return "n" + strconv.FormatUint(uint64(id), 10)
}
