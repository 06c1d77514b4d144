package kv

import (
	"net"
	"sync"
	"testing"
)

// changer is a network that may change what it carries: whoever connects to it
// reaches another address, and each chunk passes through change.
type changer struct {
	ln     net.Listener
	to     string
	change func(up bool, at int, chunk []byte)

	wg      sync.WaitGroup
	mu      sync.Mutex
	stopped bool
	conns   map[net.Conn]struct{}
}

// startChanger leads to the address to. change is called with the chunks that
// come from who connected (up) and from who was reached; at is how many bytes
// came before on that way. Several goroutines call it.
func startChanger(t testing.TB, to string, change func(up bool, at int, chunk []byte)) *changer {
	t.Helper()
	c := &changer{ln: localListener(t), to: to, change: change, conns: make(map[net.Conn]struct{})}
	c.wg.Go(func() {
		for {
			conn, err := c.ln.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.join(conn) })
		}
	})
	t.Cleanup(c.stop)
	return c
}

func (c *changer) addr() string { return c.ln.Addr().String() }

func (c *changer) join(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !c.hold(near, far) {
		return
	}
	defer c.release(near, far)
	var wg sync.WaitGroup
	carry := func(up bool, from, to net.Conn) {
		defer near.Close()
		defer far.Close()
		buf := make([]byte, 64<<10)
		for at := 0; ; {
			n, err := from.Read(buf)
			c.change(up, at, buf[:n])
			if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
				return
			}
			at += n
		}
	}
	wg.Go(func() { carry(true, near, far) })
	carry(false, far, near)
	wg.Wait()
}

// hold notes what has to be closed when the network ends.
func (c *changer) hold(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		c.conns[conn] = struct{}{}
	}
	return !c.stopped
}

func (c *changer) release(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		delete(c.conns, conn)
	}
}

// idle reports whether nobody is connected.
func (c *changer) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns) == 0
}

func (c *changer) stop() {
	c.ln.Close()
	c.mu.Lock()
	c.stopped = true
	for conn := range c.conns {
		conn.Close()
	}
	c.mu.Unlock()
	c.wg.Wait()
}

// oneByte changes one byte of one connection, and tells how many came by.
type oneByte struct {
	up   bool
	at   int
	mask byte // 0: none

	mu   sync.Mutex
	seen map[bool]int // by up
}

func (o *oneByte) change(up bool, at int, chunk []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := o.at - at; up == o.up && i >= 0 && i < len(chunk) {
		chunk[i] ^= o.mask
	}
	o.seen[up] = at + len(chunk)
}
