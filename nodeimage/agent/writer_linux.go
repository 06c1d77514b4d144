package agent

import (
	"errors"
	"io"
	"sync"

	"squall/nodeimage/agent/protocol"
)

// How much of a stream may wait to be written, in bytes. A trace beyond it
// makes the server wait, a log beyond it is left out.
const (
	traceBacklog = 1 << 20
	logBacklog   = 4 << 20
)

// maxBatch is how much of small stream frames is written at once. It also is
// what a reply waits for at most.
const maxBatch = 64 << 10

var errWriterClosed = errors.New("the agent is shutting down")

// frameWriter writes frames, replies before all others, and streams and events
// as far as the other side has room for them. One goroutine (run) writes; any
// may push.
type frameWriter struct {
	out io.Writer

	mu      sync.Mutex
	changed *sync.Cond // there is something to do, or room, or the end
	replies [][]byte
	stream  []queued // streams and events, in order
	backlog map[protocol.StreamID]int
	room    int  // how many frames of stream the other side takes
	busy    bool // frames are out of the queues but not yet written
	err     error
}

type queued struct {
	frame []byte
	id    protocol.StreamID // 0 for an event
}

func newFrameWriter(out io.Writer) *frameWriter {
	w := &frameWriter{out: out, backlog: make(map[protocol.StreamID]int), room: protocol.Window}
	w.changed = sync.NewCond(&w.mu)
	return w
}

// reply queues a reply's frame. It never waits: how many requests are under
// way is bounded where they come in.
func (w *frameWriter) reply(frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.replies = append(w.replies, frame)
	w.changed.Broadcast()
}

// event queues an event's frame behind the stream frames that wait already.
func (w *frameWriter) event(frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stream = append(w.stream, queued{frame: frame})
	w.changed.Broadcast()
}

// credit lets so many frames more of streams and events be written.
func (w *frameWriter) credit(frames int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.room += frames
	w.changed.Broadcast()
}

// trace queues a frame of a trace, when there is room for it.
func (w *frameWriter) trace(id protocol.StreamID, frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && w.backlog[id] >= traceBacklog {
		w.changed.Wait()
	}
	w.push(id, frame)
	return w.err
}

// log queues a stream frame and reports whether there was room for it.
func (w *frameWriter) log(frame []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.backlog[protocol.StreamLog] >= logBacklog {
		return false
	}
	w.push(protocol.StreamLog, frame)
	return true
}

// makeRoom waits until there is room for more of a stream.
func (w *frameWriter) makeRoom(id protocol.StreamID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && w.backlog[id] > 0 {
		w.changed.Wait()
	}
}

func (w *frameWriter) push(id protocol.StreamID, frame []byte) {
	if w.err != nil {
		return
	}
	w.stream = append(w.stream, queued{frame: frame, id: id})
	w.backlog[id] += len(frame)
	w.changed.Broadcast()
}

// flush waits until everything that was queued is written, or cannot be.
func (w *frameWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && (w.busy || len(w.replies)+len(w.stream) > 0) {
		w.changed.Wait()
	}
}

// close ends run and frees whoever waits.
func (w *frameWriter) close() { w.fail(errWriterClosed) }

func (w *frameWriter) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.changed.Broadcast()
}

// run writes until close, or until writing fails: that error it returns.
func (w *frameWriter) run() error {
	var batch []byte
	for {
		var err error
		if batch, err = w.take(batch[:0]); err != nil {
			if errors.Is(err, errWriterClosed) {
				return nil
			}
			return err
		}
		if _, err := w.out.Write(batch); err != nil {
			w.fail(err)
		}
	}
}

// take waits for frames and moves what to write next to batch: all replies, or
// else streams and events. Neighbours of one stream become one frame.
func (w *frameWriter) take(batch []byte) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = false
	w.changed.Broadcast()
	for w.err == nil && len(w.replies) == 0 && (len(w.stream) == 0 || w.room == 0) {
		w.changed.Wait()
	}
	if w.err != nil {
		return batch, w.err
	}
	w.busy = true
	if len(w.replies) > 0 {
		for _, frame := range w.replies {
			batch = append(batch, frame...)
		}
		w.replies = nil
		return batch, nil
	}
	n, last := 0, -1 // last is where a stream's frame begins in batch
	for n < len(w.stream) && (n == 0 || len(batch)+len(w.stream[n].frame) <= maxBatch) {
		q := w.stream[n]
		joined := false
		if q.id != 0 && last >= 0 {
			batch, joined = protocol.JoinStream(batch, last, q.frame)
		}
		if !joined {
			if w.room == 0 {
				break
			}
			w.room--
			if last = -1; q.id != 0 {
				last = len(batch)
			}
			batch = append(batch, q.frame...)
		}
		if q.id != 0 {
			w.backlog[q.id] -= len(q.frame)
		}
		w.stream[n] = queued{} // let it be collected
		n++
	}
	w.stream = w.stream[n:]
	return batch, nil
}
