package shape

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// tryQueueNumber is bound for a moment, beside the queue that may be in use.
const tryQueueNumber = QueueNumber + 1

// TryQueue binds a queue and gives it up.
func TryQueue() error {
	q, err := bindQueue(tryQueueNumber)
	if err != nil {
		return err
	}
	q.close()
	return nil
}

// TryRaw opens the raw sockets and closes them. Those of IPv4 must work.
func TryRaw() error {
	fd, err := rawSocket(unix.AF_INET)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// TryNetem makes an interface that nothing uses, with a netem on it, and takes
// both away.
func TryNetem() (err error) {
	link, err := idleLink()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, netlink.LinkDel(link)) }()
	err = putNetem(link.Attrs().Index, netlink.HANDLE_ROOT, netlink.MakeHandle(leafMajor, 0), protocol.Shape{Delay: 1})
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("making a netem: %w: this kernel has none: load its module sch_netem on the host, or run a kernel built with CONFIG_NET_SCH_NETEM", err)
	case err != nil:
		return fmt.Errorf("making a netem: %w", err)
	}
	return nil
}

// idleLink makes an interface that is down.
func idleLink() (netlink.Link, error) {
	const name, peer = "squall-try", "squall-try-peer"
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	first := netlink.LinkAdd(&netlink.Dummy{LinkAttrs: attrs})
	if first != nil {
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: peer}); err != nil {
			return nil, fmt.Errorf("making an interface to try on: %w", errors.Join(first, err))
		}
	}
	return netlink.LinkByName(name)
}
