package hub

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/vishvananda/netlink"
)

const (
	bridgeName = "switch"
	legName    = "eth0" // of every machine
)

// makeBridge makes the cluster's switch and returns its index.
func makeBridge() (int, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = bridgeName
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(bridge); err != nil {
		return 0, fmt.Errorf("making the cluster's bridge: %w", err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return 0, fmt.Errorf("starting the cluster's bridge: %w", err)
	}
	return bridge.Attrs().Index, nil
}

// plug makes a pair of interfaces: one on the bridge, the other in the network
// namespace of the process.
//
// The pair of the machine's life before goes with its namespace, but in the
// kernel's own time. The address of the interface is the same in every life:
// the other machines know it, and would send to the old one for a while.
func plug(bridge int, m *machine, pid int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "port" + strconv.Itoa(m.port)
	if old, err := netlink.LinkByName(attrs.Name); err == nil {
		_ = netlink.LinkDel(old) // if it went just now, it is gone too
	}
	attrs.MasterIndex = bridge
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: legName, PeerNamespace: netlink.NsPid(pid),
		PeerHardwareAddr: hardwareAddr(m.spec.Addr)}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("plugging it into the bridge: %w", err)
	}
	if err := netlink.LinkSetUp(pair); err != nil {
		return fmt.Errorf("plugging it into the bridge: %w", err)
	}
	return nil
}

// hardwareAddr is a local one that is made of the address.
func hardwareAddr(addr netip.Addr) net.HardwareAddr {
	ip := addr.As4()
	return append(net.HardwareAddr{0x02, 0x53}, ip[:]...)
}

// configureLeg sets the machine's own end up, from inside.
func configureLeg(addr netip.Addr, network netip.Prefix) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback interface: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("starting the loopback interface: %w", err)
	}
	leg, err := netlink.LinkByName(legName)
	if err != nil {
		return fmt.Errorf("finding the network interface: %w", err)
	}
	ip := &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(network.Bits(), addr.BitLen())}
	if err := netlink.AddrAdd(leg, &netlink.Addr{IPNet: ip}); err != nil {
		return fmt.Errorf("setting the address %v: %w", addr, err)
	}
	if err := netlink.LinkSetUp(leg); err != nil {
		return fmt.Errorf("starting the network interface: %w", err)
	}
	return nil
}
