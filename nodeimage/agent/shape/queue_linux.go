package shape

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// queue is the engine that gets the packets from the kernel.
type queue struct {
	nfq    *nfq
	sender *sender // nil: no raw sockets
	wake   int     // an eventfd
	begun  time.Time
	done   chan struct{}

	mu     sync.Mutex
	links  map[netip.Addr]*link
	held   heap
	seq    uint64
	pool   pool
	sent   [][]byte // copies that are in the sender's hands
	closed bool
	broken error // why packets are no more looked at
}

// openQueue begins to serve a queue. Without raw sockets it can do less.
func openQueue(number uint16, raw bool) (*queue, error) {
	n, err := bindQueue(number)
	if err != nil {
		return nil, err
	}
	q := &queue{nfq: n, begun: time.Now(), done: make(chan struct{}), links: map[netip.Addr]*link{}}
	if raw {
		if q.sender, err = newSender(); err != nil {
			q.sender = nil // what needs it is refused, see Shaper.Set
		}
	}
	if q.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		q.free()
		return nil, fmt.Errorf("opening an eventfd: %w", err)
	}
	go q.run()
	return q, nil
}

func (q *queue) free() {
	q.nfq.close()
	q.sender.close()
}

// close lets go of everything that is held and ends the engine.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wakeUp()
	<-q.done
	unix.Close(q.wake)
	q.free()
}

func (q *queue) wakeUp() {
	_, _ = unix.Write(q.wake, binary.NativeEndian.AppendUint64(nil, 1)) // it fails only when it is set already
}

// put makes these links the only ones. What was held for others is out when it
// returns: if the rule to the queue is removed after, the kernel throws away what
// it still holds.
func (q *queue) put(links map[netip.Addr]*link) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.links = links
	if q.broken == nil {
		q.held.hasten(func(l *link) bool { return links[l.shape.To] != l })
		q.release(q.now())
	}
}

// counts is what every link did. What the kernel has handed over by now is in it.
func (q *queue) counts() ([]protocol.ShapeCount, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken != nil {
		return nil, q.broken
	}
	for more := true; more; {
		n, err := q.nfq.read(q.take)
		if err != nil {
			return nil, err
		}
		q.nfq.send()
		more = n == batchSize
	}
	q.release(q.now())
	holding := map[*link]uint64{}
	for _, p := range q.held {
		holding[p.link]++
	}
	var all []protocol.ShapeCount
	for _, l := range q.links {
		c := l.count
		c.Held = holding[l]
		all = append(all, c)
	}
	return all, nil
}

// overrun is how many packets the kernel threw away because this process was too
// slow to read them.
func (q *queue) overrun() uint64 {
	text, err := os.ReadFile("/proc/self/net/netfilter/nfnetlink_queue")
	if err != nil {
		return 0 // only root of the whole system may ask here and there
	}
	for line := range strings.Lines(string(text)) {
		// queue, port, waiting, copy mode, copy range, dropped, dropped for the reader …
		f := strings.Fields(line)
		if len(f) < 7 || f[0] != strconv.Itoa(int(q.nfq.queue)) {
			continue
		}
		full, _ := strconv.ParseUint(f[5], 10, 64)
		unread, _ := strconv.ParseUint(f[6], 10, 64)
		return full + unread
	}
	return 0
}

func (q *queue) now() int64 { return int64(time.Since(q.begun)) + 1 }

// run is the engine's thread, which nothing else uses: it waits in the kernel, to
// the microsecond, for packets and for the next to be due.
func (q *queue) run() {
	defer close(q.done)
	defer q.nfq.close()
	runtime.LockOSThread() // and ends with the goroutine
	runPromptly()
	poll := []unix.PollFd{{Fd: int32(q.nfq.fd), Events: unix.POLLIN}, {Fd: int32(q.wake), Events: unix.POLLIN}}
	readable := false
	for {
		more, next, ended := q.turn(readable)
		if ended {
			return
		}
		if readable = more; more {
			continue
		}
		var timeout *unix.Timespec
		if next > 0 {
			t := unix.NsecToTimespec(max(0, next-q.now()))
			timeout = &t
		}
		if _, err := unix.Ppoll(poll, timeout, nil); err != nil && !errors.Is(err, unix.EINTR) {
			q.fail(fmt.Errorf("waiting for packets: %w", err))
			return
		}
		readable = poll[0].Revents != 0
		if poll[1].Revents != 0 {
			var b [8]byte
			_, _ = unix.Read(q.wake, b[:]) // it was only to wake
		}
	}
}

// runPromptly makes this thread run as soon as it can. Where the system does not
// let it, it is a little later.
func runPromptly() {
	// Else the kernel may let it sleep 50 µs longer.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	// Who asks for short turns on the processor gets them sooner (from Linux 6.12
	// on; before, this changes nothing).
	const shortest = 100 * time.Microsecond
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Runtime: uint64(shortest),
	}, 0)
}

func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.broken = err
}

// turn takes in a batch of packets and sends what is due. More says that further
// packets wait already; next is when the next is due, 0 for none.
func (q *queue) turn(readable bool) (more bool, next int64, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if readable || q.closed {
		n, err := q.nfq.read(q.take)
		if err != nil {
			q.broken = err
			return false, 0, true
		}
		more = n > 0 && q.closed || n == batchSize
	}
	if q.closed {
		q.held.hasten(func(*link) bool { return true })
	}
	q.nfq.send() // before the duplicates, which follow their originals
	q.release(q.now())
	if len(q.held) > 0 {
		next = q.held[0].due
	}
	return more, next, q.closed && !more
}

// take decides about a packet and does what can be done at once.
func (q *queue) take(p queued) {
	to, ok := destination(p.data)
	l := q.links[to]
	if !ok || l == nil {
		q.nfq.verdict(p.id, verdictAccept, nil)
		return
	}
	l.count.Packets++
	l.count.Bytes += uint64(len(p.data))
	d := l.model.Next()
	if d.Lost {
		l.count.Lost++
		q.nfq.verdict(p.id, verdictDrop, nil)
		return
	}
	changed := d.Corrupt && p.whole && corrupt(p.data, l.shape.CorruptKind, d.Dice)
	if changed {
		l.count.Corrupted++
	}
	now := q.now()
	due := now
	if d.Reordered {
		l.count.Reordered++
	} else if due, ok = l.due(now, len(p.data), d.Delay); !ok || due > now && len(q.held) >= protocol.HeldPackets {
		l.count.Overflow++
		q.nfq.verdict(p.id, verdictDrop, nil)
		return
	}
	raw := p.whole && len(p.data) <= l.mtu && q.sender.can(to)
	q.pass(l, to, p, raw, changed, now, due)
	if d.Duplicate && raw {
		q.duplicate(l, to, p.data, now, d.DupDelay)
	}
}

// due is when a packet of this size that came now is to leave.
func (l *link) due(now int64, size int, delay time.Duration) (due int64, ok bool) {
	left, ok := l.line.take(now, size)
	return left + int64(delay), ok
}

// pass lets a packet pass now, or holds it until it is due.
func (q *queue) pass(l *link, to netip.Addr, p queued, raw, changed bool, now, due int64) {
	h := held{due: due, link: l, to: to, id: p.id}
	switch {
	case due <= now && changed:
		q.nfq.verdict(p.id, verdictAccept, p.data)
		return
	case due <= now:
		q.nfq.verdict(p.id, verdictAccept, nil)
		return
	case raw:
		h.data = q.pool.copy(p.data)
		q.nfq.verdict(p.id, verdictDrop, nil)
	case changed:
		h.kernel, h.data = true, q.pool.copy(p.data)
	default:
		h.kernel = true
	}
	q.hold(h)
}

func (q *queue) hold(h held) {
	h.seq = q.seq
	q.seq++
	q.held.push(h)
}

// duplicate sends a second copy of a packet, after a delay of its own.
func (q *queue) duplicate(l *link, to netip.Addr, data []byte, now int64, delay time.Duration) {
	due, ok := l.due(now, len(data), delay)
	if !ok || len(q.held) >= protocol.HeldPackets {
		l.count.Overflow++
		return
	}
	l.count.Duplicated++
	q.hold(held{due: due, link: l, to: to, data: q.pool.copy(data)})
}

// release sends what is due.
func (q *queue) release(now int64) {
	for len(q.held) > 0 && q.held[0].due <= now {
		p := q.held.pop()
		p.link.count.Delayed++
		if p.kernel {
			q.nfq.verdict(p.id, verdictAccept, p.data)
		} else {
			q.sender.add(p.to, p.data, &p.link.count.Failed)
		}
		if p.data != nil {
			q.sent = append(q.sent, p.data)
		}
	}
	q.nfq.send()
	q.sender.flush()
	for _, b := range q.sent {
		q.pool.put(b)
	}
	q.sent = q.sent[:0]
}

func (q *queue) isBroken() error {
	if q == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.broken
}
