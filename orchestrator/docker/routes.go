package docker

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"squall/orchestrator/machines"
)

// hostRoute is a route of this computer that leads somewhere.
type hostRoute struct {
	to   netip.Prefix
	link string // the interface that it leads through, "" if it says none
}

func (h hostRoute) String() string {
	if h.link == "" {
		return h.to.String()
	}
	return h.to.String() + " through " + h.link
}

// leastBits is the length of a prefix from which on a route is meant for what it
// leads to. Shorter ones are ways to the Internet in pieces, such as the 128.0.0.0/1
// of VPNs: none of them needs what is reserved for benchmarks.
const leastBits = 8

// inPool are those of the routes that lead into the pool of networks on purpose.
// A network of ours would take addresses away from them, such as those that a
// proxy with a TUN device gives to names.
func inPool(routes []hostRoute) []hostRoute {
	pool := netip.MustParsePrefix(machines.NetworkPool)
	return slices.DeleteFunc(slices.Clone(routes), func(h hostRoute) bool {
		return !h.to.IsValid() || h.to.Bits() < leastBits || !pool.Overlaps(h.to)
	})
}

// poolRoutes are the routes of the engine's host into the pool, without those of
// the engine's own networks: none where the engine is elsewhere, so that they cannot
// be seen, or where they cannot be read.
func (r *Runtime) poolRoutes(networks []netip.Prefix) []hostRoute {
	if !r.addr.isHere() {
		return nil
	}
	routes, err := r.routes()
	if err != nil {
		r.log.Debug("this computer's routes cannot be read", "err", err)
		return nil
	}
	return slices.DeleteFunc(inPool(routes), func(h hostRoute) bool { return slices.Contains(networks, h.to.Masked()) })
}

// isHere reports whether the engine is on this computer, or in a virtual machine
// of it.
func (a address) isHere() bool {
	scheme, _, _ := strings.Cut(a.Host, "://")
	if scheme == "unix" || scheme == "npipe" {
		return true
	}
	u, err := url.Parse(a.Host)
	if err != nil || scheme != "tcp" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// prefixes are where routes lead to.
func prefixes(routes []hostRoute) []netip.Prefix {
	var all []netip.Prefix
	for _, h := range routes {
		all = append(all, h.to)
	}
	return all
}

// freeNets is how many networks of the pool no route leads into.
func freeNets(routes []hostRoute) int {
	free, taken := 0, prefixes(routes)
	for i := range poolNets {
		if !overlapsAny(poolNet(i), taken) {
			free++
		}
	}
	return free
}

// noNetLeft says that routes leave no network of the pool, and the way out.
func noNetLeft(routes []hostRoute) error {
	return fmt.Errorf("this computer routes all of %s itself (%s), and squall takes the networks of its machines from there: "+
		"use --runtime local, which does not use this range, or have the program that made the route, such as a proxy with a TUN device, use another range",
		machines.NetworkPool, listRoutes(routes))
}

// listRoutes names the first of some routes.
func listRoutes(routes []hostRoute) string {
	const most = 3
	var words []string
	for _, h := range routes {
		if word := h.String(); !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if more := len(words) - most; more > 0 {
		words = append(words[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ")
}

// Networks says where this computer's own routes leave networks for machines, in
// one line; "" where none leads into the pool. It is an error when none is left.
func (r *Runtime) Networks(ctx context.Context) (string, error) {
	taken, err := r.takenSubnets(ctx)
	if err != nil {
		return "", err
	}
	routes := r.poolRoutes(taken)
	if len(routes) == 0 {
		return "", nil
	}
	free := freeNets(routes)
	if free == 0 {
		return "", noNetLeft(routes)
	}
	return fmt.Sprintf("this computer routes %s itself: squall avoids it, and has %d of %d networks in %s left",
		listRoutes(routes), free, poolNets, machines.NetworkPool), nil
}
