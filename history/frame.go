package history

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// The history is a row of zstd frames (RFC 8878). This file walks over them
// by their block headers, because a decoder that joins frames into one stream
// cannot say at which byte of the file the last whole one ended.

const (
	frameMagic      = 0xFD2FB528
	skippableMagic  = 0x184D2A50 // and the 15 that follow
	skippableMask   = 0xFFFFFFF0
	maxFrame        = 1 << 30 // bytes; a frame of ours stays below 8 MB
	blockHeaderSize = 3
	blockReserved   = 3
	blockRLE        = 1
)

// errCut means that the input ended within a frame.
var errCut = errors.New("the file ends within a frame")

// frameReader reads one frame at a time.
type frameReader struct {
	r      *bufio.Reader
	dec    *zstd.Decoder
	offset int64  // where the next frame begins, bytes from the start of the file
	frame  []byte // the frame that was read last, or as much of it as there is
	plain  []byte // its contents
}

func newFrameReader(r io.Reader) (*frameReader, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(4*maxFrame))
	if err != nil {
		return nil, fmt.Errorf("start the zstd decoder: %w", err)
	}
	return &frameReader{r: bufio.NewReaderSize(r, 256<<10), dec: dec}, nil
}

func (f *frameReader) close() { f.dec.Close() }

// next returns the contents of the next frame, valid until the call after. At
// the end it returns io.EOF, errCut when the file ends within the frame, and
// any other error when the frame is damaged. offset then stays at its start.
func (f *frameReader) next() ([]byte, error) {
	for {
		f.frame = f.frame[:0]
		skip, err := f.readFrame()
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, f.cutOrDamaged()
			}
			return nil, err
		}
		if skip {
			f.offset += int64(len(f.frame))
			continue
		}
		f.plain, err = f.dec.DecodeAll(f.frame, f.plain[:0])
		if err != nil {
			return nil, fmt.Errorf("damaged frame: %w", err)
		}
		f.offset += int64(len(f.frame))
		return f.plain, nil
	}
}

// cutOrDamaged tells a file that was cut within its last frame from one whose
// frame length is damaged and therefore points past the end: in the second
// case a whole frame still follows somewhere in what was swallowed.
func (f *frameReader) cutOrDamaged() error {
	magic := binary.LittleEndian.AppendUint32(nil, frameMagic)
	rest := f.frame[min(len(magic), len(f.frame)):]
	for {
		i := bytes.Index(rest, magic)
		if i < 0 {
			return errCut
		}
		rest = rest[i:]
		probe := frameReader{r: bufio.NewReader(bytes.NewReader(rest)), dec: f.dec}
		if skip, err := probe.readFrame(); err == nil && !skip {
			if _, err := f.dec.DecodeAll(probe.frame, nil); err == nil {
				return errors.New("damaged frame: its length is wrong")
			}
		}
		rest = rest[len(magic):]
	}
}

// readFrame reads a whole frame, undecoded, into f.frame. skip says that it is
// a skippable frame, which holds nothing for us.
func (f *frameReader) readFrame() (skip bool, err error) {
	head, err := f.take(4)
	if err != nil {
		if err == io.ErrUnexpectedEOF && len(f.frame) == 0 {
			return false, io.EOF
		}
		return false, err
	}
	magic := binary.LittleEndian.Uint32(head)
	if magic&skippableMask == skippableMagic {
		size, err := f.take(4)
		if err != nil {
			return true, err
		}
		_, err = f.take(int(binary.LittleEndian.Uint32(size)))
		return true, err
	}
	if magic != frameMagic {
		return false, fmt.Errorf("no zstd frame begins here (found % x)", head)
	}
	checksum, err := f.takeHeader()
	if err != nil {
		return false, err
	}
	for last := false; !last; {
		b, err := f.take(blockHeaderSize)
		if err != nil {
			return false, err
		}
		h := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		last = h&1 == 1
		kind, size := h>>1&3, h>>3
		if kind == blockReserved {
			return false, errors.New("damaged frame: reserved type of block")
		}
		if kind == blockRLE {
			size = 1
		}
		if _, err := f.take(size); err != nil {
			return false, err
		}
	}
	if checksum {
		_, err = f.take(4)
	}
	return false, err
}

// takeHeader reads the frame header behind the magic number.
func (f *frameReader) takeHeader() (checksum bool, err error) {
	d, err := f.take(1)
	if err != nil {
		return false, err
	}
	desc := d[0]
	single := desc&(1<<5) != 0
	size := [4]int{0, 1, 2, 4}[desc&3] + [4]int{0, 2, 4, 8}[desc>>6]
	switch {
	case !single:
		size++ // window descriptor
	case desc>>6 == 0:
		size++ // a single segment always says its size
	}
	_, err = f.take(size)
	return desc&(1<<2) != 0, err
}

// take reads n more bytes of the frame. At the end of the input it returns
// io.ErrUnexpectedEOF and keeps what there was in f.frame.
func (f *frameReader) take(n int) ([]byte, error) {
	if len(f.frame)+n > maxFrame {
		return nil, fmt.Errorf("frame is longer than %d bytes", maxFrame)
	}
	start := len(f.frame)
	for n > 0 {
		// By pieces, so that a damaged length does not allocate it all.
		piece := min(n, 1<<20)
		at := len(f.frame)
		f.frame = append(f.frame, make([]byte, piece)...)
		got, err := io.ReadFull(f.r, f.frame[at:])
		n -= piece
		if err != nil {
			f.frame = f.frame[:at+got]
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return f.frame[start:], nil
}
