package shape

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

// TestOptions takes a message to netem apart.
func TestOptions(t *testing.T) {
	le := binary.NativeEndian
	s := everything
	s.Loss, s.Rate = 0, 5_000_000_000
	b := netemOptions(s)
	if limit, gap := le.Uint32(b[4:]), le.Uint32(b[12:]); limit != protocol.HeldPackets || gap != 1 {
		t.Errorf("limit %d, gap %d", limit, gap)
	}
	if share := float64(le.Uint32(b[16:])) / (1 << 32); share < 0.1999 || share > 0.2001 {
		t.Errorf("duplicate %v", share)
	}
	attrs := attrsOf(t, b[24:])
	if d := time.Duration(le.Uint64(attrs[netemLatency64])); d != s.Delay {
		t.Errorf("delay %v", d)
	}
	if d := time.Duration(le.Uint64(attrs[netemJitter64])); d != s.Jitter {
		t.Errorf("jitter %v", d)
	}
	if seed := le.Uint64(attrs[netemSeed]); seed != s.Seed {
		t.Errorf("seed %d", seed)
	}
	if le.Uint32(attrs[netemRate]) != 1<<32-1 || le.Uint64(attrs[netemRate64]) != uint64(s.Rate) {
		t.Errorf("rate %x, %x", attrs[netemRate], attrs[netemRate64])
	}
	model := attrsOf(t, attrs[netemLoss])[netemLossGE]
	for i, want := range []float64{0.05, 0.3, 0.1, 0.01} {
		if got := float64(le.Uint32(model[4*i:])) / (1 << 32); got < want-1e-6 || got > want+1e-6 {
			t.Errorf("burst %d: %v, want %v", i, got, want)
		}
	}
	table := attrs[netemDist]
	middle := int16(le.Uint16(table[distSize:]))
	sigma := int16(le.Uint16(table[2*distSize*8413/10000/2*2:]))
	if len(table) != 2*distSize || middle < -10 || middle > 10 || sigma < distScale-60 || sigma > distScale+60 {
		t.Errorf("table of %d bytes, at its middle %d, at one sigma %d", len(table), middle, sigma)
	}
}

func attrsOf(t *testing.T, b []byte) map[uint16][]byte {
	t.Helper()
	all := map[uint16][]byte{}
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			t.Fatalf("an attribute of %d bytes in %d", n, len(b))
		}
		all[binary.NativeEndian.Uint16(b[2:])&^nested] = b[4:n]
		b = b[min(len(b), (n+3)&^3):]
	}
	return all
}

// TestTreeInNamespace plants the tree on the loopback interface of a network
// namespace of its own, without netem, and sees which packets go through it.
func TestTreeInNamespace(t *testing.T) {
	const inside = "SQUALL_TEST_IN_NAMESPACE"
	if os.Getenv(inside) != "" {
		testTree(t)
		return
	}
	machinetest.NotShort(t, "it makes network namespaces")
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if _, ran := err.(*exec.ExitError); err != nil && !ran {
		machinetest.Skipf(t, "this system lets nobody make network namespaces: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func testTree(t *testing.T) {
	lo, err := netlink.LinkByName("lo")
	must(t, err)
	must(t, netlink.LinkSetUp(lo))
	in, err := net.ListenUDP("udp", &net.UDPAddr{Port: 7000})
	must(t, err)
	defer in.Close()
	send := func(to string, n int) {
		for range n {
			out, err := net.Dial("udp", net.JoinHostPort(to, "7000"))
			must(t, err)
			_, err = out.Write([]byte("x"))
			must(t, err)
			out.Close()
			must(t, in.SetReadDeadline(time.Now().Add(5*time.Second)))
			_, err = in.Read(make([]byte, 9))
			must(t, err)
		}
	}
	n := newNetem()
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("::1")}
	for _, a := range addrs {
		b, err := n.grow(a)
		must(t, err)
		n.branches[a] = b
	}
	send("127.0.0.2", 2)
	send("127.0.0.3", 3)
	send("::1", 4)
	send("127.0.0.4", 50)
	want := map[uint16]uint32{1: 2, 2: 3, 3: 4}
	classes, err := netlink.ClassList(lo, netlink.MakeHandle(treeMajor, 0))
	must(t, err)
	for _, c := range classes {
		_, minor := netlink.MajorMinor(c.Attrs().Handle)
		if got := c.Attrs().Statistics.Basic.Packets; got != want[minor] {
			t.Errorf("%d packets went through class %d, want %d", got, minor, want[minor])
		}
	}
	if len(classes) != len(want) {
		t.Errorf("%d classes, want %d", len(classes), len(want))
	}
	must(t, n.drop(addrs[1]))
	send("127.0.0.3", 1)
	classes, err = netlink.ClassList(lo, netlink.MakeHandle(treeMajor, 0))
	if must(t, err); len(classes) != 2 {
		t.Errorf("%d classes are left, want 2", len(classes))
	}
	must(t, n.drop(addrs[0]))
	must(t, n.drop(addrs[2]))
	qdiscs, err := netlink.QdiscList(lo)
	must(t, err)
	for _, q := range qdiscs {
		if q.Type() == "htb" {
			t.Error("the tree still stands")
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
