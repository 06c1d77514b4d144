package main

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	// headSize is the size of a frame's head: the length of what follows, and its CRC.
	headSize = 8
	// maxFrame bounds what follows, bytes.
	maxFrame = 64 << 10
)

// checked is a connection between nodes in frames with a CRC each. The checksum of TCP
// does not see everything, the library's messages have none, and Raft trusts what it is
// told.
type checked struct {
	net.Conn
	rest []byte // of the last frame
}

// Read implements net.Conn.
func (c *checked) Read(b []byte) (int, error) {
	for len(c.rest) == 0 {
		var head [headSize]byte
		if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
			return 0, err
		}
		size := binary.LittleEndian.Uint32(head[:])
		if size > maxFrame {
			return 0, errDamaged
		}
		frame := make([]byte, size)
		if _, err := io.ReadFull(c.Conn, frame); err != nil {
			return 0, err
		}
		if crc32.Checksum(frame, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
			return 0, errDamaged
		}
		c.rest = frame
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

var errDamaged = errors.New("a frame was damaged on the way")

// Write implements net.Conn.
func (c *checked) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		part := b[:min(len(b), maxFrame)]
		frame := binary.LittleEndian.AppendUint32(make([]byte, 0, headSize+len(part)), uint32(len(part)))
		frame = binary.LittleEndian.AppendUint32(frame, crc32.Checksum(part, castagnoli))
		if _, err := c.Conn.Write(append(frame, part...)); err != nil {
			return n, err
		}
		n += len(part)
		b = b[len(part):]
	}
	return n, nil
}

// checkedListener accepts such connections. It is the raft.StreamLayer of a node.
type checkedListener struct{ net.Listener }

var _ raft.StreamLayer = checkedListener{}

// Accept implements net.Listener.
func (l checkedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &checked{Conn: conn}, nil
}

// Dial implements raft.StreamLayer.
func (checkedListener) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return dialChecked(ctx, "tcp", string(addr))
}

func dialChecked(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &checked{Conn: conn}, nil
}
