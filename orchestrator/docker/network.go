package docker

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"

	"github.com/docker/docker/api/types/network"

	"squall/orchestrator/machines"
)

const (
	poolNets = 512 // networks of /24 in the pool
	// networkTries is how many of them are tried. Others' networks in the pool
	// are left out before; what is tried in vain is what appeared meanwhile,
	// or what the engine hides from us.
	networkTries = 64
)

// poolNet is the i-th network of the pool.
func poolNet(i int) netip.Prefix {
	base := netip.MustParsePrefix(machines.NetworkPool).Addr().As4()
	i %= poolNets
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{base[0], base[1] + byte(i>>8), byte(i), 0}), 24)
}

// createNetwork makes the cluster's own network, with a subnet that no other has.
// It is internal: nothing in it reaches the world, nor the world it.
func (c *cluster) createNetwork(ctx context.Context) (netip.Prefix, error) {
	r := c.runtime
	taken, err := r.takenSubnets(ctx)
	if err != nil {
		return netip.Prefix{}, err
	}
	routes := r.poolRoutes(taken)
	taken = append(taken, prefixes(routes)...)
	// Runs that start at the same time begin at different places.
	h := fnv.New32a()
	h.Write([]byte(c.id))
	start := int(h.Sum32() % poolNets)
	tries := 0
	for i := range poolNets {
		subnet := poolNet(start + i)
		if overlapsAny(subnet, taken) {
			continue
		}
		if tries++; tries > networkTries {
			break
		}
		err := c.createSubnet(ctx, subnet)
		if err == nil {
			return subnet, nil
		}
		if !strings.Contains(strings.ToLower(err.Error()), "overlap") {
			return netip.Prefix{}, err
		}
		r.log.Debug("the subnet is taken", "subnet", subnet, "err", err)
	}
	if len(routes) > 0 && freeNets(routes) == 0 {
		return netip.Prefix{}, fmt.Errorf("making the network %s: %w", networkName(c.id), noNetLeft(routes))
	}
	return netip.Prefix{}, fmt.Errorf("making the network %s: no free subnet in %s: "+
		"remove what earlier runs left with squall clean, and networks of others there", networkName(c.id), machines.NetworkPool)
}

func (c *cluster) createSubnet(ctx context.Context, subnet netip.Prefix) error {
	r := c.runtime
	return r.step(ctx, "making the network "+networkName(c.id), func(ctx context.Context) error {
		_, err := r.api.NetworkCreate(ctx, networkName(c.id), network.CreateOptions{
			Driver:   "bridge",
			Internal: true,
			IPAM:     &network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet.String()}}},
			Labels:   c.labels(),
		})
		return err
	})
}

func (r *Runtime) takenSubnets(ctx context.Context) ([]netip.Prefix, error) {
	var networks []network.Summary
	err := r.ask(ctx, "listing networks", func(ctx context.Context) (err error) {
		networks, err = r.api.NetworkList(ctx, network.ListOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	var taken []netip.Prefix
	for _, n := range networks {
		for _, c := range n.IPAM.Config {
			if p, err := netip.ParsePrefix(c.Subnet); err == nil {
				taken = append(taken, p)
			}
		}
	}
	return taken, nil
}

func overlapsAny(p netip.Prefix, others []netip.Prefix) bool {
	for _, o := range others {
		if p.Overlaps(o) {
			return true
		}
	}
	return false
}

func networkName(id string) string { return "squall-" + id }
