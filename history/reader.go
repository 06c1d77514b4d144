package history

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"squall/internal/plain"
	"squall/internal/regular"
)

// VersionError is returned for a history written in a format that this
// version of the tool does not know.
type VersionError struct {
	Version int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the history has format version %d, and this squall knows versions 1 to %d: read it with the squall that recorded it, or a newer one",
		e.Version, FormatVersion)
}

// Reader streams the records of a history.
type Reader struct {
	path   string
	file   *os.File
	frames *frameReader
	parser *parser
	valid  *validator
	header Header

	lines   []byte // what is left of the frame at hand
	at      int64  // where that frame begins in the file
	line    int64  // lines read so far
	records int64

	open   map[openOp]Op   // operations whose completion was not read yet
	tail   []Op            // those that never completed; delivered last
	lost   map[openOp]bool // likewise, all of them
	latest int64           // the latest time in any record so far, ns

	truncated string
	err       error // what Next returns from now on
}

// openOp identifies an operation: a process runs one at a time.
type openOp struct {
	process, call int64
}

// Open opens the history at path and reads its header.
func Open(path string) (*Reader, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the history: %w", err)
	}
	frames, err := newFrameReader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r := &Reader{path: path, file: f, frames: frames, parser: newParser(), open: make(map[openOp]Op)}
	if err := r.readHeader(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close releases the file.
func (r *Reader) Close() error {
	r.frames.close()
	return r.file.Close()
}

// Header returns the header of the history.
func (r *Reader) Header() Header { return r.header }

// Truncated says what is missing at the end of the file, with the byte at
// which the last whole frame ends. It is "" for a file that ends with a whole
// frame, and before Next has returned io.EOF.
func (r *Reader) Truncated() string { return r.truncated }

// Bytes is how much of the file was read so far, in whole frames.
func (r *Reader) Bytes() int64 { return r.frames.offset }

func (r *Reader) readHeader() error {
	lines, err := r.frames.next()
	switch {
	case err == io.EOF:
		return r.damage(0, errors.New("the file is empty"))
	case errors.Is(err, errCut):
		return r.damage(0, fmt.Errorf("%w, the first one: nothing can be read", err))
	case err != nil:
		return r.damage(0, err)
	}
	r.header, r.valid, r.lines, err = beginHistory(r.frames, lines)
	if version := new(VersionError); errors.As(err, &version) {
		return fmt.Errorf("read the header of the history %s: %w", r.path, err)
	}
	if err != nil {
		return r.damage(1, err)
	}
	r.parser.begin(r.header)
	r.line = 1
	return nil
}

// beginHistory takes the contents of the first frame: it reads the header and
// returns what follows it.
func beginHistory(frames *frameReader, lines []byte) (h Header, v *validator, rest []byte, err error) {
	line, rest, whole := bytes.Cut(lines, []byte{'\n'})
	if !whole {
		return Header{}, nil, nil, errors.New("the first frame holds no complete line")
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return Header{}, nil, nil, fmt.Errorf("not a history: %w: %s", err, plain.Excerpt(line))
	}
	if h.Format != formatName {
		return Header{}, nil, nil, fmt.Errorf("not a history: the format is %q, not %q", h.Format, formatName)
	}
	if h.Version < 1 || h.Version > FormatVersion {
		return Header{}, nil, nil, &VersionError{Version: h.Version}
	}
	if h.Version == 1 {
		h.Functions = RegisterFunctions()
	}
	if h.Numbered {
		if len(rest) > 0 {
			return Header{}, nil, nil, errors.New("the header's frame holds more than the header")
		}
		frames.numbers = &numbering{history: headerSum(line)}
	}
	v, err = newValidator(h)
	return h, v, rest, err
}

// damage says where the file is damaged: in a line (0: not in one), in the frame
// that was read last, or in the one that comes next.
func (r *Reader) damage(line int64, err error) error {
	d := &DamageError{Path: r.path, Line: line, Frame: r.frames.frames, Byte: r.frames.offset, Err: err}
	if line > 0 {
		d.Frame, d.Byte = r.frames.frames-1, r.at
	}
	return d
}

// Next returns the next record, in the order of the file, and io.EOF at the
// end. An operation that was written while under way comes where its
// completion stands; one that never completed comes at the very end, with
// outcome Info and the latest time of the history as its Return.
//
// A file that is cut within a frame ends after the last whole one, and
// Truncated says so. A damaged frame, and a record that no recorder writes, is a
// *DamageError that names its place; the records before it were delivered.
func (r *Reader) Next() (Record, error) {
	for {
		if r.err != nil {
			return Record{}, r.err
		}
		if len(r.lines) == 0 && !r.nextFrame() {
			if len(r.tail) == 0 {
				continue
			}
			op := r.tail[0]
			r.tail = r.tail[1:]
			r.records++
			return Record{Op: &op}, nil
		}
		rec, deliver, err := r.nextLine()
		if err != nil {
			r.err = r.damage(r.line, err)
			continue
		}
		if deliver {
			r.records++
			return rec, nil
		}
	}
}

// nextFrame brings the lines of the next frame. When there is none, the
// operations left open become the tail, and then r.err is set.
func (r *Reader) nextFrame() bool {
	if r.open == nil {
		if len(r.tail) == 0 {
			r.err = io.EOF
		}
		return false
	}
	r.at = r.frames.offset
	lines, err := r.frames.next()
	switch {
	case err == nil:
		r.lines = lines
		return len(lines) > 0
	case errors.Is(err, errCut):
		r.truncated = fmt.Sprintf("the file ends within a frame: read up to byte %d, the %d bytes after it are incomplete",
			r.frames.offset, r.frames.partial)
	case err != io.EOF:
		r.err = r.damage(0, err)
		return false
	case r.frames.numbers != nil && !r.frames.numbers.ended:
		r.truncated = fmt.Sprintf("the file has no end: read up to byte %d, and what came after frame %d is missing",
			r.frames.offset, r.frames.frames-1)
	}
	r.lost = make(map[openOp]bool, len(r.open))
	for id := range r.open {
		r.lost[id] = true
	}
	for _, op := range r.open {
		op.Outcome, op.Return = Info, max(op.Call, r.latest)
		op.Error = ErrorUnderWay
		r.tail = append(r.tail, op)
	}
	r.open = nil
	slices.SortFunc(r.tail, func(a, b Op) int {
		return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.Process, b.Process))
	})
	return false
}

// nextLine decodes one line; deliver=false for an operation still under way.
func (r *Reader) nextLine() (rec Record, deliver bool, err error) {
	r.line++
	line, rest, whole := bytes.Cut(r.lines, []byte{'\n'})
	if !whole {
		return Record{}, false, errors.New("the frame does not end with a complete line")
	}
	r.lines = rest
	if len(line) > maxLine {
		return Record{}, false, errLongLine
	}
	rec, open, err := r.parser.line(line)
	if err == nil {
		err = r.valid.record(rec, open)
	}
	if err != nil {
		return Record{}, false, err
	}
	switch {
	case rec.Op != nil:
		id := openOp{rec.Op.Process, rec.Op.Call}
		begun, known := r.open[id]
		switch {
		case open && known:
			return Record{}, false, fmt.Errorf("process %d calls two operations at %d ns: one was recorded twice", id.process, id.call)
		case open:
			r.latest = max(r.latest, rec.Op.Call)
			r.open[id] = *rec.Op
			return rec, false, nil
		case known:
			if !completes(rec.Op, &begun) {
				return Record{}, false, fmt.Errorf("the operation that process %d called at %d ns ends as a different operation than it began", id.process, id.call)
			}
			delete(r.open, id)
		}
		r.latest = max(r.latest, rec.Op.Return)
	case rec.Fault != nil:
		r.latest = max(r.latest, rec.Fault.Begin, rec.Fault.End)
	case rec.Node != nil:
		r.latest = max(r.latest, rec.Node.Time)
	case rec.Mark != nil:
		r.latest = max(r.latest, rec.Mark.Time)
	}
	return rec, true, nil
}

// errLongLine refuses a line that no recorder writes.
var errLongLine = fmt.Errorf("the line is longer than %d MiB, which no recorder writes", maxLine>>20)

// completes reports whether op is the end of the operation that was begun.
func completes(op, begun *Op) bool {
	return op.Func == begun.Func && op.Key == begun.Key && op.In == begun.In && op.Final == begun.Final
}

// History is a whole history in memory.
type History struct {
	Header
	Ops    []Op // by time of call
	Faults []Fault
	Nodes  []NodeEvent // by time
	Marks  []Mark
	Info   FileInfo
}

// FileInfo says what was read of a history's file.
type FileInfo struct {
	Records   int64
	Bytes     int64  // compressed, in whole frames
	Truncated string // see Reader.Truncated
}

// more says for how many more records there should be room after n of a kind, by
// how much of the file is read. Growing bit by bit copies the whole again and
// again, and holds old and new at once. A file whose begin misleads gets no more
// than eight times the room at once.
func (r *Reader) more(n int) int {
	const least, most = 4096, 8
	st, err := r.file.Stat()
	if n < least || err != nil {
		return least
	}
	// Of the frame at hand, r.lines are still to come.
	done := 1 - float64(len(r.lines))/float64(max(len(r.frames.plain), 1))
	read := float64(r.at) + done*float64(r.frames.offset-r.at)
	rest := float64(n) * max(float64(st.Size())-read, 0) / max(read, 1)
	return int(min(max(rest*1.03, float64(n)/8, least), most*float64(n)))
}

// Load reads the whole history at path. A file that is cut at its end is read
// up to there, and Info.Truncated says so; any other damage, and whatever no
// recorder writes, is a *DamageError.
func Load(path string) (*History, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	r.parser.scratch = new(Op)
	h := &History{Header: r.Header()}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		switch {
		case rec.Op != nil:
			if len(h.Ops) == cap(h.Ops) {
				h.Ops = slices.Grow(h.Ops, r.more(len(h.Ops)))
			}
			h.Ops = append(h.Ops, *rec.Op)
		case rec.Fault != nil:
			h.Faults = append(h.Faults, *rec.Fault)
		case rec.Node != nil:
			h.Nodes = append(h.Nodes, *rec.Node)
		case rec.Mark != nil:
			h.Marks = append(h.Marks, *rec.Mark)
		}
	}
	h.Info = FileInfo{Records: r.records, Bytes: r.Bytes(), Truncated: r.Truncated()}
	slices.SortFunc(h.Ops, func(a, b Op) int {
		return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.Process, b.Process))
	})
	if op, err := checkProcesses(h.Ops, r.lost); err != nil {
		d := &DamageError{Path: path, Err: err}
		d.Line, d.Frame, d.Byte = locate(path, op)
		return nil, d
	}
	// Each node's own events keep their order, even at equal times.
	slices.SortStableFunc(h.Nodes, func(a, b NodeEvent) int { return cmp.Compare(a.Time, b.Time) })
	return h, nil
}
