package kv

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A frame is a header and a body. The header begins with the body's length and
// ends with two checksums: that of the body, and that of the header itself. The
// header has one of its own because its length is believed before the body is
// there: one flipped bit could make the reader wait for what never comes.
const (
	idSize       = 8
	sumSize      = 4
	clientHeader = 4 + idSize + 2*sumSize
	peerHeader   = 4 + 2*sumSize

	// maxBody is the longest body that a correct client or server sends: a
	// compare-and-set in a session, with everything at its limit. A transaction
	// and its results are shorter.
	maxBody = 2 + MaxKey + 2*MaxValue + 3*binary.MaxVarintLen32 + 9 + 2*binary.MaxVarintLen64
)

// checksum is CRC-32C, which finds every change within 32 bits in a row and
// costs next to nothing where the processor computes it.
func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// castagnoli is never changed. To ask for it each time would take as long as
// the checksum of a small frame.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// beginFrame appends the header of a frame of the client protocol; endFrame,
// called with the body appended behind it, fills in the rest.
func beginFrame(buf []byte, id uint64) []byte {
	buf = append(buf, make([]byte, clientHeader)...)
	binary.BigEndian.PutUint64(buf[len(buf)-clientHeader+4:], id)
	return buf
}

// endFrame completes the frame that begins at start.
func endFrame(buf []byte, start int) []byte { return sealFrame(buf, start, clientHeader) }

// beginPeerFrame and endPeerFrame do the same for a Raft message.
func beginPeerFrame(buf []byte) []byte { return append(buf, make([]byte, peerHeader)...) }

func endPeerFrame(buf []byte, start int) []byte { return sealFrame(buf, start, peerHeader) }

// sealFrame sets length and checksums of a frame whose header has that size.
func sealFrame(buf []byte, start, header int) []byte {
	head, body := buf[start:start+header], buf[start+header:]
	binary.BigEndian.PutUint32(head, uint32(len(body)))
	binary.BigEndian.PutUint32(head[header-2*sumSize:], checksum(body))
	binary.BigEndian.PutUint32(head[header-sumSize:], checksum(head[:header-sumSize]))
	return buf
}

// openHeader checks a header and returns the length of the body that follows,
// and its checksum.
func openHeader(head []byte) (size, bodySum uint32, err error) {
	at := len(head) - sumSize
	if err := checkSum("header", head[:at], binary.BigEndian.Uint32(head[at:])); err != nil {
		return 0, 0, err
	}
	return binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[at-sumSize:]), nil
}

// openClientHeader is openHeader for the client protocol.
func openClientHeader(head []byte) (id uint64, size, bodySum uint32, err error) {
	size, bodySum, err = openHeader(head)
	if err != nil {
		return 0, 0, 0, err
	}
	if size == 0 || size > maxBody {
		return 0, 0, 0, &frameError{fmt.Errorf("body of %d bytes; 1 to %d are allowed", size, maxBody)}
	}
	return binary.BigEndian.Uint64(head[4:]), size, bodySum, nil
}

// readRequest reads a frame from a client. The body is the caller's.
func readRequest(br *bufio.Reader) (id uint64, body []byte, err error) {
	head, err := br.Peek(clientHeader)
	if err != nil {
		if len(head) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	id, size, sum, err := openClientHeader(head)
	if err != nil {
		return 0, nil, err
	}
	if _, err := br.Discard(clientHeader); err != nil {
		return 0, nil, err
	}
	body, err = readBody(br, size, sum)
	return id, body, err
}

// readResponse reads a frame from a server. A frame that fits the reader's
// buffer is decoded in place.
func readResponse(br *bufio.Reader) (id uint64, r response, err error) {
	head, err := br.Peek(clientHeader)
	if err != nil {
		return 0, r, err
	}
	id, size, sum, err := openClientHeader(head)
	if err != nil {
		return 0, r, err
	}
	whole := clientHeader + int(size)
	if whole <= br.Size() {
		frame, err := br.Peek(whole)
		if err != nil {
			return 0, r, err
		}
		if r, err = openResponse(frame[clientHeader:], sum); err != nil {
			return 0, r, err
		}
		_, err = br.Discard(whole)
		return id, r, err
	}
	if _, err := br.Discard(clientHeader); err != nil {
		return 0, r, err
	}
	body, err := readBody(br, size, sum)
	if err != nil {
		return 0, r, err
	}
	if r, err = decodeResponse(body); err != nil {
		return 0, r, &frameError{err}
	}
	return id, r, nil
}

func openResponse(body []byte, sum uint32) (response, error) {
	if err := checkSum("body", body, sum); err != nil {
		return response{}, err
	}
	r, err := decodeResponse(body)
	if err != nil {
		return response{}, &frameError{err}
	}
	return r, nil
}

// readPeerFrame reads the frame of a Raft message; an empty one is a ping. The
// body is the caller's.
func readPeerFrame(br *bufio.Reader) ([]byte, error) {
	var head [peerHeader]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return nil, err
	}
	size, sum, err := openHeader(head[:])
	if err != nil || size == 0 {
		return nil, err
	}
	if size > transportMaxMessage {
		return nil, &frameError{fmt.Errorf("message of %d bytes; %d are allowed", size, transportMaxMessage)}
	}
	return readBody(br, size, sum)
}

// readBody reads a body that fits its checksum.
func readBody(r io.Reader, size, sum uint32) ([]byte, error) {
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if err := checkSum("body", body, sum); err != nil {
		return nil, err
	}
	return body, nil
}

// checkSum compares the checksum of b with what it should be.
func checkSum(what string, b []byte, want uint32) error {
	if got := checksum(b); got != want {
		return &damageError{what: what, got: got, want: want}
	}
	return nil
}

// damageError says that bytes are not those that were sent. Nothing that came
// with them may be used, and nothing behind them on the same connection: where
// the next frame begins is not known.
type damageError struct {
	what      string // the part that does not fit its checksum
	got, want uint32
}

func (e *damageError) Error() string {
	return fmt.Sprintf("damaged on the way: the checksum of its %s is %08x, should be %08x", e.what, e.got, e.want)
}

// frameError is a breach of the protocol by the other side: the bytes are as it
// sent them.
type frameError struct{ err error }

func (e *frameError) Error() string { return "malformed frame: " + e.err.Error() }
func (e *frameError) Unwrap() error { return e.err }
