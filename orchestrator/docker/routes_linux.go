package docker

import (
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hostRoutes are the IPv4 routes of this computer that lead somewhere, in all of
// its tables: those that policy rules choose count too. Default routes and the
// computer's own addresses are left out.
func hostRoutes() ([]hostRoute, error) {
	var routes []hostRoute
	links := map[int]string{}
	all := &netlink.Route{Table: unix.RT_TABLE_UNSPEC}
	err := netlink.RouteListFilteredIter(netlink.FAMILY_V4, all, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		if r.Table == unix.RT_TABLE_LOCAL || r.Type != unix.RTN_UNICAST || r.Dst == nil {
			return true
		}
		bits, _ := r.Dst.Mask.Size()
		addr, ok := netip.AddrFromSlice(r.Dst.IP.To4())
		if !ok || bits == 0 {
			return true
		}
		h := hostRoute{to: netip.PrefixFrom(addr, bits)}
		if len(inPool([]hostRoute{h})) == 0 { // a router has a million of them
			return true
		}
		h.link = linkName(links, r.LinkIndex)
		routes = append(routes, h)
		return true
	})
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		err = nil // a route changed meanwhile: what was seen is good enough
	}
	return routes, err
}

// linkName is the name of the interface of that index, "" if it has gone.
func linkName(known map[int]string, index int) string {
	if name, ok := known[index]; ok || index == 0 {
		return name
	}
	if link, err := netlink.LinkByIndex(index); err == nil {
		known[index] = link.Attrs().Name
	}
	return known[index]
}
