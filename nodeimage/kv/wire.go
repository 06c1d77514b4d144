package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ProtocolVersion is the version of the client protocol; see the package
// comment.
const ProtocolVersion = 5

const (
	// helloBody is how long a short hello is without its checksum.
	helloBody = 8
	helloSize = helloBody + sumSize
	// unsummedVersion is the protocol version whose hellos had no checksum. It
	// is refused by name, so that a reader does not wait for one.
	unsummedVersion = 1

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
	b = binary.BigEndian.AppendUint16(b, uint16(verdict))
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

// errStranger says that what came is no hello of this protocol.
var errStranger = errors.New("no hello of this protocol")

// readHello fills b with a hello, its checksum left out, and checks it. It
// returns the version of who sent it.
func readHello(r io.Reader, b []byte, magic [4]byte) (version uint16, err error) {
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, fmt.Errorf("wait for its hello: %w", err)
	}
	if [4]byte(b[:4]) != magic {
		return 0, fmt.Errorf("it began with %q: %w", b[:4], errStranger)
	}
	if version = binary.BigEndian.Uint16(b[4:]); version == unsummedVersion {
		return version, nil
	}
	var sum [sumSize]byte
	if _, err := io.ReadFull(r, sum[:]); err != nil {
		return 0, fmt.Errorf("wait for the end of its hello: %w", err)
	}
	return version, checkSum("hello", b, binary.BigEndian.Uint32(sum[:]))
}

// readReply reads the answer to a hello.
func readReply(r io.Reader, magic [4]byte) error {
	var b [helloBody]byte
	version, err := readHello(r, b[:], magic)
	if err != nil {
		return err
	}
	verdict := helloReply(binary.BigEndian.Uint16(b[6:]))
	if version == unsummedVersion { // whatever its verdict is, it is not checked
		verdict = wrongVersion
	}
	if verdict != welcome {
		return fmt.Errorf("refused: %v (it speaks version %d, this side %d)", verdict, version, ProtocolVersion)
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
// code and a text otherwise. What the value says depends on the operation.
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
	if op.Reads() {
		return noEffect(code, text)
	}
	return response{status: statusUnknown, code: code, text: text}
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
