package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

const (
	// maxMessage bounds a message between nodes, bytes; one may hold a snapshot.
	maxMessage = 512 << 20
	// peerTimeout is how long a connection may take to be made, or a message to be
	// written.
	peerTimeout = 2 * time.Second
	// redial is the pause after a connection has failed.
	redial = 50 * time.Millisecond
)

// transport sends messages to the other nodes, each over a TCP connection of its own. A
// message that cannot be sent is dropped: Raft sends it again. Each has a CRC: the
// checksum of TCP does not see everything, and Raft trusts what it is told.
type transport struct {
	listenAt string
	queues   map[uint64]chan *raftpb.Message
	lost     func(m *raftpb.Message) // is told what was dropped
	sent     func(m *raftpb.Message)
}

func newTransport(c config) *transport {
	t := &transport{listenAt: c.peers[c.id], queues: map[uint64]chan *raftpb.Message{}}
	for id := range c.peers {
		if id != c.id {
			t.queues[id] = make(chan *raftpb.Message, 4096)
		}
	}
	return t
}

// start begins to send.
func (t *transport) start(peers map[uint64]string, sent, lost func(*raftpb.Message)) {
	t.sent, t.lost = sent, lost
	for id, queue := range t.queues {
		go t.feed(peers[id], queue)
	}
}

func (t *transport) send(messages []*raftpb.Message) {
	for _, m := range messages {
		queue, ok := t.queues[m.GetTo()]
		if !ok {
			continue
		}
		select {
		case queue <- m:
		default:
			t.lost(m)
		}
	}
}

// feed sends what is queued for one node.
func (t *transport) feed(addr string, queue chan *raftpb.Message) {
	var conn net.Conn
	var out *bufio.Writer
	for m := range queue {
		if conn == nil {
			c, err := net.DialTimeout("tcp", addr, peerTimeout)
			if err != nil {
				t.lost(m)
				time.Sleep(redial)
				continue
			}
			conn, out = c, bufio.NewWriterSize(c, 64<<10)
			go watch(c)
		}
		err := conn.SetWriteDeadline(time.Now().Add(peerTimeout))
		if err == nil {
			err = writeMessage(out, m)
		}
		if err == nil && len(queue) == 0 {
			err = out.Flush()
		}
		if err != nil {
			conn.Close()
			conn = nil
			t.lost(m)
			continue
		}
		t.sent(m)
	}
}

// watch closes a connection that the other side has closed: nothing is ever received on it.
func watch(c net.Conn) {
	_, _ = io.Copy(io.Discard, c)
	c.Close()
}

func writeMessage(out *bufio.Writer, m *raftpb.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(data)))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(data, castagnoli))
	if _, err := out.Write(head); err != nil {
		return err
	}
	_, err = out.Write(data)
	return err
}

// listen receives the messages of other nodes.
func (t *transport) listen(receive func(*raftpb.Message) error) error {
	l, err := net.Listen("tcp", t.listenAt)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			if err := read(conn, receive); err != nil && !errors.Is(err, io.EOF) {
				log.Printf("from %s: %v", conn.RemoteAddr(), err)
			}
		}()
	}
}

func read(conn net.Conn, receive func(*raftpb.Message) error) error {
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		var head [headSize]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		size := binary.LittleEndian.Uint32(head[:])
		if size > maxMessage {
			return fmt.Errorf("a message of %d bytes", size)
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(in, data); err != nil {
			return err
		}
		if crc32.Checksum(data, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
			return errors.New("a message was damaged on the way")
		}
		m := &raftpb.Message{}
		if err := proto.Unmarshal(data, m); err != nil {
			return err
		}
		if err := receive(m); err != nil {
			log.Printf("%s of node %d was not taken: %v", m.GetType(), m.GetFrom(), err)
		}
	}
}
