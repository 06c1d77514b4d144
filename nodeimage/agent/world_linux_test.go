package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
)

func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

const inNamespace = "SQUALL_TEST_IN_NAMESPACE"

// inWorld runs a test, or benchmark, again in a network namespace of its own,
// where it may do everything to the network and nobody else sees it.
func inWorld(t testing.TB, test func()) {
	t.Helper()
	if os.Getenv(inNamespace) != "" {
		test()
		return
	}
	machinetest.NotShort(t, "it makes network namespaces")
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v", "-test.timeout=4m"}
	_, bench := t.(*testing.B)
	if bench {
		args = append(args, "-test.bench=^"+t.Name()+"$")
	}
	cmd := exec.Command("/proc/self/exe", args...)
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
	if err == nil && strings.Contains(string(out), "--- SKIP: "+t.Name()) {
		why := string(out)
		for line := range strings.Lines(why) { // what that test's package says at its end
			if said, ok := strings.CutPrefix(line, "skipped: "+t.Name()+": "); ok {
				why = strings.TrimSpace(said)
			}
		}
		machinetest.Skip(t, why)
	}
	if err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v:\n%s", err, out)
	}
	if bench || testing.Verbose() {
		fmt.Printf("%s\n", out)
	}
}

// host is a machine of a test: a network namespace with an agent in it.
type host struct {
	*protocol.Client
	addr, addr6 netip.Addr
	pid         int
}

// newWorld starts machines on one switch.
func newWorld(t testing.TB, n int) []*host {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "switch"
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	must(t, netlink.LinkAdd(bridge))
	must(t, netlink.LinkSetUp(bridge))
	hosts := make([]*host, n)
	for i := range hosts {
		hosts[i] = newHost(t, i, bridge.Attrs().Index)
	}
	for _, h := range hosts {
		h.reach(t, hosts)
	}
	return hosts
}

// reach waits until the switch forwards between a machine and all others, which
// takes up to a second.
func (h *host) reach(t testing.TB, hosts []*host) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		flows++
		spec := protocol.FlowSpec{Nonce: flows, Port: protocol.ProbePort, Count: 1, Wait: 200 * time.Millisecond}
		for _, o := range hosts {
			if o != h {
				spec.To = append(spec.To, o.addr, o.addr6)
			}
		}
		if len(spec.To) == 0 {
			return
		}
		sent, err := h.FlowSend(context.Background(), spec)
		must(t, err)
		if !slices.ContainsFunc(sent, func(s protocol.FlowSent) bool { return s.Answered == 0 }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the machines do not reach each other: %+v", sent)
		}
	}
}

func newHost(t testing.TB, i, bridge int) *host {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "agent")
	cmd.Env = os.Environ()
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	out, outW, err := os.Pipe()
	must(t, err)
	cmd.Stdout = outW
	must(t, cmd.Start())
	outW.Close()
	h := &host{
		pid:   cmd.Process.Pid,
		addr:  netip.AddrFrom4([4]byte{10, 9, 0, byte(i + 1)}),
		addr6: netip.MustParseAddr(fmt.Sprintf("fd09::%d", i+1)),
	}
	h.Client = protocol.NewClient(pipeConn{out, stdin, out.Close}, &recorder{out: map[protocol.StreamID]*strings.Builder{}})
	t.Cleanup(func() {
		h.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("agent %d: %v", i, err)
		}
	})
	// It is at work before there is any link, not even the loopback: of a machine
	// nothing says which of the two is first.
	_, err = h.Hello(context.Background())
	must(t, err)
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = fmt.Sprintf("port%d", i), bridge
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsPid(h.pid)}))
	port, err := netlink.LinkByName(attrs.Name)
	must(t, err)
	must(t, netlink.LinkSetUp(port))
	h.inside(t, func() error {
		for name, addrs := range map[string][]netip.Prefix{
			"lo": nil, "eth0": {netip.PrefixFrom(h.addr, 24), netip.PrefixFrom(h.addr6, 64)},
		} {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetUp(l); err != nil {
				return err
			}
			for _, a := range addrs {
				ip := &net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())}
				if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ip, Flags: unix.IFA_F_NODAD}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return h
}

// inside does something in the machine's network namespace. A socket that is
// opened there stays there.
func (h *host) inside(t testing.TB, do func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never back: the thread ends with the goroutine
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", h.pid))
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			ns.Close()
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	must(t, <-done)
}

// net sets what the machine does to packets.
func (h *host) net(t testing.TB, cut []protocol.Cut, shapes ...protocol.Shape) {
	t.Helper()
	must(t, h.Net(context.Background(), protocol.NetState{Cut: cut, Shape: shapes}))
}

// counts is what the machine did to packets.
func (h *host) counts(t testing.TB) protocol.NetCounters {
	t.Helper()
	c, err := h.NetCounters(context.Background())
	must(t, err)
	return c
}

var flows uint64

// flow sends datagrams from h to others, and returns what each end saw.
func (h *host) flow(t testing.TB, count int, interval time.Duration, size int, to ...*host) ([]protocol.FlowSent, []protocol.FlowHeard) {
	t.Helper()
	flows++
	spec := protocol.FlowSpec{Nonce: flows, Port: protocol.ProbePort, Count: count, Interval: interval, Size: size,
		Wait: time.Second}
	for _, o := range to {
		spec.To = append(spec.To, o.addr)
	}
	sent, err := h.FlowSend(context.Background(), spec)
	must(t, err)
	var heard []protocol.FlowHeard
	for _, o := range to {
		all, err := o.FlowHeard(context.Background(), spec.Nonce)
		must(t, err)
		all = append(all, protocol.FlowHeard{}) // of one that heard nothing
		heard = append(heard, all[0])
	}
	return sent, heard
}

// serve takes TCP connections in the machine, each in a goroutine.
func (h *host) serve(t testing.TB, addr netip.Addr, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	var l net.Listener
	h.inside(t, func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
		return err
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// dial opens a TCP connection from the machine.
func (h *host) dial(t testing.TB, to netip.AddrPort) net.Conn {
	t.Helper()
	var c net.Conn
	h.inside(t, func() (err error) {
		c, err = net.DialTimeout("tcp", to.String(), 10*time.Second)
		return err
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// echo sends back what it reads, until the connection ends.
func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// judge is told what is wrong.
type judge interface {
	Helper()
	Errorf(format string, args ...any)
}

// attempt is a judge whose complaints may be forgotten.
type attempt struct{ complaints []string }

func (*attempt) Helper() {}
func (a *attempt) Errorf(format string, args ...any) {
	a.complaints = append(a.complaints, fmt.Sprintf(format, args...))
}

// patiently tries until there is nothing to complain about: what is measured in
// milliseconds is now and then wrong on a busy computer, but not every time.
func patiently(t *testing.T, try func(j judge)) {
	t.Helper()
	var a attempt
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); {
		a = attempt{}
		if try(&a); len(a.complaints) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("for three minutes in vain; the last time:\n%s", strings.Join(a.complaints, "\n"))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
