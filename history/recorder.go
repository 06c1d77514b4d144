package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"squall/internal/plain"
)

// FileName is the name of the history in a run directory.
const FileName = "history.jsonl.zst"

// formatName is the Format of every header.
const formatName = "squall-history"

const (
	// flushEvery bounds how long a single record stays in this process alone.
	// Node events come by the thousand a second: a frame for each would make
	// the file many times larger until it is packed.
	flushEvery = 10 * time.Millisecond
	// frameAt is how many bytes of lines make a frame without waiting longer.
	// Larger frames take more room, not less: times and values do not repeat,
	// and what does repeat is then farther away.
	frameAt = 64 << 10
	// frameMost is what a frame holds at most, unless a single line is longer.
	frameMost = 1 << 20
)

// ErrClosed is returned by a Recorder that was closed.
var ErrClosed = errors.New("the history is closed")

// Recorder appends to a history. Its methods may be called concurrently.
//
// What is handed to it reaches the operating system as a whole zstd frame that
// ends on a line boundary and carries a checksum: batches of operations, faults
// and marks before the call returns, other single records within 10 ms. So when this process is killed, the file reads back up to
// there. It is not synced to disk while recording: a history is to survive the
// tool, not the machine.
//
// Close packs what a quiet test wrote as many small frames into fewer, denser
// ones. A crash while it does that leaves the unpacked file.
type Recorder struct {
	path string

	mu    sync.Mutex
	valid *validator
	f     *os.File
	enc   *zstd.Encoder
	buf   []byte // whole lines, not yet written
	out   []byte // the frames being written
	next  tag    // of the last frame written
	all   uint64 // lines in all frames but the header's
	size  int64  // bytes of whole frames in the file
	err   error  // the first failure to write; everything after it fails too

	stop    chan struct{}
	stopped chan struct{}
}

// Create begins a history at path, in place of any file there. It sets the
// header's Format, Version and Numbered itself. The file is there with its header or not
// at all: a process killed at any moment leaves none that cannot be read.
func Create(path string, h Header) (*Recorder, error) {
	h.Format, h.Version, h.Numbered = formatName, FormatVersion, true
	valid, err := newValidator(h)
	if err != nil {
		return nil, fmt.Errorf("create the history: %w", err)
	}
	line, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode the header of the history: %w", err)
	}
	enc, err := newEncoder(zstd.SpeedFastest)
	if err != nil {
		return nil, err
	}
	header := enc.EncodeAll(append(line, '\n'), nil)
	f, err := begin(path, header)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create the history: %w", err), enc.Close())
	}
	r := &Recorder{
		path: path, valid: valid, f: f, enc: enc, size: int64(len(header)), next: tag{kind: tagFrame, history: headerSum(line)},
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go r.flushLoop()
	return r, nil
}

// begin makes the file with its first frame, to be appended to. It is closed
// before it gets its name, as Windows wants it.
func begin(path string, frame []byte) (*os.File, error) {
	temp := path + ".tmp"
	err := os.WriteFile(temp, frame, 0o644)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
}

func newEncoder(level zstd.EncoderLevel) (*zstd.Encoder, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, fmt.Errorf("start the zstd encoder: %w", err)
	}
	return enc, nil
}

func (r *Recorder) flushLoop() {
	defer close(r.stopped)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
			// A failure is kept in r.err and meets the next caller.
			_ = r.Flush()
		}
	}
}

// Append records a completed operation, a fault, a node event or a mark. One
// that no reader would believe is refused: in the file it would spoil all others.
func (r *Recorder) Append(rec Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	before := len(r.buf)
	buf, err := AppendRecord(r.buf, rec)
	if err != nil {
		return err
	}
	if len(buf)-before > maxLine {
		return errLongLine
	}
	err = r.valid.record(rec, false)
	if err == nil && rec.Op != nil {
		err = rec.Op.checkData()
	}
	if err != nil {
		return fmt.Errorf("not recorded, because it cannot be: %w", err)
	}
	r.buf = buf
	if rec.Fault != nil || rec.Mark != nil {
		return r.flush()
	}
	return r.flushIfLong()
}

// AppendLines records lines of operations that are already encoded (see
// AppendOp). Every line is decoded once to see that it is one, and one that a
// reader would believe. A line that is not is left out, and so cannot spoil the
// file; all others are recorded, and the error names the first that was bad and
// how many were. A missing newline after the last line is added.
func (r *Recorder) AppendLines(lines []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	var (
		p     parser
		first error
		bad   int
	)
	for n := 1; len(lines) > 0; n++ {
		line, rest, _ := bytes.Cut(lines, []byte{'\n'})
		lines = rest
		if err := r.opLine(&p, line); err != nil {
			if bad++; first == nil {
				first = fmt.Errorf("line %d: %w", n, err)
			}
			continue
		}
		r.buf = append(append(r.buf, line...), '\n')
	}
	if err := r.flush(); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%d bad lines were left out of the history, the first at %w", bad, first)
	}
	return nil
}

// opLine refuses what is not the line of an operation. The caller holds r.mu.
func (r *Recorder) opLine(p *parser, line []byte) error {
	if len(line) > maxLine {
		return errLongLine
	}
	rec, open, err := p.line(line)
	switch {
	case err != nil:
		return err
	case rec.Op == nil:
		return fmt.Errorf("not an operation: %s", plain.Excerpt(line))
	}
	return r.valid.op(rec.Op, open)
}

func (r *Recorder) flushIfLong() error {
	if len(r.buf) < frameAt {
		return nil
	}
	return r.flush()
}

// Flush hands everything recorded so far to the operating system.
func (r *Recorder) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flush()
}

// flush writes what is in buf, as one frame unless it is very long. The caller
// holds r.mu.
func (r *Recorder) flush() error {
	if r.err != nil || len(r.buf) == 0 {
		return r.err
	}
	r.out = r.out[:0]
	for rest := r.buf; len(rest) > 0; {
		var lines []byte
		lines, rest = firstLines(rest)
		r.next.number++
		r.next.lines = countLines(lines)
		r.all += r.next.lines
		r.out = r.enc.EncodeAll(lines, r.next.append(r.out))
	}
	r.buf = r.buf[:0]
	return r.write()
}

// firstLines cuts off what goes into one frame.
func firstLines(lines []byte) (first, rest []byte) {
	if len(lines) <= frameMost {
		return lines, nil
	}
	end := bytes.LastIndexByte(lines[:frameMost], '\n') + 1
	if end == 0 {
		end = bytes.IndexByte(lines, '\n') + 1
	}
	return lines[:end], lines[end:]
}

// write appends r.out to the file. The caller holds r.mu.
func (r *Recorder) write() error {
	n, err := r.f.Write(r.out)
	if err != nil {
		if n > 0 {
			// Part of a frame was written (the disk is full, most likely):
			// take it back, so that the file still ends with a whole frame.
			err = errors.Join(err, r.f.Truncate(r.size))
		}
		r.err = fmt.Errorf("write the history: %w", err)
		return r.err
	}
	r.size += int64(n)
	return nil
}

// end writes the end of the history. The caller holds r.mu.
func (r *Recorder) end() error {
	if err := r.flush(); err != nil {
		return err
	}
	end := r.next
	end.kind, end.lines = tagEnd, r.all
	r.out = end.append(r.out[:0])
	return r.write()
}

// Close writes what is left and packs the file. It returns the first error
// that kept a record out of the file; failing to pack is none, since the file
// is then whole, only larger. Closing twice does nothing.
func (r *Recorder) Close() error {
	r.mu.Lock()
	select {
	case <-r.stop:
		r.mu.Unlock()
		return nil
	default:
	}
	close(r.stop)
	err := r.end()
	r.err = ErrClosed
	err = errors.Join(err, r.f.Close(), r.enc.Close())
	r.mu.Unlock()
	<-r.stopped
	if err != nil {
		return err
	}
	_ = pack(r.path)
	return nil
}
