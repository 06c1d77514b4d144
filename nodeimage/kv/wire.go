package kv

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ProtocolVersion is the version of the client protocol; see the package
// comment.
const ProtocolVersion = 1

const (
	helloSize   = 8
	frameHeader = 12 // length u32, id u64
	idSize      = 8

	// maxFrame is the longest frame that a correct client sends: a
	// compare-and-set with everything at its limit.
	maxFrame = idSize + 2 + MaxKey + 2*MaxValue + 3*binary.MaxVarintLen32
	// maxText bounds the text of a failure.
	maxText = 1 << 10
)

var (
	clientMagic = [4]byte{'s', 'q', 'k', 'v'}
	peerMagic   = [4]byte{'s', 'q', 'p', 'r'}
)

// helloReply is the receiver's verdict on a hello.
type helloReply uint16

const (
	welcome       helloReply = 0
	wrongVersion  helloReply = 1
	wrongCluster  helloReply = 2
	unknownMember helloReply = 3
	wrongReceiver helloReply = 4
	wrongKind     helloReply = 5
)

func (r helloReply) String() string {
	switch r {
	case welcome:
		return "welcome"
	case wrongVersion:
		return "it does not speak this protocol version"
	case wrongCluster:
		return "it belongs to another cluster"
	case unknownMember:
		return "it does not know this node as a member"
	case wrongReceiver:
		return "it is not the node that this address should lead to"
	case wrongKind:
		return "it knows no such kind of connection"
	}
	return fmt.Sprintf("refused for reason %d", uint16(r))
}

// shortHello is the client's hello, and everybody's answer to one.
func shortHello(magic [4]byte, verdict helloReply) []byte {
	b := append(make([]byte, 0, helloSize), magic[:]...)
	b = binary.BigEndian.AppendUint16(b, ProtocolVersion)
	return binary.BigEndian.AppendUint16(b, uint16(verdict))
}

// readReply reads the answer to a hello.
func readReply(r io.Reader, magic [4]byte) error {
	var b [helloSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return fmt.Errorf("wait for its hello: %w", err)
	}
	if [4]byte(b[:4]) != magic {
		return fmt.Errorf("it answered %q, which is no hello of this protocol", b[:4])
	}
	if verdict := helloReply(binary.BigEndian.Uint16(b[6:])); verdict != welcome {
		return fmt.Errorf("refused: %v (it speaks version %d, this side %d)",
			verdict, binary.BigEndian.Uint16(b[4:]), ProtocolVersion)
	}
	return nil
}

// status is the kind of an answer.
type status uint8

const (
	statusOK            status = 1
	statusCompareFailed status = 2
	statusFailed        status = 3
	statusUnknown       status = 4
)

func (s status) String() string {
	switch s {
	case statusOK:
		return "ok"
	case statusCompareFailed:
		return "compare-failed"
	case statusFailed:
		return "failed"
	case statusUnknown:
		return "unknown"
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// response is an answer: a value when the status is ok or compare failed, a
// code and a text otherwise.
type response struct {
	status status
	code   Code
	value  Value
	text   string
}

// noEffect is the answer for an operation that failed for certain.
func noEffect(code Code, text string) response {
	return response{status: statusFailed, code: code, text: text}
}

// uncertain is the answer when it is not known whether op took effect. That of
// a read, which has none, is certain.
func uncertain(op Op, code Code, text string) response {
	if op == OpGet {
		return noEffect(code, text)
	}
	return response{status: statusUnknown, code: code, text: text}
}

// beginFrame appends a frame's header; endFrame, called with what beginFrame
// returned and the body behind it, fills in the length.
func beginFrame(buf []byte, id uint64) []byte {
	buf = append(buf, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint64(buf, id)
}

// endFrame sets the length of the frame that begins at start.
func endFrame(buf []byte, start int) []byte {
	binary.BigEndian.PutUint32(buf[start:], uint32(len(buf)-start-4))
	return buf
}

// appendResponse appends a response's body.
func appendResponse(buf []byte, r *response) []byte {
	buf = append(buf, byte(r.status))
	switch r.status {
	case statusOK, statusCompareFailed:
		if !r.value.Present {
			return append(buf, 0)
		}
		return append(append(buf, 1), r.value.Data...)
	default:
		text := r.text
		if len(text) > maxText {
			text = text[:maxText]
		}
		return append(append(buf, byte(r.code)), text...)
	}
}

// decodeResponse reads a response's body; it keeps nothing of b.
func decodeResponse(b []byte) (response, error) {
	if len(b) < 2 {
		return response{}, errTruncated
	}
	r := response{status: status(b[0])}
	rest := b[2:]
	switch r.status {
	case statusOK, statusCompareFailed:
		switch {
		case b[1] == 1:
			r.value = Value{Data: string(rest), Present: true}
		case b[1] != 0 || len(rest) != 0:
			return r, errors.New("value: neither present nor absent")
		}
	case statusFailed, statusUnknown:
		r.code, r.text = Code(b[1]), string(rest)
	default:
		return r, fmt.Errorf("unknown status %d", b[0])
	}
	return r, nil
}

// readRequest reads a frame from a client. The body is the caller's.
func readRequest(br *bufio.Reader) (id uint64, body []byte, err error) {
	header, err := br.Peek(frameHeader)
	if err != nil {
		if len(header) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(header)
	if n <= idSize || n > maxFrame {
		return 0, nil, &frameError{fmt.Errorf("frame of %d bytes; %d to %d are allowed", n, idSize+1, maxFrame)}
	}
	id = binary.BigEndian.Uint64(header[4:])
	if _, err := br.Discard(frameHeader); err != nil {
		return 0, nil, err
	}
	body = make([]byte, n-idSize)
	if _, err := io.ReadFull(br, body); err != nil {
		return 0, nil, err
	}
	return id, body, nil
}

// readResponse reads a frame from a server. A frame that fits the reader's
// buffer is decoded in place.
func readResponse(br *bufio.Reader) (id uint64, r response, err error) {
	header, err := br.Peek(frameHeader)
	if err != nil {
		return 0, r, err
	}
	n := binary.BigEndian.Uint32(header)
	if n <= idSize || n > maxFrame {
		return 0, r, &frameError{fmt.Errorf("frame of %d bytes; %d to %d are allowed", n, idSize+1, maxFrame)}
	}
	id = binary.BigEndian.Uint64(header[4:])
	size := 4 + int(n)
	if size <= br.Size() {
		frame, err := br.Peek(size)
		if err != nil {
			return 0, r, err
		}
		if r, err = decodeResponse(frame[frameHeader:]); err != nil {
			return 0, r, &frameError{err}
		}
		_, err = br.Discard(size)
		return id, r, err
	}
	frame := make([]byte, size)
	if _, err := io.ReadFull(br, frame); err != nil {
		return 0, r, err
	}
	if r, err = decodeResponse(frame[frameHeader:]); err != nil {
		return 0, r, &frameError{err}
	}
	return id, r, nil
}

// frameError is a breach of the protocol by the other side.
type frameError struct{ err error }

func (e *frameError) Error() string { return "malformed frame: " + e.err.Error() }
func (e *frameError) Unwrap() error { return e.err }
