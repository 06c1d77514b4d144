package shape

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mark is on every packet that this package sends by itself; the rule that hands
// packets to the queue must let it pass.
const Mark = 0x5371756c // "Squl"

// sender sends whole IP packets, each past the queue.
type sender struct {
	fds     [2]int // of IPv4 and IPv6; -1: none
	names4  [batchSize]unix.RawSockaddrInet4
	names6  [batchSize]unix.RawSockaddrInet6
	iovecs  [batchSize]unix.Iovec
	heads   [batchSize]mmsghdr
	failed  [batchSize]*uint64
	pending int
	six     bool // what is pending is of IPv6
}

// newSender opens the raw sockets. A machine without IPv6 has one of them.
func newSender() (*sender, error) {
	s := &sender{fds: [2]int{-1, -1}}
	var errs [2]error
	for i, family := range []int{unix.AF_INET, unix.AF_INET6} {
		s.fds[i], errs[i] = rawSocket(family)
	}
	if s.fds[0] < 0 && s.fds[1] < 0 {
		return nil, errors.Join(errs[:]...)
	}
	return s, nil
}

// rawSocket opens a socket that takes packets with their IP header. Its error
// leaves -1.
func rawSocket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w: the machine lacks the capability NET_RAW", err)
		}
		return -1, fmt.Errorf("opening a raw socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, Mark); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("marking a raw socket's packets: %w", err)
	}
	moreRoom(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendRoom)
	return fd, nil
}

// can reports whether packets to an address can be sent.
func (s *sender) can(to netip.Addr) bool { return s != nil && s.fds[index(to.Is6())] >= 0 }

func index(six bool) int {
	if six {
		return 1
	}
	return 0
}

// add puts a packet among those to be sent. It must stay as it is until flush.
// One that the kernel refuses is counted in failed.
func (s *sender) add(to netip.Addr, packet []byte, failed *uint64) {
	if s.pending == batchSize || s.pending > 0 && s.six != to.Is6() {
		s.flush()
	}
	i := s.pending
	s.six = to.Is6()
	h := &s.heads[i].head
	if s.six {
		s.names6[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: to.As16()}
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&s.names6[i])), unix.SizeofSockaddrInet6
	} else {
		s.names4[i] = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.As4()}
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&s.names4[i])), unix.SizeofSockaddrInet4
	}
	s.iovecs[i].Base = &packet[0]
	s.iovecs[i].SetLen(len(packet))
	h.Iov = &s.iovecs[i]
	h.SetIovlen(1)
	s.failed[i] = failed
	s.pending++
}

// flush sends what was added, in that order.
func (s *sender) flush() {
	if s == nil {
		return
	}
	for i := 0; i < s.pending; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fds[index(s.six)]),
			uintptr(unsafe.Pointer(&s.heads[i])), uintptr(s.pending-i), 0, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0 || n == 0:
			*s.failed[i]++
			i++
		default:
			i += int(n)
		}
	}
	s.pending = 0
}

func (s *sender) close() {
	if s == nil {
		return
	}
	for _, fd := range s.fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
