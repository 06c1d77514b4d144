package agent

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

const inNamespace = "SQUALL_TEST_IN_NAMESPACE"

// TestDropInNamespace runs itself again in a network namespace of its own,
// where it may set packet rules, and which nobody else sees.
func TestDropInNamespace(t *testing.T) {
	if os.Getenv(inNamespace) != "" {
		testDrop(t)
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if _, ran := err.(*exec.ExitError); err != nil && !ran {
		t.Skipf("this system lets nobody make network namespaces: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func testDrop(t *testing.T) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	friend, foe := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")
	if got, err := dropped(); err != nil || len(got) != 0 {
		t.Errorf("at first: %v, %v", got, err)
	}
	if err := setDropped(nil); err != nil {
		t.Errorf("an empty set over nothing: %v", err)
	}
	here, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	// arrives tells whether a datagram from an address gets here.
	arrives := func(from netip.Addr) bool {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: from.AsSlice()}, here.LocalAddr().(*net.UDPAddr))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(from.String())); err != nil {
			t.Fatal(err)
		}
		here.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		buf := make([]byte, 100)
		n, err := here.Read(buf)
		return err == nil && string(buf[:n]) == from.String()
	}
	check := func(when string, wantFriend, wantFoe bool) {
		t.Helper()
		if f, e := arrives(friend), arrives(foe); f != wantFriend || e != wantFoe {
			t.Errorf("%s: friend %v, foe %v, want %v, %v", when, f, e, wantFriend, wantFoe)
		}
	}
	check("without rules", true, true)
	six := netip.MustParseAddr("fd00::7")
	if err := setDropped([]netip.Addr{foe, six, netip.MustParseAddr("::ffff:127.0.0.3"), foe}); err != nil {
		t.Fatal(err)
	}
	check("with the foe dropped", true, false)
	got, err := dropped()
	if err != nil || len(got) != 2 || got[0].Addr != foe || got[0].Packets != 1 || got[0].Bytes == 0 || got[1].Addr != six {
		t.Errorf("dropped %+v, %v, want one packet of the foe", got, err)
	}
	if err := setDropped([]netip.Addr{friend}); err != nil {
		t.Fatal(err)
	}
	check("with the friend dropped instead", false, true)
	var many []netip.Addr
	for i := range maxDropped {
		many = append(many, netip.MustParseAddr(fmt.Sprintf("198.18.%d.%d", i/250, 1+i%250)))
	}
	if err := setDropped(many); err != nil {
		t.Fatal(err)
	}
	if got, err := dropped(); err != nil || len(got) != maxDropped {
		t.Errorf("%d are dropped, %v, want %d", len(got), err, maxDropped)
	}
	if err := setDropped(append(many, foe)); err == nil {
		t.Error("too many were not refused")
	}
	if err := setDropped(nil); err != nil {
		t.Fatal(err)
	}
	check("healed", true, true)
	if got, err := dropped(); err != nil || len(got) != 0 {
		t.Errorf("healed: %v, %v", got, err)
	}
}
