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
	frameMagic     = 0xFD2FB528
	skippableMagic = 0x184D2A50 // and the 15 that follow
	skippableMask  = 0xFFFFFFF0
	// maxPlain is what a frame may unpack to, maxFrame what it may take in the
	// file, and maxLine what one line may take, bytes. A frame of ours stays far
	// below: see frameMost.
	maxPlain = 8 << 20
	maxFrame = maxPlain + 1<<20
	maxLine  = 1 << 20
	// A file may unpack to maxUnpacked, and beyond that to maxRatio times its
	// size. Operations pack to a seventh.
	maxUnpacked     = 64 << 20 // bytes
	maxRatio        = 256
	blockHeaderSize = 3
	blockReserved   = 3
	blockRLE        = 1
)

// errCut means that the input ended within a frame.
var errCut = errors.New("the file ends within a frame")

// frameReader reads one frame at a time.
type frameReader struct {
	r        *bufio.Reader
	dec      *zstd.Decoder
	offset   int64  // where the next frame begins, or its number, bytes from the start of the file
	frames   int64  // frames of lines read so far
	frame    []byte // the frame that was read last, or as much of it as there is
	plain    []byte // its contents
	unpacked int64  // bytes of contents so far
	partial  int64  // bytes after offset, when the input ended within a frame
	// numbers checks the frames' numbers; nil: they have none.
	numbers *numbering
}

func newFrameReader(r io.Reader) (*frameReader, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlain),
		zstd.WithDecoderMaxWindow(maxPlain), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("start the zstd decoder: %w", err)
	}
	return &frameReader{r: bufio.NewReaderSize(r, 256<<10), dec: dec}, nil
}

func (f *frameReader) close() { f.dec.Close() }

// next returns the contents of the next frame, valid until the call after. At
// the end it returns io.EOF, errCut when the file ends within the frame or
// between it and its number, and any other error when the frame is damaged.
// offset then stays at its start.
func (f *frameReader) next() ([]byte, error) {
	at := f.offset // of the frame at hand: a number comes before its frame
	for {
		f.frame = f.frame[:0]
		skip, err := f.readFrame()
		switch {
		case err == nil:
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, f.cutOrDamaged(at)
		case err == io.EOF && at > f.offset:
			return nil, f.cut(at) // a number, and its frame is to come
		default:
			return nil, err
		}
		at += int64(len(f.frame))
		if skip {
			pending, err := f.skipped()
			if err != nil {
				return nil, err
			}
			if !pending {
				f.offset = at
			}
			continue
		}
		if err := f.unpack(at); err != nil {
			return nil, err
		}
		f.offset = at
		f.frames++
		return f.plain, nil
	}
}

// skipped takes the skippable frame that was read. pending says that it is the
// number of the frame that follows, and one with it.
func (f *frameReader) skipped() (pending bool, err error) {
	if f.numbers == nil {
		return false, nil
	}
	t, is := parseTag(f.frame)
	if !is {
		return false, fmt.Errorf("frame %d is followed by something that is neither a frame nor a frame number", f.numbers.frames)
	}
	err = f.numbers.tag(t)
	return f.numbers.pending != nil, err
}

// unpack unpacks the frame that was read, which ends at a byte of the file.
func (f *frameReader) unpack(end int64) (err error) {
	f.plain, err = f.dec.DecodeAll(f.frame, f.plain[:0])
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("the frame unpacks to more than %d MiB, which no recorder writes", maxPlain>>20)
	case err != nil:
		return fmt.Errorf("damaged frame: %w", err)
	}
	f.unpacked += int64(len(f.plain))
	if f.unpacked > max(maxUnpacked, maxRatio*end) {
		return fmt.Errorf("the file unpacks to more than %d times its size, which no recording does", maxRatio)
	}
	if f.numbers != nil {
		return f.numbers.frame(f.plain)
	}
	return nil
}

// cut notes that the input ends within the frame that begins at offset, of
// which a part up to at was whole.
func (f *frameReader) cut(at int64) error {
	f.partial = at - f.offset + int64(len(f.frame))
	if f.numbers != nil {
		f.numbers.pending = nil // it is read again, with its frame
	}
	return errCut
}

// cutOrDamaged tells a file that was cut within its last frame from one whose
// frame length is damaged and therefore points past the end: in the second
// case a whole frame still follows somewhere in what was swallowed.
func (f *frameReader) cutOrDamaged(at int64) error {
	magic := binary.LittleEndian.AppendUint32(nil, frameMagic)
	rest := f.frame[min(len(magic), len(f.frame)):]
	const probes = 100 // magic numbers may stand in it by chance, or by somebody's will
	for range probes {
		i := bytes.Index(rest, magic)
		if i < 0 {
			return f.cut(at)
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
	return errors.New("damaged frame: its length is wrong")
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
		return nil, fmt.Errorf("the frame is longer than %d MiB, which no recorder writes", maxFrame>>20)
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
