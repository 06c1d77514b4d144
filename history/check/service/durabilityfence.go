package service

import (
	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// FencedWrites are writes with tokens to what a lock protects: a final read must find the
// highest token of one that was accepted, or a higher one.
func FencedWrites() Written {
	return Written{thing: "write", things: "writes", kind: check.KindLostWrite,
		wrote: func(op *history.Op, tell func(string, history.Data)) {
			if op.Func != history.Write {
				return
			}
			if o, err := objects.ParseLease(op); err == nil && (o.Yes || !o.Answered) {
				tell(op.Key, op.In)
			}
		},
		found:   foundBy(history.Read),
		missing: missingToken,
	}
}

// missingToken is the accepted write with the highest token, when that is above the one that
// was found.
func missingToken(o *writtenObject, l look) []*writtenOp {
	most, err := objects.WholeNumber(l.found)
	if err != nil {
		return nil
	}
	var missing *writtenOp
	for i := range o.writes {
		w := &o.writes[i]
		if n, err := objects.WholeNumber(w.value); err == nil && n > most && w.acknowledged() && w.op.Return < l.op.Call {
			most, missing = n, w
		}
	}
	if missing == nil {
		return nil
	}
	return []*writtenOp{missing}
}

// RemovableWrites are elements of sets from which elements are removed: a final read must
// find every one that was acknowledged and that nobody may have removed, and none whose
// remove was acknowledged.
func RemovableWrites() Written {
	return Written{thing: "add or remove", things: "adds and removes", kind: check.KindLostElement,
		wrote: func(op *history.Op, tell func(string, history.Data)) {
			if op.Func == objects.Add || op.Func == objects.Remove && op.Out != history.False {
				tell(op.Key, op.In)
			}
		},
		found:   foundBy(history.Read),
		missing: missingChanges,
	}
}

// missingChanges are the acknowledged elements that a list lacks and that nobody asked to
// remove, and the acknowledged removes of those that it has.
func missingChanges(o *writtenObject, l look) (missing []*writtenOp) {
	found := make(map[history.Data]bool, len(o.writes))
	for e := range l.found.Elements() {
		found[e] = true
	}
	leaves := make(map[history.Data]bool)
	for i := range o.writes {
		if w := &o.writes[i]; w.op.Func == objects.Remove && w.op.Outcome != history.Fail {
			leaves[w.value] = true
		}
	}
	for i := range o.writes {
		w := &o.writes[i]
		lost := w.op.Func == objects.Add && !found[w.value] && !leaves[w.value]
		back := w.op.Func == objects.Remove && found[w.value]
		if (lost || back) && w.acknowledged() && w.op.Return < l.op.Call {
			missing = append(missing, w)
		}
	}
	return missing
}
