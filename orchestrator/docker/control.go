package docker

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/docker/docker/pkg/stdcopy"
)

// stderrKept is how much of stderr is kept, in bytes: its end.
const stderrKept = 64 << 10

// control is an attachment to a container: Read gives its stdout, Write goes
// to its stdin. On the wire, stdout and stderr come in turns, each piece with
// a header of 8 bytes: which of them it is, and its length. They are taken
// apart while reading; stdcopy would need a goroutine and a copy more.
type control struct {
	conn net.Conn
	in   io.Reader
	end  atomic.Bool // reading has ended

	left int // bytes of stdout before the next header

	mu     sync.Mutex
	stderr []byte
}

func newControl(conn net.Conn, in io.Reader) *control { return &control{conn: conn, in: in} }

// Read reads stdout. Only one goroutine may read.
func (c *control) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for c.left == 0 {
		if err := c.nextPiece(); err != nil {
			c.end.Store(true)
			return 0, err
		}
	}
	n, err := c.in.Read(p[:min(len(p), c.left)])
	c.left -= n
	if err != nil {
		c.end.Store(true)
		if err == io.EOF && c.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// nextPiece reads up to the bytes of the next piece of stdout, and keeps those
// of stderr.
func (c *control) nextPiece() error {
	var head [8]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return err
	}
	size := int(binary.BigEndian.Uint32(head[4:]))
	switch stdcopy.StdType(head[0]) {
	case stdcopy.Stdout:
		c.left = size
		return nil
	case stdcopy.Stderr:
		return c.keep(size)
	case stdcopy.Systemerr:
		text, _ := io.ReadAll(io.LimitReader(c.in, int64(min(size, stderrKept))))
		return fmt.Errorf("the engine reports on an attached container: %s", text)
	default:
		return fmt.Errorf("an attached container sent a piece that begins with %q", head[:])
	}
}

func (c *control) keep(size int) error {
	buf := make([]byte, min(size, stderrKept))
	for size > 0 {
		n, err := io.ReadFull(c.in, buf[:min(size, len(buf))])
		size -= n
		c.mu.Lock()
		c.stderr = append(c.stderr, buf[:n]...)
		if extra := len(c.stderr) - stderrKept; extra > 0 {
			c.stderr = slices.Delete(c.stderr, 0, extra)
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// Write writes to stdin.
func (c *control) Write(p []byte) (int, error) { return c.conn.Write(p) }

// Close ends the attachment, and with it the container's stdin.
func (c *control) Close() error { return c.conn.Close() }

// ended reports whether reading came to an end.
func (c *control) ended() bool { return c.end.Load() }

func (c *control) lastStderr() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.stderr)
}
