package shape

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// netem is the engine that lets the kernel do it. On each interface that leads
// to a shaped address stands a tree: HTB, which does nothing but part the
// packets; below it, for each address, a filter, a class and its netem. What no
// filter matches goes its way at once.
type netem struct {
	branches map[netip.Addr]branch
	trees    map[int]bool // interfaces, by index, on which stands a tree of ours
}

// branch is where one address hangs.
type branch struct {
	iface int
	minor uint16 // of its class, from 1
	turn  uint16 // 0 or 1: the other one than of the netem before
	shape protocol.Shape
}

// class and leaf are the handles of a branch's class and of its netem.
func (b branch) class() uint32 { return netlink.MakeHandle(treeMajor, b.minor) }
func (b branch) leaf() uint32  { return netlink.MakeHandle(leafMajor+2*b.minor+b.turn, 0) }

const (
	treeMajor = 0x5371
	leafMajor = 0x6000
	// freeRate is HTB's rate, in bits per second: so much that it never waits.
	freeRate = 32_000_000_000
)

func newNetem() *netem {
	return &netem{branches: map[netip.Addr]branch{}, trees: map[int]bool{}}
}

// netemCan says why netem cannot do what is asked, "" when it can.
func netemCan(s protocol.Shape) string {
	switch {
	case s.Corrupt > 0 && s.CorruptKind == protocol.CorruptPayload:
		return "netem cannot make the checksum right again after it corrupted a payload"
	case s.Duplicate > 0:
		return "newer kernels let a netem that duplicates stand beside no other"
	case s.Loss > 0 && s.Burst != nil:
		return "netem has one kind of loss at a time"
	default:
		return ""
	}
}

// set makes the branch of an address, or puts another netem in the place of the
// one there: to change that one would leave it what the new shape does not name.
func (n *netem) set(s protocol.Shape) error {
	b, known := n.branches[s.To]
	if !known {
		var err error
		if b, err = n.grow(s.To); err != nil {
			return err
		}
	}
	b.shape = s
	b.turn ^= 1
	if err := putNetem(b.iface, b.class(), b.leaf(), s); err != nil {
		if !known {
			err = errors.Join(err, n.cut(b, s.To))
		}
		return fmt.Errorf("making the netem to %v: %w", s.To, err)
	}
	n.branches[s.To] = b
	return nil
}

// grow makes a branch without netem, and the tree if there is none yet.
func (n *netem) grow(to netip.Addr) (branch, error) {
	iface, _, err := wayTo(to)
	if err != nil {
		return branch{}, err
	}
	b := branch{iface: iface, minor: n.freeMinor()}
	if !n.trees[iface] {
		root := netlink.NewHtb(netlink.QdiscAttrs{LinkIndex: iface, Handle: netlink.MakeHandle(treeMajor, 0), Parent: netlink.HANDLE_ROOT})
		if err := netlink.QdiscAdd(root); err != nil {
			return b, fmt.Errorf("making the tree of queueing disciplines: %w", err)
		}
		n.trees[iface] = true
	}
	class := netlink.NewHtbClass(netlink.ClassAttrs{
		LinkIndex: iface,
		Handle:    b.class(),
		Parent:    netlink.MakeHandle(treeMajor, 0),
	}, netlink.HtbClassAttrs{Rate: freeRate, Ceil: freeRate})
	if err := netlink.ClassAdd(class); err != nil {
		return b, errors.Join(fmt.Errorf("making a class for %v: %w", to, err), n.fell(iface))
	}
	if err := netlink.FilterAdd(filterFor(b, to)); err != nil {
		return b, errors.Join(fmt.Errorf("making a filter for %v: %w", to, err), n.cut(b, to))
	}
	return b, nil
}

func (n *netem) freeMinor() uint16 {
	used := map[uint16]bool{}
	for _, b := range n.branches {
		used[b.minor] = true
	}
	for minor := uint16(1); ; minor++ {
		if !used[minor] {
			return minor
		}
	}
}

// filterFor matches the destination of IP packets.
func filterFor(b branch, to netip.Addr) *netlink.U32 {
	offset, proto := int32(16), uint16(unix.ETH_P_IP)
	if to.Is6() {
		offset, proto = 24, unix.ETH_P_IPV6
	}
	var keys []netlink.TcU32Key
	raw := to.AsSlice()
	for i := 0; i < len(raw); i += 4 {
		value := uint32(raw[i])<<24 | uint32(raw[i+1])<<16 | uint32(raw[i+2])<<8 | uint32(raw[i+3])
		keys = append(keys, netlink.TcU32Key{Mask: 0xffffffff, Val: value, Off: offset + int32(i)})
	}
	return &netlink.U32{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: b.iface,
			Parent:    netlink.MakeHandle(treeMajor, 0),
			Priority:  b.minor,
			Protocol:  proto,
		},
		ClassId: b.class(),
		Sel:     &netlink.TcU32Sel{Flags: netlink.TC_U32_TERMINAL, Nkeys: uint8(len(keys)), Keys: keys},
	}
}

// drop removes the branch of an address, with all that is held in it: what netem
// holds cannot be let go, only be thrown away.
func (n *netem) drop(to netip.Addr) error {
	b, ok := n.branches[to]
	if !ok {
		return nil
	}
	delete(n.branches, to)
	return n.cut(b, to)
}

func (n *netem) cut(b branch, to netip.Addr) error {
	last := true
	for _, other := range n.branches {
		last = last && other.iface != b.iface
	}
	if last {
		return n.fell(b.iface)
	}
	errs := []error{netlink.FilterDel(filterFor(b, to))}
	errs = append(errs, netlink.ClassDel(netlink.NewHtbClass(netlink.ClassAttrs{
		LinkIndex: b.iface,
		Handle:    b.class(),
		Parent:    netlink.MakeHandle(treeMajor, 0),
	}, netlink.HtbClassAttrs{})))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("removing the netem to %v: %w", to, err)
	}
	return nil
}

// fell removes a tree on which nothing hangs any more.
func (n *netem) fell(iface int) error {
	for _, b := range n.branches {
		if b.iface == iface {
			return nil
		}
	}
	delete(n.trees, iface)
	root := netlink.NewHtb(netlink.QdiscAttrs{LinkIndex: iface, Handle: netlink.MakeHandle(treeMajor, 0), Parent: netlink.HANDLE_ROOT})
	if err := netlink.QdiscDel(root); err != nil {
		return fmt.Errorf("removing the tree of queueing disciplines: %w", err)
	}
	return nil
}

// wayTo is the interface, by index, over which packets to an address leave, and
// its MTU in bytes.
func wayTo(to netip.Addr) (iface, mtu int, err error) {
	routes, err := netlink.RouteGet(to.AsSlice())
	if err != nil || len(routes) == 0 {
		return 0, 0, fmt.Errorf("finding the way to %v: %w", to, err)
	}
	l, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return 0, 0, fmt.Errorf("finding the way to %v: %w", to, err)
	}
	return l.Attrs().Index, l.Attrs().MTU, nil
}

// putNetem makes a netem below parent, in the place of what was there.
func putNetem(iface int, parent, handle uint32, s protocol.Shape) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	req.AddData(&nl.TcMsg{Family: nl.FAMILY_ALL, Ifindex: int32(iface), Handle: handle, Parent: parent})
	req.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("netem")))
	req.AddData(nl.NewRtAttr(nl.TCA_OPTIONS, netemOptions(s)))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}
