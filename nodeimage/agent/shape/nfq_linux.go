package shape

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The words of NFQUEUE (linux/netfilter/nfnetlink_queue.h).
const (
	nfqPacket  = unix.NFNL_SUBSYS_QUEUE << 8
	nfqVerdict = unix.NFNL_SUBSYS_QUEUE<<8 | 1
	nfqConfig  = unix.NFNL_SUBSYS_QUEUE<<8 | 2

	cfgCmd      = 1
	cfgParams   = 2
	cfgMaxLen   = 3
	cmdBind     = 1
	copyPacket  = 2
	copyRange   = 0xffff // beyond what an attribute can hold: the whole packet
	attrHeader  = 1
	attrVerdict = 2
	attrPayload = 10
	attrCapLen  = 13 // only there when the payload was cut off

	verdictDrop   = 0
	verdictAccept = 1

	netlinkHead = 16
	nfHead      = 4
	attrHead    = 4
)

const (
	batchSize  = 64             // packets read by one system call
	slotSize   = 64<<10 + 1<<10 // the longest packet and what comes with it
	socketRoom = 32 << 20       // for packets that the kernel has handed over
	sendRoom   = 4 << 20        // and for those that are being sent
)

// nfq is a bound NFQUEUE. Without GSO, so that each of the packets is one that
// goes on the wire, its checksum in place.
type nfq struct {
	fd       int
	queue    uint16
	slots    []byte
	iovecs   [batchSize]unix.Iovec
	heads    [batchSize]mmsghdr
	verdicts []byte
}

// mmsghdr is one of recvmmsg(2) and sendmmsg(2).
type mmsghdr struct {
	head unix.Msghdr
	n    uint32
}

// queued is a packet that the kernel waits for a verdict on.
type queued struct {
	id    uint32
	data  []byte // of the slots: gone with the next read
	whole bool   // data is all of it
}

// bindQueue binds a queue of this network namespace.
func bindQueue(queue uint16) (_ *nfq, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("opening the packet queue: %w", err)
	}
	q := &nfq{fd: fd, queue: queue, slots: make([]byte, batchSize*slotSize)}
	defer func() {
		if err != nil {
			q.close()
		}
	}()
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("opening the packet queue: %w", err)
	}
	moreRoom(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, socketRoom)
	moreRoom(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendRoom)
	// A packet for which there is no room is lost, and the kernel counts it; the
	// error would say nothing beyond.
	if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1); err != nil {
		return nil, fmt.Errorf("setting the packet queue up: %w", err)
	}
	for i := range batchSize {
		q.iovecs[i].Base = &q.slots[i*slotSize]
		q.iovecs[i].SetLen(slotSize)
		q.heads[i].head.Iov = &q.iovecs[i]
		q.heads[i].head.SetIovlen(1)
	}
	return q, q.configure()
}

// moreRoom enlarges a buffer beyond the system's limit where that is allowed.
func moreRoom(fd, force, normal, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, normal, size) // it keeps what it has
	}
}

// close gives the queue up: from now on packets pass by it.
func (q *nfq) close() {
	if q.fd >= 0 {
		unix.Close(q.fd)
	}
	q.fd = -1
}

func (q *nfq) configure() error {
	maxLen := binary.BigEndian.AppendUint32(nil, 1<<16)
	params := append(binary.BigEndian.AppendUint32(nil, copyRange), copyPacket)
	for _, c := range []struct {
		what string
		attr uint16
		data []byte
	}{
		{"binding packet queue", cfgCmd, []byte{cmdBind, 0, 0, 0}},
		{"asking for whole packets of queue", cfgParams, params},
		{"lengthening packet queue", cfgMaxLen, maxLen},
	} {
		msg := q.begin(nil, nfqConfig, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
		msg = appendAttr(msg, c.attr, c.data)
		finish(msg, 0)
		if err := q.ask(msg); err != nil {
			if errors.Is(err, unix.EPERM) {
				err = fmt.Errorf("%w: the machine lacks the capability NET_ADMIN, or another program has the queue", err)
			}
			return fmt.Errorf("%s %d: %w", c.what, q.queue, err)
		}
	}
	return nil
}

// ask sends a message and waits for the kernel's word on it. It is for the time
// before packets come.
func (q *nfq) ask(msg []byte) error {
	if err := unix.Sendto(q.fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	poll := []unix.PollFd{{Fd: int32(q.fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll, int(time.Second/time.Millisecond)); n == 0 || err != nil && err != unix.EINTR {
		return errors.Join(errors.New("the kernel does not answer"), err)
	}
	n, _, err := unix.Recvfrom(q.fd, q.slots[:slotSize], unix.MSG_DONTWAIT)
	if err != nil {
		return err
	}
	answer := q.slots[:n]
	if n < netlinkHead+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return errors.New("the kernel gave an answer that makes no sense")
	}
	if code := int32(binary.NativeEndian.Uint32(answer[netlinkHead:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// begin appends the heads of a message for this queue; finish ends it.
func (q *nfq) begin(b []byte, kind, flags uint16) []byte {
	b = binary.NativeEndian.AppendUint32(b, 0) // length
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // sequence, port
	b = append(b, unix.AF_UNSPEC, 0)      // family, version
	return append(b, byte(q.queue>>8), byte(q.queue))
}

// finish writes the length of the message that begins at start.
func finish(b []byte, start int) { binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start)) }

func appendAttr(b []byte, kind uint16, data []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(attrHead+len(data)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// read takes what the kernel has handed over, up to a batch, without waiting,
// and calls take for each packet.
func (q *nfq) read(take func(queued)) (messages int, err error) {
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(q.fd), uintptr(unsafe.Pointer(&q.heads[0])),
		batchSize, unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR, unix.ENOBUFS:
		return 0, nil
	default:
		return 0, fmt.Errorf("reading the packet queue: %w", errno)
	}
	for i := range int(n) {
		q.messages(q.slots[i*slotSize:][:q.heads[i].n], take)
	}
	return int(n), nil
}

// messages takes the packets out of a datagram of netlink messages. Errors
// about verdicts are among them; they concern packets that are gone already.
func (q *nfq) messages(b []byte, take func(queued)) {
	for len(b) >= netlinkHead+nfHead {
		n := int(binary.NativeEndian.Uint32(b))
		if n < netlinkHead+nfHead || n > len(b) {
			return
		}
		if binary.NativeEndian.Uint16(b[4:]) == nfqPacket {
			if p, ok := parsePacket(b[netlinkHead+nfHead : n]); ok {
				take(p)
			}
		}
		b = b[min(len(b), (n+3)&^3):]
	}
}

func parsePacket(b []byte) (p queued, ok bool) {
	p.whole = true
	for len(b) >= attrHead {
		n := int(binary.NativeEndian.Uint16(b))
		if n < attrHead || n > len(b) {
			return p, false
		}
		data := b[attrHead:n]
		switch binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER) {
		case attrHeader:
			if len(data) < 7 {
				return p, false
			}
			p.id, ok = binary.BigEndian.Uint32(data), true
		case attrPayload:
			p.data = data
		case attrCapLen:
			p.whole = false
		}
		b = b[min(len(b), (n+3)&^3):]
	}
	return p, ok
}

// verdict says what becomes of a packet, changed to payload if that is not nil.
// It takes effect with the next send.
func (q *nfq) verdict(id, verdict uint32, payload []byte) {
	start := len(q.verdicts)
	if start+len(payload) > sendRoom/4 {
		q.send()
		start = 0
	}
	b := q.begin(q.verdicts, nfqVerdict, unix.NLM_F_REQUEST)
	var v [8]byte
	binary.BigEndian.PutUint32(v[:], verdict)
	binary.BigEndian.PutUint32(v[4:], id)
	b = appendAttr(b, attrVerdict, v[:])
	if payload != nil {
		b = appendAttr(b, attrPayload, payload)
	}
	finish(b, start)
	q.verdicts = b
}

// send gives the kernel all verdicts at once. It carries them out before this
// returns. What it refuses it lets go when the queue is closed.
func (q *nfq) send() {
	if len(q.verdicts) == 0 {
		return
	}
	_, _ = unix.Write(q.fd, q.verdicts)
	q.verdicts = q.verdicts[:0]
}
