package driver

import (
	"fmt"
	"io"
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"squall/history"
)

// flushEvery is how long a finished operation stays unwritten at most, as long
// as the reader keeps up. A bit less than the 50 ms that are promised.
const flushEvery = 40 * time.Millisecond

// Sizes of a batch, in bytes.
const (
	batchKick = 256 << 10 // written at once, without waiting for flushEvery
	batchMax  = 16 << 20  // finished operations wait: the reader is too slow
)

// recorder gathers the lines of operations into batches and writes them.
//
// Each batch is handed over in one Write, and is causally closed: whatever an
// operation in it, or before it, can have observed is in it, or before it. For
// that an operation is registered before its request can leave, and those
// still under way when a batch is cut are written as open ones, once. Both
// happen under one lock: an operation A that observed W ended after W was
// registered, so the cut that takes A finds W, ended or under way. So if the
// driver dies, what was received holds no read of a value that nobody wrote.
//
// In a batch the order is: what is under way, what was answered with nothing, what
// may have changed something and found something, what only reads. A batch torn in
// the middle is thus as good as closed, too.
type recorder struct {
	clock clock
	w     io.Writer
	does  history.Functions

	mu      sync.Mutex
	room    sync.Cond // the batch was taken, or the recorder failed
	batch   batch
	flights []*flight // registered, under way or not
	counts  Counts
	active  int            // flights under way
	latency *hdr.Histogram // of OK operations of the load, µs
	err     error          // the write error that ended it

	kick chan struct{}
	quit chan struct{}
	done chan struct{}
	wmu  sync.Mutex // held while a batch is taken and written, so that they keep their order
	full batch      // the one being written, emptied; swapped with batch
}

// batch holds finished operations by what they may depend on.
type batch struct{ open, writes, mixed, reads []byte }

func (b *batch) size() int { return len(b.writes) + len(b.mixed) + len(b.reads) }

func (b *batch) reset() {
	b.open, b.writes, b.mixed, b.reads = b.open[:0], b.writes[:0], b.mixed[:0], b.reads[:0]
}

// flight is where one process keeps the operation that it has under way. Only
// the recorder looks into it.
type flight struct {
	index     int // in recorder.flights
	op        history.Op
	active    bool
	announced bool // written as open
	line      []byte
}

func newRecorder(c clock, w io.Writer, does history.Functions) *recorder {
	r := &recorder{
		clock:   c,
		w:       w,
		does:    does,
		latency: hdr.New(1, int64(time.Hour/time.Microsecond), 3),
		kick:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	r.room.L = &r.mu
	go r.run()
	return r
}

// register makes room for one operation at a time.
func (r *recorder) register() *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &flight{index: len(r.flights)}
	r.flights = append(r.flights, f)
	return f
}

// release gives the room back. The flight's operation has ended.
func (r *recorder) release(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.flights) - 1
	r.flights[f.index] = r.flights[last]
	r.flights[f.index].index = f.index
	r.flights[last] = nil
	r.flights = r.flights[:last]
}

// begin registers an operation, which is called now. Its request must not leave before.
// The time is taken under the lock: so no operation was called before the batches end in
// which it is missing, which those rely on who judge a history while it grows.
func (r *recorder) begin(f *flight, op *history.Op, now func() int64) {
	r.mu.Lock()
	op.Call = now()
	f.op = *op
	f.active, f.announced = true, false
	r.active++
	r.mu.Unlock()
}

// end records a finished operation. due is when it was to be called, which is
// before its call if it had to wait for a free process. It waits when the
// reader of the history is too slow.
func (r *recorder) end(f *flight, op *history.Op, due int64) {
	f.line = history.AppendOp(f.line[:0], op, false)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.does.Reads(op.Func):
		r.batch.reads = append(r.batch.reads, f.line...)
	case op.Out != "":
		r.batch.mixed = append(r.batch.mixed, f.line...)
	default:
		r.batch.writes = append(r.batch.writes, f.line...)
	}
	f.active = false
	r.active--
	r.count(op, due)
	if r.batch.size() < batchKick {
		return
	}
	select {
	case r.kick <- struct{}{}:
	default:
	}
	for r.batch.size() > batchMax && r.err == nil {
		r.room.Wait()
	}
}

func (r *recorder) count(op *history.Op, due int64) {
	switch op.Outcome {
	case history.OK:
		r.counts.OK++
		if !op.Final {
			// The histogram refuses only what is beyond its range: an hour.
			_ = r.latency.RecordValue(max(1, (op.Return-due)/1000))
		}
	case history.Fail:
		r.counts.Fail++
	default:
		r.counts.Info++
	}
}

// event is an event with the counts of this moment.
func (r *recorder) event(name string) Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Event{Event: name, Time: r.clock.now(), Counts: r.counts, InFlight: r.active}
}

// quantiles are those of the load so far, or nil.
func (r *recorder) quantiles() *Latency {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.latency
	if h.TotalCount() == 0 {
		return nil
	}
	ms := func(us int64) float64 { return float64(us) / 1000 }
	return &Latency{
		Count: h.TotalCount(),
		P50:   ms(h.ValueAtQuantile(50)),
		P99:   ms(h.ValueAtQuantile(99)),
		Max:   ms(h.Max()),
	}
}

// run writes batches until close.
func (r *recorder) run() {
	defer close(r.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.kick:
		case <-r.quit:
			return
		}
		if r.flush() != nil {
			return
		}
	}
}

// take cuts a batch: what ended since the last one, and what is under way.
func (r *recorder) take() *batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.full.reset()
	r.batch, r.full = r.full, r.batch
	for _, f := range r.flights {
		if f.active && !f.announced {
			r.full.open = history.AppendOp(r.full.open, &f.op, true)
			f.announced = true
		}
	}
	r.room.Broadcast()
	return &r.full
}

// flush writes all that has ended. After an error nothing is written any more:
// a gap in the history would be worse than its end.
func (r *recorder) flush() error {
	r.wmu.Lock()
	defer r.wmu.Unlock()
	if err := r.failure(); err != nil {
		return err
	}
	b := r.take()
	out := append(append(append(b.open, b.writes...), b.mixed...), b.reads...)
	b.open = out[:0] // keep what it grew to
	if len(out) == 0 {
		return nil
	}
	if _, err := r.w.Write(out); err != nil {
		r.mu.Lock()
		r.err = fmt.Errorf("write the history: %w", err)
		r.room.Broadcast()
		r.mu.Unlock()
	}
	return r.failure()
}

// failure is the error that ended the recording, or nil.
func (r *recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// close writes what is left and ends the recorder.
func (r *recorder) close() error {
	close(r.quit)
	<-r.done
	return r.flush()
}
