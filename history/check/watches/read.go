package watches

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"squall/history"
	"squall/history/objects"
)

// over is an error when a limit was reached.
func (l *eventLog) over() error {
	if stop := l.budget.Spent(); stop != "" {
		return errors.New(stop)
	}
	return nil
}

// readWrites reads what was written, and finds the answers of watches.
func (l *eventLog) readWrites() error {
	if len(l.in.Ops) == 0 {
		return errors.New("the history holds no operations")
	}
	for i := range l.in.Ops {
		if err := l.over(); err != nil {
			return err
		}
		op := &l.in.Ops[i]
		var err error
		switch op.Func {
		case history.Write:
			if _, isText := op.In.Text(); !isText {
				err = fmt.Errorf(`a write without its "i", a string: it is %s`, objects.Brief(op.In))
				break
			}
			l.pairs = append(l.pairs, logPair{key: op.Key, value: op.In})
			err = l.take(op, 1)
		case objects.Txn:
			var pairs [][2]string
			pairs, err = objects.ParsePairs(op.In)
			for _, p := range pairs {
				l.pairs = append(l.pairs, logPair{key: p[0], value: history.Text(p[1])})
			}
			if err == nil {
				err = l.take(op, len(pairs))
			}
		case objects.Watch:
			if op.Outcome == history.OK {
				l.answers = append(l.answers, logAnswer{op: op})
			}
		default:
			err = fmt.Errorf("the operation %s, which this check does not know; it knows %s", history.Show(string(op.Func)), objects.WatchFunctions())
		}
		if err != nil {
			return fmt.Errorf("process %d has %w", op.Process, err)
		}
	}
	slices.SortStableFunc(l.answers, func(a, b logAnswer) int { return cmp.Compare(a.op.Return, b.op.Return) })
	return nil
}

// take takes the write of the last n pairs.
func (l *eventLog) take(op *history.Op, n int) error {
	w := logWrite{op: op, pairs: [2]int32{int32(len(l.pairs) - n), int32(len(l.pairs))}, known: math.MaxInt64}
	for i := w.pairs[0]; i < w.pairs[1]; i++ {
		p := &l.pairs[i]
		p.write = int32(len(l.writes))
		if _, twice := l.byValue[p.value]; twice {
			return fmt.Errorf("a write of %s, which was written before: this check needs values that are unique", p.value.Show())
		}
		l.byValue[p.value] = i
	}
	if op.Outcome == history.OK {
		revision, ok := objects.ParseRevision(op.Out)
		if !ok {
			return fmt.Errorf(`a write that was answered without its revision "o", a number above 0: it is %s`, objects.Brief(op.Out))
		}
		w.revision, w.known, w.by = revision, op.Return, op
	}
	l.writes = append(l.writes, w)
	return nil
}

// readAnswers looks at each event by itself, and at the order within each answer.
func (l *eventLog) readAnswers() error {
	var answer objects.WatchAnswer
	for i := range l.answers {
		a := &l.answers[i]
		request, err := objects.ParseWatchRequest(a.op.In)
		if err == nil {
			err = objects.ParseWatchAnswer(a.op.Out, &answer)
		}
		if err == nil && answer.Next < request.From {
			err = fmt.Errorf("a watch that was asked from revision %d on and goes on at %d", request.From, answer.Next)
		}
		if err != nil {
			return fmt.Errorf("process %d has %w", a.op.Process, err)
		}
		a.from, a.next, a.n, a.silent = request.From, answer.Next, len(answer.Events), answer.Compacted
		l.countAnswer(a, answer.Compacted)
		if err := l.readEvents(a, int32(i+1), answer.Events); err != nil {
			return err
		}
	}
	return nil
}

func (l *eventLog) countAnswer(a *logAnswer, compacted bool) {
	c := &l.counts
	c.answers++
	c.events += a.n
	switch {
	case compacted:
		c.compacted++
	case a.n == 0:
		c.withoutNews++
	case a.from > 1:
		c.resumed++
	}
}

// readEvents reads the events of the answer of that number.
func (l *eventLog) readEvents(a *logAnswer, number int32, events []objects.Event) error {
	last := objects.Event{}
	for _, e := range events {
		if err := l.over(); err != nil {
			return err
		}
		if e.Revision >= a.next {
			return fmt.Errorf("process %d has a watch that was answered with an event of revision %d, and goes on at %d", a.op.Process, e.Revision, a.next)
		}
		i, known := l.byValue[e.Value]
		if !known {
			l.note(a, notWritten(a, e))
			continue
		}
		p := &l.pairs[i]
		w := &l.writes[p.write]
		if f := l.wrong(a, e, p, w, number); f != nil {
			l.note(a, f)
			continue
		}
		p.in = number
		if e.Revision < last.Revision {
			l.note(a, outOfOrder(a, last, e))
		}
		last = e
		if n := len(a.groups); n > 0 && a.groups[n-1].write == p.write {
			a.groups[n-1].n++
		} else {
			a.groups = append(a.groups, logGroup{p.write, 1})
		}
		if w.revision == 0 {
			w.revision = e.Revision
		}
		if w.seen == nil {
			w.seen = a.op
		}
		if a.op.Return < w.known {
			w.known, w.by = a.op.Return, a.op
		}
	}
	return nil
}

// wrong says what is wrong with one event; nil for nothing.
func (l *eventLog) wrong(a *logAnswer, e objects.Event, p *logPair, w *logWrite, number int32) *watchFinding {
	switch {
	case w.op.Call > a.op.Return:
		return fromTheFuture(a, e, w)
	case w.op.Outcome == history.Fail:
		return failedWrite(a, e, w)
	case p.key != e.Key:
		return otherKey(a, e, p, w)
	case !strings.HasPrefix(e.Key, a.op.Key):
		return notAskedFor(a, e, w)
	case w.revision != 0 && w.revision != e.Revision:
		return otherRevision(a, e, w)
	case p.in == number:
		return seenTwice(a, e, w)
	case e.Revision < a.from:
		return toldAgain(a, e, w)
	}
	return nil
}
