// Package protocol is what squall's agent and the orchestrator say to each
// other, and the orchestrator's side of that talk (Client).
//
// The two speak over one byte stream in each direction, which is stdin and
// stdout of the agent. Each direction carries frames:
//
//	length  u32, big endian: the bytes that follow, kind included
//	kind    u8
//	payload length-1 bytes
//
// Requests and credit go to the agent; replies, streams and events come from it.
// A request, a reply and an event are JSON; a stream frame is the stream's id
// (u8), the boot of the process that wrote it (u32, big endian) and its bytes;
// credit is a number of frames (u32, big endian).
//
// Replies overtake streams and events, so that a machine that writes a lot can
// still be commanded. Streams and events keep their order: everything that a
// process wrote comes before the event of its exit.
//
// Of streams and events the agent sends Window frames unasked. The other side
// gives credit for as many more as its handler has dealt with. So it always
// has room for what comes, and a reply never waits for a slow handler.
package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// Version is the version of the protocol. Client.Hello refuses an agent
	// that speaks another one.
	Version = 6
	// ProbePort is the UDP and TCP port on which every agent answers probes.
	ProbePort = 4199
	// MaxFrame bounds a frame's length field: kind and payload, in bytes.
	MaxFrame = 1 << 20
	// MaxChunk is the most bytes of a stream that one frame carries.
	MaxChunk = 64 << 10
	// Window is how many frames of streams and events may be on their way to
	// the handler: 8 MiB at most.
	Window = 8 << 20 / MaxChunk
	// StreamOverhead is what a stream frame holds before the stream's bytes:
	// the frame's length and kind, the stream's id and the boot.
	StreamOverhead = frameHeader + streamHeader

	frameHeader  = 5
	streamHeader = 5
)

// Kind says what a frame carries.
type Kind uint8

// The kinds of frames.
const (
	KindRequest Kind = iota + 1
	KindReply
	KindStream
	KindEvent
	KindCredit
)

func (k Kind) valid() bool { return k >= KindRequest && k <= KindCredit }

// StreamID says which output of the server a stream is.
type StreamID uint8

// The streams of a server process.
const (
	StreamLog   StreamID = 1 // its stdout and stderr, as one
	StreamTrace StreamID = 2 // its file descriptor 3
	StreamFull  StreamID = 3 // its file descriptor 4: the full trace, where StartSpec.FullTrace asks for it
)

func (s StreamID) String() string {
	switch s {
	case StreamLog:
		return "log"
	case StreamTrace:
		return "trace"
	case StreamFull:
		return "full trace"
	default:
		return fmt.Sprintf("stream(%d)", uint8(s))
	}
}

// ErrFrame says that what came is not a frame of this protocol. After it the
// byte stream cannot be read any further.
var ErrFrame = errors.New("not a frame of squall's agent")

// AppendFrame appends a frame to dst. It refuses a payload beyond MaxFrame.
func AppendFrame(dst []byte, kind Kind, payload []byte) ([]byte, error) {
	n := len(payload) + 1
	if n > MaxFrame {
		return dst, fmt.Errorf("a frame of %d bytes is too long, at most %d fit", n, MaxFrame)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	dst = append(dst, byte(kind))
	return append(dst, payload...), nil
}

// ReadFrame reads one frame; the payload is the caller's. At a clean end the
// error is io.EOF, in the midst of a frame io.ErrUnexpectedEOF.
func ReadFrame(r io.Reader) (Kind, []byte, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:4])
	kind := Kind(head[4])
	if n == 0 || n > MaxFrame || !kind.valid() {
		// The bytes are shown because what usually stands here is the text of
		// a program that is not the agent.
		return 0, nil, fmt.Errorf("%w: it begins with %q", ErrFrame, head[:])
	}
	payload := make([]byte, n-1)
	if _, err := io.ReadFull(r, payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return kind, payload, nil
}

// PutStreamHead makes a whole stream frame of buf by filling in its first
// StreamOverhead bytes; the stream's bytes, at most MaxChunk, stand after
// them already. This way they are not copied.
func PutStreamHead(buf []byte, id StreamID, boot int) {
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-4))
	buf[4] = byte(KindStream)
	buf[5] = byte(id)
	binary.BigEndian.PutUint32(buf[6:], uint32(boot))
}

// JoinStream appends the bytes of a whole stream frame to the one that begins
// at last and ends with dst, when the two are of one stream and boot and fit one
// frame. It reports whether it did.
func JoinStream(dst []byte, last int, frame []byte) ([]byte, bool) {
	data := frame[StreamOverhead:]
	if len(dst)-last+len(data) > StreamOverhead+MaxChunk || !bytes.Equal(dst[last+4:last+StreamOverhead], frame[4:StreamOverhead]) {
		return dst, false
	}
	dst = append(dst, data...)
	binary.BigEndian.PutUint32(dst[last:], uint32(len(dst)-last-4))
	return dst, true
}

// AppendCredit appends a frame that gives credit for so many frames.
func AppendCredit(dst []byte, frames int) []byte {
	dst = binary.BigEndian.AppendUint32(dst, 1+4)
	dst = append(dst, byte(KindCredit))
	return binary.BigEndian.AppendUint32(dst, uint32(frames))
}

// ParseCredit is for how many frames the payload of a credit frame gives credit.
func ParseCredit(payload []byte) (frames int, err error) {
	if len(payload) != 4 {
		return 0, fmt.Errorf("%w: credit of %d bytes", ErrFrame, len(payload))
	}
	n := binary.BigEndian.Uint32(payload)
	if n > Window {
		return 0, fmt.Errorf("%w: credit for %d frames, at most %d are on their way", ErrFrame, n, Window)
	}
	return int(n), nil
}

// parseStream takes the payload of a stream frame apart.
func parseStream(payload []byte) (StreamID, int, []byte, error) {
	if len(payload) < streamHeader {
		return 0, 0, nil, fmt.Errorf("%w: a stream frame of %d bytes", ErrFrame, len(payload))
	}
	if len(payload) > streamHeader+MaxChunk {
		return 0, 0, nil, fmt.Errorf("%w: a stream frame of %d bytes, at most %d fit", ErrFrame, len(payload), streamHeader+MaxChunk)
	}
	return StreamID(payload[0]), int(binary.BigEndian.Uint32(payload[1:])), payload[streamHeader:], nil
}
