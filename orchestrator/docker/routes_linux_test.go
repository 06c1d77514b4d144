package docker

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"squall/internal/machinetest"
)

// inNamespace says that the test runs in a network namespace of its own.
const inNamespace = "SQUALL_TEST_ROUTES"

// TestHostRoutes reads real routes, in a network namespace of its own: those of
// the main table and of others, and not what leads nowhere or is everybody's.
func TestHostRoutes(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestHostRoutes$", "-test.v")
		cmd.Env = append(os.Environ(), inNamespace+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if _, ran := err.(*exec.ExitError); err != nil && !ran {
			machinetest.Skipf(t, "this system lets nobody make network namespaces: %v", err)
		}
		if err != nil || !strings.Contains(string(out), "PASS: TestHostRoutes") {
			t.Fatalf("%v:\n%s", err, out)
		}
		return
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "tun7"
	tun := &netlink.Bridge{LinkAttrs: attrs} // the kernel may have no dummy
	must(netlink.LinkAdd(tun))
	must(netlink.LinkSetUp(tun))
	addr, err := netlink.ParseAddr("198.18.0.1/30")
	must(err)
	must(netlink.AddrAdd(tun, addr)) // and with it local and broadcast routes
	add := func(to string, table, kind int) {
		t.Helper()
		_, dst, err := net.ParseCIDR(to)
		must(err)
		r := &netlink.Route{Dst: dst, Table: table, Type: kind, LinkIndex: tun.Attrs().Index}
		if kind != unix.RTN_UNICAST {
			r.LinkIndex = 0
		}
		must(netlink.RouteAdd(r))
	}
	add("198.19.0.0/16", unix.RT_TABLE_MAIN, unix.RTN_UNICAST)
	add("198.18.64.0/18", 2022, unix.RTN_UNICAST)
	add("0.0.0.0/0", 2022, unix.RTN_UNICAST)
	add("128.0.0.0/1", unix.RT_TABLE_MAIN, unix.RTN_UNICAST)
	add("10.0.0.0/8", unix.RT_TABLE_MAIN, unix.RTN_UNICAST)
	add("198.18.0.0/15", unix.RT_TABLE_MAIN, unix.RTN_BLACKHOLE)

	routes, err := hostRoutes()
	must(err)
	var got []string
	for _, h := range routes {
		got = append(got, h.String())
	}
	slices.Sort(got)
	want := []string{"198.18.0.0/30 through tun7", "198.18.64.0/18 through tun7", "198.19.0.0/16 through tun7"}
	if !slices.Equal(got, want) {
		t.Errorf("the routes are %q, want %q", got, want)
	}
}
