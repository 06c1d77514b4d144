package disk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A journal is the magic and then records. A record is the length of its body
// (uvarint), the body, and the CRC-32C of the body (4 bytes, little endian). The
// body is the kind (1 byte), the time (uvarint, ns; from the second record of a
// life on, the time since the one before it), and the fields of that kind in the
// order of the constants hasNode…: numbers as uvarints, strings with their length in
// front, Synced as a byte, and Data as all that is left.
const journalMagic = "SQLDISK\x01"

// maxBody is more than the fields of any operation beside its data and names take.
const maxBody = MaxData + MaxTarget + 2*MaxName + 128

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Writer writes a journal. It does not buffer: a record is one Write.
type Writer struct {
	w     io.Writer
	table *crc32.Table
	buf   []byte
	last  int64 // time of the operation before
	begun bool
	wrote int64
}

// NewWriter begins a journal.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, table: castagnoli()} }

// Write appends an operation. After an error the journal has no further use.
func (w *Writer) Write(op *Op) error {
	if err := op.check(); err != nil {
		return fmt.Errorf("disk journal: write: %w", err)
	}
	if op.At < w.last && op.Kind != Mount {
		return fmt.Errorf("disk journal: write: %v at %d ns, after one at %d ns", op.Kind, op.At, w.last)
	}
	w.buf = w.buf[:0]
	if !w.begun {
		w.buf = append(w.buf, journalMagic...)
		w.begun = true
	}
	body := w.body(op)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(body)+dataLength(op)))
	from := len(w.buf)
	w.buf = append(w.buf, body...)
	if op.Kind.fields()&hasData != 0 {
		w.buf = append(w.buf, op.Data...)
	}
	w.buf = binary.LittleEndian.AppendUint32(w.buf, crc32.Checksum(w.buf[from:], w.table))
	n, err := w.w.Write(w.buf)
	w.wrote += int64(n)
	if err != nil {
		return fmt.Errorf("disk journal: write: %w", err)
	}
	w.last = op.At
	return nil
}

// Bytes is how much was written.
func (w *Writer) Bytes() int64 { return w.wrote }

func dataLength(op *Op) int {
	if op.Kind.fields()&hasData == 0 {
		return 0
	}
	return len(op.Data)
}

// body encodes an operation without its data.
func (w *Writer) body(op *Op) []byte {
	since := op.At
	if op.Kind != Mount {
		since -= w.last
	}
	b := binary.AppendUvarint([]byte{byte(op.Kind)}, uint64(since))
	has := op.Kind.fields()
	number := func(field fields, n uint64) {
		if has&field != 0 {
			b = binary.AppendUvarint(b, n)
		}
	}
	text := func(field fields, s string) {
		if has&field != 0 {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
	}
	number(hasNode, uint64(op.Node))
	number(hasDir, uint64(op.Dir))
	text(hasDir, op.Name)
	number(hasNew, uint64(op.NewDir))
	text(hasNew, op.NewName)
	text(hasTarget, op.Target)
	number(hasMode, uint64(op.Mode))
	number(hasOffset, uint64(op.Offset))
	number(hasLength, uint64(op.Length))
	if has&hasSynced != 0 {
		b = append(b, truth(op.Synced))
	}
	number(hasUpto, op.Upto)
	return b
}

func truth(yes bool) byte {
	if yes {
		return 1
	}
	return 0
}

// ErrCut is in the error of a Reader whose journal ends within a record: whoever wrote it was
// killed. All before it is whole.
var ErrCut = errors.New("it ends within a record")

// ReadError says where a journal cannot be read.
type ReadError struct {
	Op     uint64 // number of the operation, from 1; 0: the head
	Offset int64  // where its record begins, bytes
	Err    error
}

func (e *ReadError) Error() string {
	return fmt.Sprintf("disk journal: operation %d at byte %d: %v", e.Op, e.Offset, e.Err)
}

func (e *ReadError) Unwrap() error { return e.Err }

// Reader reads a journal. It trusts nothing in it, and holds one record at a time.
type Reader struct {
	r      *bufio.Reader
	table  *crc32.Table
	number uint64
	offset int64
	last   int64
	begun  bool
	buf    []byte
	err    error
}

// NewReader reads what a Writer wrote.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 64<<10), table: castagnoli()}
}

// Number is that of the operation that Next returned last.
func (r *Reader) Number() uint64 { return r.number }

// Next returns the next operation. Its Data belongs to the caller. At the end it returns
// io.EOF, and before that a *ReadError; both come again and again.
func (r *Reader) Next() (Op, error) {
	if r.err != nil {
		return Op{}, r.err
	}
	op, size, err := r.next()
	switch {
	case err == io.EOF:
		r.err = io.EOF
		return Op{}, r.err
	case err != nil:
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrCut
		}
		at := &ReadError{Offset: r.offset, Err: err}
		if r.begun {
			at.Op = r.number + 1
		}
		r.err = at
		return Op{}, r.err
	}
	r.number++
	r.offset += size
	r.last = op.At
	return op, nil
}

func (r *Reader) next() (op Op, size int64, err error) {
	if !r.begun {
		if err := r.head(); err != nil {
			return op, 0, err
		}
	}
	n, taken, err := r.length()
	if err != nil {
		return op, 0, err
	}
	if n == 0 || n > maxBody {
		return op, 0, fmt.Errorf("a record of %d bytes", n)
	}
	if err := r.read(int(n) + 4); err != nil {
		return op, 0, err
	}
	body := r.buf[:n]
	if crc32.Checksum(body, r.table) != binary.LittleEndian.Uint32(r.buf[n:]) {
		return op, 0, errors.New("its checksum is wrong")
	}
	op, err = r.parse(body)
	return op, int64(taken) + int64(n) + 4, err
}

// head reads the magic. A journal of nothing is whole: its tree was never mounted.
func (r *Reader) head() error {
	magic := make([]byte, len(journalMagic))
	if _, err := io.ReadFull(r.r, magic); err != nil {
		return err
	}
	if string(magic) != journalMagic {
		return errors.New("this is not a disk journal, or one of another version")
	}
	r.begun, r.offset = true, int64(len(magic))
	return nil
}

// length reads a record's. It returns io.EOF only where a record may end.
func (r *Reader) length() (n uint64, taken int, err error) {
	for shift := 0; ; shift += 7 {
		b, err := r.r.ReadByte()
		switch {
		case err == io.EOF && taken > 0:
			return 0, taken, io.ErrUnexpectedEOF
		case err != nil:
			return 0, taken, err
		case taken == 4:
			return 0, taken, errors.New("the length of the record has too many bytes")
		}
		taken++
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n, taken, nil
		}
	}
}

// read reads n bytes into the buffer, which grows with what is there and not
// with what a damaged length promises.
func (r *Reader) read(n int) error {
	r.buf = r.buf[:0]
	for len(r.buf) < n {
		step := min(n-len(r.buf), 64<<10)
		from := len(r.buf)
		if cap(r.buf)-from < step {
			r.buf = append(make([]byte, 0, 2*cap(r.buf)+step), r.buf...)
		}
		r.buf = r.buf[:from+step]
		if _, err := io.ReadFull(r.r, r.buf[from:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

func (r *Reader) parse(body []byte) (Op, error) {
	d := decoder{b: body[1:]}
	op := Op{Kind: Kind(body[0])}
	if op.Kind == 0 || op.Kind >= kinds {
		return op, fmt.Errorf("there is no operation of %v", op.Kind)
	}
	has := op.Kind.fields()
	op.At = d.number(has|hasNode, hasNode) // every operation has a time
	if op.Kind != Mount {
		op.At += r.last
	}
	op.Node = Ino(d.number(has, hasNode))
	op.Dir = Ino(d.number(has, hasDir))
	op.Name = d.text(has, hasDir)
	op.NewDir = Ino(d.number(has, hasNew))
	op.NewName = d.text(has, hasNew)
	op.Target = d.text(has, hasTarget)
	mode := d.number(has, hasMode)
	op.Mode = uint32(mode)
	op.Offset = d.number(has, hasOffset)
	op.Length = d.number(has, hasLength)
	op.Synced = d.truth(has, hasSynced)
	op.Upto = uint64(d.number(has, hasUpto))
	if has&hasData != 0 {
		op.Data, d.b = append([]byte{}, d.b...), nil
	}
	switch {
	case d.err != nil:
		return op, d.err
	case len(d.b) > 0:
		return op, fmt.Errorf("%v: %d bytes too many", op.Kind, len(d.b))
	case mode > 1<<32-1 || op.At < 0:
		return op, fmt.Errorf("%v: a number out of bounds", op.Kind)
	}
	return op, op.check()
}

// decoder takes fields from a body; after an error it takes nothing more.
type decoder struct {
	b   []byte
	err error
}

// number takes a number below 2^63 if the operation has that field.
func (d *decoder) number(has, field fields) int64 {
	if has&field == 0 || d.err != nil {
		return 0
	}
	n, size := binary.Uvarint(d.b)
	if size <= 0 || n > 1<<63-1 {
		d.err = errors.New("a number that is cut or too large")
		return 0
	}
	d.b = d.b[size:]
	return int64(n)
}

func (d *decoder) text(has, field fields) string {
	if has&field == 0 {
		return ""
	}
	n := d.number(has, field)
	if d.err != nil || n > int64(len(d.b)) {
		d.err = errors.Join(d.err, errors.New("a text that is cut"))
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) truth(has, field fields) bool {
	if has&field == 0 || d.err != nil {
		return false
	}
	if len(d.b) == 0 || d.b[0] > 1 {
		d.err = errors.New("neither true nor false")
		return false
	}
	yes := d.b[0] == 1
	d.b = d.b[1:]
	return yes
}
