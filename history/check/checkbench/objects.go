package checkbench

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"squall/history"
	"squall/history/check/linearizable"
	"squall/history/objects"
)

// register is read by half of the operations, written by three of ten, and else compared and
// set to what it held a while ago.
type register struct {
	values  int // that are written; 0: each once
	written int
	now     history.Data
	before  []history.Data
}

func newRegister(values int) func() store {
	return func() store {
		return &register{values: values, now: history.Null, before: []history.Data{history.Null}}
	}
}

func (r *register) functions() history.Functions { return history.RegisterFunctions() }

func (r *register) next(rng *rand.Rand, _ int, op *history.Op) {
	r.written++
	value := history.Text(strconv.Itoa(r.written))
	if r.values > 0 {
		value = history.Text(strconv.Itoa(rng.IntN(r.values)))
	}
	switch p := rng.IntN(10); {
	case p < 5:
		op.Func = history.Read
	case p < 8:
		op.Func, op.In = history.Write, value
	default:
		op.Func, op.In = history.CAS, history.List(r.before[rng.IntN(len(r.before))], value)
	}
	op.Key = "k"
}

func (r *register) apply(_ int, op *history.Op) history.Data {
	said := op.Register()
	if op.Func == history.Read {
		return r.now
	}
	swapped := op.Func == history.Write || said.Expect.AsData() == r.now
	if swapped {
		r.now = said.Value.AsData()
		if r.before = append(r.before, r.now); len(r.before) > 3 {
			r.before = r.before[1:]
		}
	}
	switch {
	case op.Func == history.Write:
		return ""
	case swapped:
		return history.True
	}
	found, _ := r.now.Text()
	return history.CASAnswer(false, history.Value{Data: found, Present: r.now != history.Null})
}

// rotation is how many operations a key of a set or list has before the next one.
const rotation = 300

// setsOf are sets, to which two thirds of the operations add and which the others read.
type setsOf struct {
	asked int
	now   map[string][]history.Data
}

func newSets() store { return &setsOf{now: map[string][]history.Data{}} }

func (s *setsOf) functions() history.Functions { return linearizable.SetModel().Functions }

func (s *setsOf) next(rng *rand.Rand, _ int, op *history.Op) {
	s.asked++
	op.Key, op.Func = "s"+strconv.Itoa(s.asked/rotation), history.Read
	if rng.IntN(3) > 0 {
		op.Func, op.In = objects.Add, history.Data(strconv.Itoa(s.asked))
	}
}

func (s *setsOf) apply(_ int, op *history.Op) history.Data {
	if op.Func == history.Read {
		return history.List(s.now[op.Key]...)
	}
	s.now[op.Key] = append(s.now[op.Key], op.In)
	return history.True
}

// lock is acquired and released by each client in turn.
type lock struct {
	token  int64
	holder history.Data   // "": it is free
	tokens map[int]string // by client: of the grant that it has
}

func newLock() store { return &lock{tokens: map[int]string{}} }

func (l *lock) functions() history.Functions { return linearizable.LockModel().Functions }

func owner(client int) history.Data { return history.Text("c" + strconv.Itoa(client)) }

func (l *lock) next(_ *rand.Rand, client int, op *history.Op) {
	op.Key, op.Func, op.In = "l", objects.Acquire, owner(client)
	if token, has := l.tokens[client]; has {
		op.Func, op.In = objects.Release, history.List(owner(client), history.Data(token))
		delete(l.tokens, client)
	}
}

func (l *lock) apply(client int, op *history.Op) history.Data {
	switch {
	case op.Func == objects.Release:
		l.holder = ""
		return history.True
	case l.holder != "":
		return l.holder
	}
	l.token++
	l.holder, l.tokens[client] = op.In, strconv.FormatInt(l.token, 10)
	return history.Data(l.tokens[client])
}

// queue has values put in by half of the operations and taken out by the others.
type queue struct {
	put int
	now []history.Data
}

func newQueue() store { return &queue{} }

func (q *queue) functions() history.Functions { return linearizable.FIFOQueueModel().Functions }

func (q *queue) next(rng *rand.Rand, _ int, op *history.Op) {
	op.Key, op.Func = "q", objects.Dequeue
	if rng.IntN(2) == 0 {
		q.put++
		op.Func, op.In = objects.Enqueue, history.Text(strconv.Itoa(q.put))
	}
}

func (q *queue) apply(_ int, op *history.Op) history.Data {
	switch {
	case op.Func == objects.Enqueue:
		q.now = append(q.now, op.In)
		return ""
	case len(q.now) == 0:
		return history.Null
	}
	first := q.now[0]
	q.now = q.now[1:]
	return first
}

// lists are appended to and read by transactions of one to four operations on five lists at a
// time.
type lists struct {
	asked, element int
	now            map[history.Data][]history.Data
}

func newLists() store { return &lists{now: map[history.Data][]history.Data{}} }

func (l *lists) functions() history.Functions { return objects.AppendFunctions() }

func (l *lists) next(rng *rand.Rand, _ int, op *history.Op) {
	l.asked++
	var ops []history.Data
	for range 1 + rng.IntN(4) {
		o := objects.TxnOp{Key: history.Text(fmt.Sprintf("l%d", l.asked/rotation*5+rng.IntN(5)))}
		if rng.IntN(2) == 0 {
			l.element++
			o.Element = history.Text(strconv.Itoa(l.element))
		}
		ops = append(ops, o.Data(history.Null))
	}
	op.Func, op.In = objects.Txn, history.List(ops...)
}

func (l *lists) apply(_ int, op *history.Op) history.Data {
	asked, err := objects.ParseTxn(op, nil)
	if err != nil {
		panic(err) // it was made above
	}
	var out []history.Data
	for _, o := range asked {
		if o.Element != "" {
			l.now[o.Key] = append(l.now[o.Key], o.Element)
		}
		out = append(out, o.Data(history.List(l.now[o.Key]...)))
	}
	return history.List(out...)
}
