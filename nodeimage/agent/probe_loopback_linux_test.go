package agent

import (
	"net"
	"testing"

	"github.com/vishvananda/netlink"
)

// TestProbesListenBeforeTheLoopback: Go finds out whether there is IPv6 by binding
// loopback addresses, once in the life of a process. Where another interface has an
// address and the loopback has none yet, as in a machine that is being set up, it
// finds none. The agent listens for probes of both kinds all the same.
func TestProbesListenBeforeTheLoopback(t *testing.T) {
	inWorld(t, func() {
		lo, err := netlink.LinkByName("lo")
		must(t, err)
		must(t, netlink.LinkSetDown(lo))
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "eth0"
		link := &netlink.Bridge{LinkAttrs: attrs}
		must(t, netlink.LinkAdd(link))
		must(t, netlink.LinkSetUp(link))
		addr, err := netlink.ParseAddr("10.9.0.1/24")
		must(t, err)
		must(t, netlink.AddrAdd(link, addr))
		p, err := listenProbes(4199)
		must(t, err)
		defer p.close()
		for _, at := range []net.Addr{p.udp.LocalAddr(), p.tcp.Addr()} {
			if at.String() != "[::]:4199" {
				t.Errorf("it listens on %v %v, want [::]:4199", at.Network(), at)
			}
		}
	})
}
