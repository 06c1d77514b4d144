package linearizable

import (
	"fmt"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// explainQueue tells of a dequeue that found a value which nobody had put in, or which was
// taken already, or none although one was there, or one that others stand before.
func explainQueue(v *violation[queueOp], fifo bool) explanation {
	o := v.suspect.said
	if o.enqueues {
		return explanation{}
	}
	if o.foundNone() {
		return explainNone(v)
	}
	name := o.value.Show()
	var put *history.Op
	for _, op := range v.ops {
		if op.Func != objects.Enqueue || op.In != o.value {
			continue
		}
		if put == nil || put.Outcome == history.Fail || op.Outcome != history.Fail && op.Call < put.Call {
			put = op
		}
	}
	switch {
	case put == nil:
		return explanation{kind: check.KindNowhere, sentence: v.sentence(fmt.Sprintf(", but nobody ever enqueued %s", name), "")}
	case put.Outcome == history.Fail:
		return explanation{kind: check.KindFailedEffect, beside: []*history.Op{put}, sentence: v.sentence(fmt.Sprintf(
			`, the value of an enqueue that %s had answered "failed" at %.3f s, so that enqueue took effect after all`, history.Show(put.Node), v.f.seconds(put.Return)), "")}
	case put.Call > v.suspect.ret:
		return explanation{kind: check.KindNowhere, beside: []*history.Op{put}, sentence: v.sentence(fmt.Sprintf(
			", but nobody had enqueued %s yet: the first to do so was %s", name, v.called(put)), "")}
	}
	for i := range v.list {
		if n := &v.list[i]; n.op != v.suspect.op && !n.said.enqueues && n.said.value == o.value && n.ret != forever {
			return explanation{kind: check.KindTakenTwice, beside: []*history.Op{put, n.op}, sentence: v.sentence(", but "+v.answered(n.op), fmt.Sprintf(
				" %s was enqueued once, by %s.", name, v.called(put)))}
		}
	}
	if fifo {
		return v.outOfOrder()
	}
	return explanation{}
}

// explainNone tells of a value that was put in before a dequeue that found none was called,
// and that nobody had begun to take when it returned.
func explainNone(v *violation[queueOp]) explanation {
	taken := make(map[history.Data]*history.Op)
	pending := 0
	for _, op := range v.ops {
		switch {
		case op.Func != objects.Dequeue || op.Outcome == history.Fail:
		case op.Outcome == history.OK:
			taken[op.Out] = op
		case op.Call <= v.suspect.ret:
			pending++
		}
	}
	for i := range v.shown {
		n := &v.shown[i]
		if !n.said.enqueues || n.op.Outcome != history.OK || n.ret >= v.suspect.call {
			continue
		}
		take := taken[n.said.value]
		if take != nil && take.Call <= v.suspect.ret {
			continue
		}
		ex := explanation{kind: check.KindLostElement, sentence: v.sentence(", but "+v.answered(n.op), fmt.Sprintf(" No dequeue was answered %s.", n.said.value.Show()))}
		if pending > 0 {
			ex.sentence += fmt.Sprintf(" The %s of unknown outcome called until then cannot have taken all that is missing.", check.Counted(pending, "dequeue", "dequeues"))
		}
		if take != nil {
			ex.kind, ex.beside = check.KindStaleRead, []*history.Op{take}
			ex.sentence = v.sentence(", but "+v.answered(n.op), " It was taken only later: "+v.called(take)+".")
		}
		return ex
	}
	return explanation{}
}

// outOfOrder tells of the value that the suspect took, or another one shown, though an
// older one was still in the queue.
func (v *violation[O]) outOfOrder() explanation {
	var puts []*history.Op
	takes := make(map[history.Data]*history.Op)
	for i := range v.shown {
		switch op := v.shown[i].op; {
		case op.Outcome != history.OK:
		case op.Func == objects.Enqueue:
			puts = append(puts, op)
		case op.Func == objects.Dequeue:
			takes[op.Out] = op
		}
	}
	for _, a := range puts {
		for _, b := range puts {
			older, newer := a.In, b.In
			first, last := takes[newer], takes[older]
			if a.Return >= b.Call || first == nil || last != nil && last.Call <= first.Return {
				continue
			}
			when := "nobody was answered it before"
			if last != nil {
				when = "it was taken only later: " + v.called(last)
			}
			return explanation{kind: check.KindOutOfOrder, sentence: v.sentence("", fmt.Sprintf(" %s was enqueued before %s, and yet %s was taken when %s was still in the queue; %s.",
				older.Show(), newer.Show(), newer.Show(), older.Show(), when))}
		}
	}
	return explanation{}
}
