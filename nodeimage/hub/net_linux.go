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
func plug(bridge, i, pid int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "port" + strconv.Itoa(i)
	attrs.MasterIndex = bridge
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: legName, PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("plugging it into the bridge: %w", err)
	}
	if err := netlink.LinkSetUp(pair); err != nil {
		return fmt.Errorf("plugging it into the bridge: %w", err)
	}
	return nil
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
