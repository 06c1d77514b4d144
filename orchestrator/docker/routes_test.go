package docker

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"

	"squall/orchestrator/machines"
)

func routesOf(all ...string) []hostRoute {
	var routes []hostRoute
	for _, to := range all {
		routes = append(routes, hostRoute{netip.MustParsePrefix(to), "tun0"})
	}
	return routes
}

// networksEngine is an engine with some networks, which makes any other.
func networksEngine(t *testing.T, subnets ...string) (*Runtime, *[]netip.Prefix) {
	t.Helper()
	var there []network.Summary
	for _, s := range subnets {
		there = append(there, network.Summary{IPAM: network.IPAM{Config: []network.IPAMConfig{{Subnet: s}}}})
	}
	var made []netip.Prefix
	f := &fakeEngine{answers: map[string]http.HandlerFunc{
		"GET /networks": says(200, there),
		"POST /networks/create": func(w http.ResponseWriter, r *http.Request) {
			var options network.CreateRequest
			if err := json.NewDecoder(r.Body).Decode(&options); err != nil {
				t.Error(err)
			}
			made = append(made, netip.MustParsePrefix(options.IPAM.Config[0].Subnet))
			says(201, map[string]string{"Id": "net"})(w, r)
		},
	}}
	return connect(t, f.start(t)), &made
}

// Networks are made beside what this computer routes itself, however many runs
// there are; where nothing is left that is said before anything is made.
func TestNetworksAvoidTheHostsRoutes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		routes []string
		free   int // of poolNets; 0: refused
		says   string
	}{
		{"none", nil, 512, ""},
		{"elsewhere", []string{"10.0.0.0/8", "172.17.0.0/16", "192.168.1.0/24"}, 512, ""},
		{"a way to the Internet in halves", []string{"0.0.0.0/1", "128.0.0.0/1"}, 512, ""},
		{"and in more pieces", []string{"192.0.0.0/3", "196.0.0.0/6"}, 512, ""},
		{"a proxy's range", []string{"198.18.0.0/16"}, 256, "routes 198.18.0.0/16 through tun0 itself"},
		{"a single address", []string{"198.18.0.1/32"}, 511, "198.18.0.1/32 through tun0"},
		{"all but one", []string{"198.18.0.0/16", "198.19.0.0/17", "198.19.128.0/18", "198.19.192.0/19", "198.19.224.0/20", "198.19.240.0/21",
			"198.19.248.0/22", "198.19.252.0/23", "198.19.254.0/24"}, 1, "and 6 more"},
		{"the whole range", []string{"198.18.0.0/15"}, 0, "routes all of 198.18.0.0/15 itself (198.18.0.0/15 through tun0)"},
		{"in halves", []string{"198.18.0.0/16", "198.19.0.0/16"}, 0, "--runtime local"},
		{"a wider range", []string{"198.0.0.0/8"}, 0, "198.0.0.0/8 through tun0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, made := networksEngine(t)
			r.routes = func() ([]hostRoute, error) { return routesOf(tc.routes...), nil }
			said, err := r.Networks(t.Context())
			if err != nil {
				said = err.Error()
			}
			if (err != nil) != (tc.free == 0) || !strings.Contains(said, tc.says) || (said == "") != (tc.says == "") {
				t.Errorf("it says %q, error %v; want %q", said, err, tc.says)
			}
			if checked := r.CheckSpecs(t.Context(), nil); (checked != nil) != (tc.free == 0) {
				t.Errorf("before a run: %v", checked)
			}
			if got := freeNets(inPool(routesOf(tc.routes...))); got != tc.free {
				t.Errorf("%d networks are free, want %d", got, tc.free)
			}
			for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				c := &cluster{runtime: r, id: id}
				subnet, err := c.createNetwork(t.Context())
				if (err != nil) != (tc.free == 0) {
					t.Fatalf("making a network: %v", err)
				}
				if err == nil && overlapsAny(subnet, prefixes(inPool(routesOf(tc.routes...)))) {
					t.Errorf("the network %v is in what is routed", subnet)
				}
				if err != nil && !strings.Contains(err.Error(), "use another range") {
					t.Errorf("no way out in %q", err)
				}
			}
			if want := min(8, 8*tc.free); len(*made) != want {
				t.Errorf("%d networks were asked for, want %d", len(*made), want)
			}
		})
	}
}

// The bridges of the engine's own networks are routes too, and no proxy's: that
// they fill the range is another mistake, with another way out.
func TestNetworksOfTheEngineAreNotTheHosts(t *testing.T) {
	subnets := []string{"198.18.0.0/16", "198.19.0.0/16"}
	r, _ := networksEngine(t, subnets...)
	r.routes = func() ([]hostRoute, error) { return routesOf(subnets...), nil }
	if said, err := r.Networks(t.Context()); said != "" || err != nil {
		t.Errorf("it says %q, %v", said, err)
	}
	_, err := (&cluster{runtime: r, id: "x"}).createNetwork(t.Context())
	if err == nil || !strings.Contains(err.Error(), "squall clean") {
		t.Errorf("got %v, want the way to clean", err)
	}
}

// The routes of this computer say nothing of an engine elsewhere, and those that
// cannot be read keep nobody from a test.
func TestRoutesOfAnEngineElsewhere(t *testing.T) {
	all := func() ([]hostRoute, error) { return routesOf(machines.NetworkPool), nil }
	for host, here := range map[string]bool{
		"unix:///var/run/docker.sock": true, "npipe:////./pipe/docker_engine": true, "tcp://127.0.0.1:2375": true, "tcp://localhost:2375": true,
		"tcp://[::1]:2375": true, "tcp://10.0.0.7:2376": false, "ssh://user@host": false, "tcp://docker:2375": false,
	} {
		r := &Runtime{routes: all}
		r.addr.Host = host
		if got := len(r.poolRoutes(nil)) > 0; got != here {
			t.Errorf("%s: routes seen: %v, want %v", host, got, here)
		}
	}
	r, made := networksEngine(t)
	r.routes = func() ([]hostRoute, error) { return nil, os.ErrPermission }
	if err := r.CheckSpecs(t.Context(), nil); err != nil {
		t.Errorf("routes that cannot be read: %v", err)
	}
	if _, err := (&cluster{runtime: r, id: "x"}).createNetwork(t.Context()); err != nil || len(*made) != 1 {
		t.Errorf("%d networks made, %v", len(*made), err)
	}
}
